// Permanent refusals that are not final yet, because the relay may be wrong about everybody. Pure.

import OutboxCore
import OutboxStore

/// The permanent refusals of one relay since it last accepted a message.
///
/// One that refuses everybody is itself the suspect, and then nobody must have been rejected or suppressed. So a
/// refusal is recorded only when the relay has accepted another message, or when some moments have passed without the
/// refusals becoming many.
struct HeldRejections {
    private var held: [(completion: Completion, releaseAt: Timestamp)] = []
    private var released: [Int64] = []

    /// How long a refusal waits for others.
    private let holding: Duration

    /// So many released ones are remembered, to take back what they did.
    private static let memory = 1000

    init(holding: Duration) { self.holding = holding }

    /// When the first refusal is to be released; a clock that was set back makes nobody wait longer.
    func nextRelease(_ now: Timestamp) -> Timestamp? { held.first.map { min($0.releaseAt, now + holding) } }

    mutating func hold(_ completion: Completion, now: Timestamp) {
        held.append((completion, now + holding))
    }

    /// The relay accepted a message: what it refused is refused.
    mutating func confirm() -> [Completion] {
        defer {
            held = []
            released = []
        }
        return held.map(\.completion)
    }

    /// What has waited long enough.
    mutating func release(at now: Timestamp) -> [Completion] {
        let count = held.prefix { $0.releaseAt <= now || $0.releaseAt > now + holding }.count
        let due = held.prefix(count).map(\.completion)
        held.removeFirst(count)
        released = (released + due.map(\.claim.message.id)).suffix(Self.memory)
        return due
    }

    /// The relay is the suspect.
    ///
    /// - Returns: the refusals that must not become final, and the messages whose refusal has already had consequences.
    mutating func discard() -> (held: [Completion], released: [Int64]) {
        let result = (held.map(\.completion), released)
        self = HeldRejections(holding: holding)
        return result
    }
}
