// How many claims may wait for a lane, on values.

import OutboxCore
import OutboxStore
import Testing

@testable import OutboxDelivery

@Suite struct QueueDepthTests: StateMachineFixture {
    private struct Pace: Sendable {
        let what: String
        let acceptances: Int
        let elapsed: Duration
        let limit: Int
    }

    @Test(
        "the queue is deep only after a quarter of the usual queue was accepted within 40 ms",
        arguments: [
            Pace(what: "just quick enough", acceptances: 40, elapsed: .milliseconds(40), limit: 320),
            Pace(what: "all at the same millisecond", acceptances: 40, elapsed: .zero, limit: 320),
            Pace(what: "one too few", acceptances: 39, elapsed: .milliseconds(40), limit: 160),
            Pace(what: "a millisecond too late", acceptances: 40, elapsed: .milliseconds(41), limit: 160),
            Pace(what: "the clock was set back", acceptances: 100, elapsed: .milliseconds(-1), limit: 160),
        ]
    )
    private func pace(_ pace: Pace) {
        var depth = QueueDepth(lanes: 10)
        #expect(depth.limit == 160)
        depth.added(at: now)
        for _ in 0..<pace.acceptances { depth.accepted() }
        depth.added(at: now + pace.elapsed)
        #expect(depth.limit == pace.limit, "\(pace.what)")
        // What was accepted earlier doesn't count again.
        depth.added(at: now + pace.elapsed)
        #expect(depth.limit == 160)
    }

    @Test("acceptances before the first claims of all don't make a queue deep")
    func first() {
        var depth = QueueDepth(lanes: 1)
        for _ in 0..<100 { depth.accepted() }
        depth.added(at: now)
        #expect(depth.limit == 16)
    }

    @Test("more claims are requested when half of a usual queue is free, or a third of a deep one")
    func requests() {
        var depth = QueueDepth(lanes: 1)
        #expect(!depth.isWorthRequest(8, of: 16) && depth.isWorthRequest(9, of: 16))
        depth.added(at: now)
        for _ in 0..<16 { depth.accepted() }
        depth.added(at: now)
        #expect(!depth.isWorthRequest(10, of: 32) && depth.isWorthRequest(11, of: 32))
    }

    /// - Returns: how many claims wait when the pool, which has accepted half of its queue, has got all that it has room for.
    private func waiting(after lull: Duration) throws -> Int {
        var pool = pool(connections: 2)
        var id: Int64 = 0
        func claims(_ count: Int) -> [Claim] {
            (0..<count).map { _ in
                id += 1
                return claim(id, "p@d\(id).example")
            }
        }
        _ = pool.add(claims(pool.roomForBatch(now: now)), at: .init(now: now))
        while pool.roomForBatch(now: now) == 0 {
            let next = try #require(pool.takeAtOnce(lane(1), at: .init(now: now)).claim)
            _ = pool.ended(ok, of: next, relay: 0, at: .init(now: now))
        }
        let later = now + lull
        while pool.roomForBatch(now: later) > 0 {
            _ = pool.add(claims(pool.roomForBatch(now: later)), at: .init(now: later))
        }
        return pool.queue.count
    }

    @Test("a quick relay's queue is filled to its deeper limit at once, a slow relay's is not")
    func filled() throws {
        #expect(try waiting(after: .milliseconds(10)) == 64)
        #expect(try waiting(after: .seconds(1)) == 32)
    }
}
