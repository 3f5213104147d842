// Notices that somebody set the machine's clock. Never reads a clock: both come in as arguments.

import OutboxCore
import Synchronization

/// Compares the clock that is stored with one that nobody can set.
///
/// A machine that was suspended is no step: the clock that counts from the boot goes on meanwhile.
struct ClockWatch {
    private var last: (now: Timestamp, uptime: Duration)?
    /// Until when, in uptime, nothing expires.
    private var expiryHeldUntil: Duration?

    /// The clock is often set by a little (NTP slews, and steps by less than this).
    static let tolerance = Duration.seconds(2)
    /// A step forward by more than this may be a mistake that is put right again in a moment.
    static let suspiciousStep = Duration.seconds(60)
    /// After such a step, nothing expires for so long.
    static let expiryHold = Duration.seconds(300)

    /// - Returns: how far the clock was set since the last look, negative for back; `nil` where it wasn't.
    mutating func look(at moment: Moment) -> Duration? {
        let (now, uptime) = (moment.now, moment.uptime)
        defer { last = (now, uptime) }
        guard let last else { return nil }
        let distance = now.timeSince(last.now) - (uptime - last.uptime)
        guard distance >= Self.tolerance || distance <= .zero - Self.tolerance else { return nil }
        if distance >= Self.suspiciousStep { expiryHeldUntil = uptime + Self.expiryHold }
        return distance
    }

    /// For how long nothing expires.
    func expiryHold(at uptime: Duration) -> Duration? {
        guard let expiryHeldUntil, expiryHeldUntil > uptime else { return nil }
        return expiryHeldUntil - uptime
    }
}

/// How the clock was set.
struct ClockStep: Hashable {
    /// How far: forward if positive, back if negative.
    let distance: Duration
    /// When it was noticed, by the clock as it is now: what is written from then on goes by that clock.
    let since: Timestamp
}

/// The clock watch of a whole process: whoever looks first notices a step, and the dispatcher acts on it.
final class SharedClockWatch: Sendable {
    fileprivate struct State {
        var watch = ClockWatch()
        var step: ClockStep?
    }

    private let state = Mutex(State())

    /// For how long nothing expires; `nil` where the clock was not set forward lately.
    func expiryHold(at moment: Moment) -> Duration? {
        state.withLock { state in
            state.look(at: moment)
            return state.watch.expiryHold(at: moment.uptime)
        }
    }

    /// The steps that nobody has followed yet, as one; `nil` where there is none.
    func unfollowedStep(at moment: Moment) -> ClockStep? {
        state.withLock { state in
            state.look(at: moment)
            return state.step
        }
    }

    /// The due times in the store follow the clock up to this step.
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
