// Claimed messages on their way to a lane, in order. Never touches the store.

import OutboxStore
import Synchronization

/// The claims that wait for a lane. Lanes take; the dispatcher fills up whenever it runs low.
final class ReadyQueue: Sendable {
    private struct State {
        var claims: [Claim] = []
        /// Where the next claim to take stands: taking from the front of an array would move all others.
        var head = 0
        var takers: [CheckedContinuation<Claim?, Never>] = []
        var isClosed = false

        var count: Int { claims.count - head }

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
    }

    /// Until how many claims may wait.
    let capacity: Int

    private let state = Mutex(State())
    private let onLow: @Sendable () -> Void

    /// - Parameters:
    ///   - capacity: how many claims may wait.
    ///   - onLow: called when taking leaves half of that.
    init(capacity: Int, onLow: @escaping @Sendable () -> Void) {
        self.capacity = capacity
        self.onLow = onLow
    }

    /// How many more claims may be added.
    var room: Int { state.withLock { $0.isClosed ? 0 : capacity - $0.count } }

    /// Adds claims; lanes that wait get the first ones.
    ///
    /// - Returns: the claims that were not taken over, because the queue is closed.
    func add(_ claims: [Claim]) -> [Claim] {
        var served: [(CheckedContinuation<Claim?, Never>, Claim)] = []
        let refused: [Claim] = state.withLock { state in
            guard !state.isClosed else { return claims }
            let direct = min(state.takers.count, claims.count)
            served = Array(zip(state.takers.prefix(direct), claims))
            state.takers.removeFirst(direct)
            state.claims.append(contentsOf: claims.dropFirst(direct))
            return []
        }
        for (taker, claim) in served { taker.resume(returning: claim) }
        return refused
    }

    /// The next claim, if one waits.
    func takeIfReady() -> Claim? {
        let (claim, isLow) = state.withLock { state in (state.takeFirst(), state.count == capacity / 2) }
        if isLow { onLow() }
        return claim
    }

    /// Waits for the next claim; `nil` once the queue is closed.
    func take() async -> Claim? {
        if let claim = takeIfReady() { return claim }
        return await withCheckedContinuation { taker in
            let immediate: Claim?? = state.withLock { state in
                if let claim = state.takeFirst() { return .some(claim) }
                if state.isClosed { return .some(nil) }
                state.takers.append(taker)
                return nil
            }
            if let immediate { taker.resume(returning: immediate) }
        }
    }

    /// Hands out nothing more.
    ///
    /// - Returns: the claims that no lane took.
    func close() -> [Claim] {
        let (claims, takers) = state.withLock { state in
            let claims = Array(state.claims[state.head...])
            let takers = state.takers
            state = State()
            state.isClosed = true
            return (claims, takers)
        }
        for taker in takers { taker.resume(returning: nil) }
        return claims
    }
}
