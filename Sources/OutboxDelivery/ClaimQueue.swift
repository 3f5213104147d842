// Claimed messages that wait for a lane, in order. Knows neither lanes nor the store.

import OutboxCore
import OutboxStore

/// First in, first out; what was withdrawn is left out.
struct ClaimQueue {
    private var claims: [Claim] = []
    /// Where the next claim to take stands: taking from the front of an array would move all others.
    private var head = 0

    var count: Int { claims.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ more: some Sequence<Claim>) { claims.append(contentsOf: more) }

    mutating func takeFirst() -> Claim? {
        guard head < claims.count else { return nil }
        let claim = claims[head]
        head += 1
        if head == claims.count {
            claims.removeAll(keepingCapacity: true)
            head = 0
        }
        return claim
    }

    mutating func takeAll() -> [Claim] {
        let all = Array(claims[head...])
        self = ClaimQueue()
        return all
    }

    /// Takes out the claims of these messages.
    mutating func take(messages ids: Set<Int64>) -> [Claim] {
        let all = takeAll()
        claims = all.filter { !ids.contains($0.message.id) }
        return all.filter { ids.contains($0.message.id) }
    }
}
