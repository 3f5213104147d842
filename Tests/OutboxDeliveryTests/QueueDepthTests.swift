// How many claims may wait in the pool's queue, on values.

import OutboxCore
import OutboxStore
import SMTPTransport
import Testing

@testable import OutboxDelivery

@Suite struct QueueDepthTests: StateMachineFixture {
    private struct Pace: Sendable {
        let what: String
        /// The time between two acceptances.
        let gap: Duration
        let acceptances: Int
        let limit: Int
    }

    @Test(
        "the queue is deep after a quarter of the usual queue was accepted within 40 ms",
        arguments: [
            Pace(what: "just quick enough", gap: .milliseconds(1), acceptances: 41, limit: 320),
            Pace(what: "all in the same millisecond", gap: .zero, acceptances: 41, limit: 320),
            Pace(what: "one too few", gap: .milliseconds(1), acceptances: 40, limit: 160),
            Pace(what: "too slow, however many", gap: .milliseconds(2), acceptances: 500, limit: 160),
            Pace(what: "the clock runs back", gap: .milliseconds(-1), acceptances: 500, limit: 160),
        ]
    )
    private func pace(_ pace: Pace) {
        var depth = QueueDepth(lanes: 10)
        var time = now
        #expect(depth.limit(at: time) == 160)
        for number in 1...pace.acceptances {
            if number > 1 { time = time + pace.gap }
            depth.accepted(at: time)
        }
        #expect(depth.limit(at: time) == pace.limit, "\(pace.what)")
    }

    @Test("a quick pace counts for a second, and not before itself if the clock is set back")
    func memory() {
        var depth = QueueDepth(lanes: 1)
        for _ in 1...5 { depth.accepted(at: now) }
        #expect(depth.limit(at: now + .milliseconds(999)) == 32)
        #expect(depth.limit(at: now + .seconds(1)) == 16)
        #expect(depth.limit(at: now - .milliseconds(1)) == 16)
    }

    @Test("a burst after a lull is measured from its own beginning")
    func lull() {
        var depth = QueueDepth(lanes: 10)
        for _ in 1...30 { depth.accepted(at: now) }
        let later = now + .seconds(3600)
        for _ in 1...50 { depth.accepted(at: later) }
        #expect(depth.limit(at: later) == 160, "the first 11 belong to the time before")
        depth.accepted(at: later)
        #expect(depth.limit(at: later) == 320)
    }

    @Test("more claims are requested when half of a usual queue is free, or a third of a deep one")
    func requests() {
        let depth = QueueDepth(lanes: 1)
        #expect(!depth.isWorthRequest(8, of: 16) && depth.isWorthRequest(9, of: 16))
        #expect(!depth.isWorthRequest(10, of: 32) && depth.isWorthRequest(11, of: 32))
        #expect(!depth.isWorthRequest(4, of: 8), "a rate makes the queue shorter")
    }

    /// A pool of two lanes that has just accepted ten mails, with the claims that it has room for.
    private func quickPool(rate: Double? = nil) throws -> RelayPool.StateMachine {
        var pool = pool(connections: 2)
        if let rate { pool.relays[0].relay.smtp.configuration.rate = rate }
        var id: Int64 = 0
        func fill() {
            while pool.roomForBatch(now: now) > 0 {
                let claims = (0..<pool.roomForBatch(now: now)).map { _ in
                    id += 1
                    return claim(id, "p@d\(id).example")
                }
                _ = pool.add(claims, at: .init(now: now))
            }
        }
        fill()
        for _ in 1...10 {
            let next = try #require(pool.takeAtOnce(lane(1), at: .init(now: now)).claim)
            _ = pool.ended(ok, of: next, relay: 0, at: .init(now: now))
        }
        fill()
        return pool
    }

    @Test("a quick relay's queue is filled to its deeper limit, that of a relay with a rate is not")
    func filled() throws {
        #expect(try quickPool().queue.count == 64)
        #expect(try quickPool(rate: 100).queue.count <= 32)
    }

    @Test("a relay that was quick a second ago gets no more claims than the usual queue holds")
    func lapsed() throws {
        var pool = try quickPool()
        let later = now + .seconds(1)
        while pool.roomForBatch(now: later) == 0 {
            let next = try #require(pool.takeAtOnce(lane(1), at: .init(now: later)).claim)
            // Refusals of a few: nothing here is quick.
            _ = pool.endedUnsent(
                Completion(claim: next, outcome: .expiredUnsent, relay: nil, finishedAt: later),
                relay: 0,
                at: .init(now: later)
            )
        }
        #expect(pool.queue.count == 15 && pool.roomForBatch(now: later) == 17)
    }

    @Test("the dispatcher is woken when the last urgent claim has left the queue, not when the others do")
    func urgent() throws {
        var pool = try quickPool()
        let urgent = (1001...1002).map { claim(Int64($0), "p@d\($0).example", priority: 5) }
        #expect(pool.roomForUrgent(priority: 5) == 2)
        _ = pool.add(urgent, at: .init(now: now))
        #expect(pool.roomForUrgent(priority: 5) == 0)
        var wakes: [Bool] = []
        for _ in 1...4 {
            let (next, actions) = pool.takeAtOnce(lane(1), at: .init(now: now))
            let ended = pool.ended(ok, of: try #require(next), relay: 0, at: .init(now: now))
            wakes.append(actions.wakesDispatcher || ended.wakesDispatcher)
        }
        #expect(wakes == [false, true, false, false])
        #expect(pool.roomForUrgent(priority: 5) == 2)
    }
}
