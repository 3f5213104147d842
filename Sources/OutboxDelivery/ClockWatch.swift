// Notices that somebody set the machine's clock. Never reads a clock: both readings are arguments.

import OutboxCore
import Synchronization

/// Compares the stored clock with a clock that nobody can set.
///
/// Suspending the machine does not count as a step, because the uptime clock goes on meanwhile.
struct ClockWatch {
    private var last: (now: Timestamp, uptime: Duration)?
    /// The uptime until which no message expires.
    private var expiryHeldUntil: Duration?

    /// Smaller differences are normal: NTP slews the clock, and steps it by less than this.
    static let tolerance = Duration.seconds(2)
    /// A step forward by more than this may be a mistake that is corrected in a moment.
    static let suspiciousStep = Duration.seconds(60)
    /// How long no message expires after such a step.
    static let expiryHold = Duration.seconds(300)

    /// - Returns: how far the clock was set since the last call, negative for back; `nil` if it was not set.
    mutating func look(at moment: Moment) -> Duration? {
        let (now, uptime) = (moment.now, moment.uptime)
        defer { last = (now, uptime) }
        guard let last else { return nil }
        let distance = now.timeSince(last.now) - (uptime - last.uptime)
        guard distance >= Self.tolerance || distance <= .zero - Self.tolerance else { return nil }
        if distance >= Self.suspiciousStep { expiryHeldUntil = uptime + Self.expiryHold }
        return distance
    }

    /// How much longer no message expires, because the clock was set forward; `nil` where messages expire as usual.
    func expiryHold(at uptime: Duration) -> Duration? {
        guard let expiryHeldUntil, expiryHeldUntil > uptime else { return nil }
        return expiryHeldUntil - uptime
    }
}

/// A change of the machine's clock.
struct ClockStep: Hashable {
    /// The distance: positive for forward, negative for back.
    let distance: Duration
    /// When the step was noticed, by the new clock. Everything written from then on uses the new clock.
    let since: Timestamp
}

/// The clock watch of the whole process: any caller may notice a step, and the dispatcher acts on it.
final class SharedClockWatch: Sendable {
    fileprivate struct State {
        var watch = ClockWatch()
        var step: ClockStep?
    }

    private let state = Mutex(State())

    /// How much longer no message expires, because the clock was set forward; `nil` where messages expire as usual.
    func expiryHold(at moment: Moment) -> Duration? {
        state.withLock { state in
            state.look(at: moment)
            return state.watch.expiryHold(at: moment.uptime)
        }
    }

    /// The sum of the steps that the due times do not follow yet; `nil` if there are none.
    func unfollowedStep(at moment: Moment) -> ClockStep? {
        state.withLock { state in
            state.look(at: moment)
            return state.step
        }
    }

    /// Notes that the due times in the store follow the clock up to this step.
    func followed(_ step: ClockStep) {
        state.withLock { state in
            guard let pending = state.step else { return }
            state.step =
                pending.distance == step.distance
                ? nil : ClockStep(distance: pending.distance - step.distance, since: pending.since)
        }
    }
}

extension SharedClockWatch.State {
    fileprivate mutating func look(at moment: Moment) {
        guard let new = watch.look(at: moment) else { return }
        step = ClockStep(distance: (step?.distance ?? .zero) + new, since: moment.now)
    }
}
