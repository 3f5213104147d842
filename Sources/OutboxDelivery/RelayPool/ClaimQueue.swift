// The claimed messages that wait for a lane, highest priority first. Knows neither lanes nor the store.

import OutboxCore
import OutboxStore

/// Highest priority first; first in, first out within a priority. Skips withdrawn claims.
struct ClaimQueue {
    private var claims: [Claim] = []
    /// The index of the next claim: removing from the front of an array would move all other elements.
    private var head = 0

    var count: Int { claims.count - head }
    var isEmpty: Bool { count == 0 }

    /// The priority of the last claim in the queue; `nil` if the queue is empty.
    var lowestPriority: Int? { isEmpty ? nil : claims.last?.priority }

    /// The number of waiting claims with this priority or a higher one.
    func count(fromPriority priority: Int) -> Int { claims[head...].prefix { $0.priority >= priority }.count }

    mutating func append(_ more: some Sequence<Claim>) {
        for claim in more {
            if isEmpty || claims[claims.count - 1].priority >= claim.priority {
                claims.append(claim)
            } else {
                let place = claims[head...].firstIndex { $0.priority < claim.priority } ?? claims.count
                claims.insert(claim, at: place)
            }
        }
    }

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

    /// The index of the first matching claim; valid until the queue changes.
    func firstPlace(where fits: (Claim) -> Bool) -> Int? { claims[head...].firstIndex(where: fits) }

    /// Removes and returns the claim at an index.
    mutating func take(at place: Int) -> Claim {
        if place == head, let first = takeFirst() { return first }
        return claims.remove(at: place)
    }

    /// Removes and returns all matching claims. The predicate is called once for each claim, in order: a claim that
    /// both stayed and was taken out would be sent twice.
    mutating func takeAll(where fits: (Claim) -> Bool) -> [Claim] {
        var taken: [Claim] = []
        claims = takeAll().filter { claim in
            let isTaken = fits(claim)
            if isTaken { taken.append(claim) }
            return !isTaken
        }
        return taken
    }

    mutating func takeAll() -> [Claim] {
        let all = Array(claims[head...])
        self = ClaimQueue()
        return all
    }

    /// Removes and returns the claims of these messages.
    mutating func take(messages ids: Set<Int64>) -> [Claim] {
        takeAll { ids.contains($0.message.id) }
    }
}
