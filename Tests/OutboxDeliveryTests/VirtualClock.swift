// A clock that a test moves. Sleepers wake at their times, in order.

import OutboxCore
import OutboxDelivery
import Synchronization
import TestSupport

/// Time that stands still until a test moves it.
final class VirtualClock: Sendable {
    private struct Sleeper {
        let id: UInt64
        let wakesAt: Timestamp
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Timestamp
        var steps = Duration.zero
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
        var cancelled: Set<UInt64> = []
    }

    private let state: Mutex<State>

    private let start: Timestamp

    init(now: Timestamp) {
        start = now
        state = Mutex(State(now: now))
    }

    var now: Timestamp { state.withLock(\.now) }

    /// The time since the test began, which ``set(by:)`` does not change.
    var uptime: Duration { state.withLock { $0.now.timeSince(start) - $0.steps } }

    /// Sets the clock, like an operator or NTP: no sleep gets shorter or longer.
    func set(by step: Duration) {
        state.withLock { state in
            state.now = state.now + step
            state.steps += step
            state.sleepers = state.sleepers.map { sleeper in
                Sleeper(id: sleeper.id, wakesAt: sleeper.wakesAt + step, continuation: sleeper.continuation)
            }
        }
    }

    /// When the next sleeper wakes.
    var nextWake: Timestamp? { state.withLock { $0.sleepers.map(\.wakesAt).min() } }

    func advance(to moment: Timestamp) {
        let due: [Sleeper] = state.withLock { state in
            state.now = max(state.now, moment)
            let due = state.sleepers.filter { $0.wakesAt <= state.now }
            state.sleepers.removeAll { $0.wakesAt <= state.now }
            return due.sorted { $0.wakesAt < $1.wakesAt }
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    func sleep(_ duration: Duration) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return true }
                    let wakesAt = state.now + max(duration, .milliseconds(1))
                    state.sleepers.append(Sleeper(id: id, wakesAt: wakesAt, continuation: continuation))
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper: Sleeper? = state.withLock { state in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Delivery's environment with this clock, and randomness from a seed.
    func environment(seed: UInt64) -> DeliveryEnvironment {
        let chance = SharedChance(seed: seed)
        return DeliveryEnvironment(
            now: { self.now },
            uptime: { self.uptime },
            sleep: { try await self.sleep($0) },
            chance: { chance.draw() }
        )
    }
}

/// Random numbers for several tasks: the same seed gives the same sequence.
final class SharedChance: Sendable {
    private let generator: Mutex<SplitMix>

    init(seed: UInt64) { generator = Mutex(SplitMix(seed: seed)) }

    /// A number from 0 up to but not including 1. Each draw advances the generator once, unlike
    /// Double.random(in:using:), which may advance it repeatedly.
    func draw() -> Double { Double(generator.withLock { $0.next() } >> 11) * 0x1p-53 }
}
