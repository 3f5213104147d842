// Permanent refusals that are not final yet, because the relay may be wrong about every recipient. Pure.

import OutboxCore
import OutboxStore

/// The permanent refusals of one relay since it last accepted a message.
///
/// A relay that refuses everybody is itself the suspect; then no message may be rejected and no address suppressed. So
/// a refusal is recorded only after the relay has accepted another message, or after a short time in which the refusals
/// stayed few.
struct HeldRejections {
    private var held: [(completion: Completion, releaseAt: Timestamp)] = []
    private var released: [Int64] = []

    /// How long a refusal waits for other results.
    private let holding: Duration

    /// How many released refusals are remembered, so that their consequences can be undone.
    private static let memory = 1000

    init(holding: Duration) { self.holding = holding }

    /// When to release the first refusal; a clock that was set back doesn't make the wait longer.
    func nextRelease(_ now: Timestamp) -> Timestamp? { held.first.map { min($0.releaseAt, now + holding) } }

    mutating func hold(_ completion: Completion, now: Timestamp) {
        held.append((completion, now + holding))
    }

    /// The relay accepted a message, so its refusals are genuine.
    mutating func confirm() -> [Completion] {
        defer {
            held = []
            released = []
        }
        return held.map(\.completion)
    }

    /// Releases the refusals that have waited long enough.
    mutating func release(at now: Timestamp) -> [Completion] {
        let count = held.prefix { $0.releaseAt <= now || $0.releaseAt > now + holding }.count
        let due = held.prefix(count).map(\.completion)
        held.removeFirst(count)
        released = (released + due.map(\.claim.message.id)).suffix(Self.memory)
        return due
    }

    /// The relay is the suspect, so its refusals don't count.
    ///
    /// - Returns: the refusals that must not become final, and the messages whose refusal has already had consequences.
    mutating func discard() -> (held: [Completion], released: [Int64]) {
        let result = (held.map(\.completion), released)
        self = HeldRejections(holding: holding)
        return result
    }
}
