// What the relay pool's state machine decides, on values: each event in, its actions out.

import OutboxCore
import OutboxStore
import SMTPTransport
import Testing

@testable import OutboxDelivery

@Suite struct ConnectionLimitTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)

    private func learns(_ limit: inout ConnectionLimit, _ open: Int, _ connecting: Int) -> Int? {
        limit.accepted(open: open, connecting: connecting, now: now)
    }

    @Test("a connection that is refused beside five open ones shows the limit as soon as the relay accepts something")
    func learned() {
        var limit = ConnectionLimit()
        limit.refused(open: 3, now: now)
        #expect(limit.permitsAnother(open: 9, now: now))
        #expect(learns(&limit, 4, 1) == nil, "one of them may still be taken")
        #expect(learns(&limit, 5, 0) == 5)
        #expect(learns(&limit, 5, 0) == nil, "said once")
        #expect(limit.permitsAnother(open: 4, now: now) && !limit.permitsAnother(open: 5, now: now))
    }

    @Test("one more is tried half a minute later, and ever more rarely while it is refused")
    func grows() {
        var limit = ConnectionLimit()
        limit.refused(open: 5, now: now)
        _ = limit.accepted(open: 5, connecting: 0, now: now)
        #expect(!limit.permitsAnother(open: 5, now: now + .seconds(29)))
        let later = now + .seconds(30)
        #expect(limit.permitsAnother(open: 5, now: later))
        limit.refused(open: 5, now: later)
        #expect(!limit.permitsAnother(open: 5, now: later + .seconds(59)))
        #expect(limit.permitsAnother(open: 5, now: later + .seconds(60)))
        limit.opened(6, now: later + .seconds(60))
        #expect(limit.value == 6)
    }

    @Test("refusals before the relay went down show no limit")
    func forgotten() {
        var limit = ConnectionLimit()
        limit.refused(open: 1, now: now)
        limit.forget()
        #expect(learns(&limit, 1, 0) == nil && limit.permitsAnother(open: 9, now: now))
    }
}

@Suite struct RelayPoolStateMachineTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)

    private func claim(_ id: Int64, _ address: String = "ann@example.com", uncertainAttempts: Int = 0) -> Claim {
        Claim(
            message: Message(
                id: id,
                kind: "verify-email",
                recipient: address,
                token: Token("t"),
                envelopeID: "e",
                requestedAt: now
            ),
            sequence: id,
            address: address,
            priority: 0,
            attempt: uncertainAttempts + 1,
            usedUp: uncertainAttempts + 1,
            uncertainAttempts: uncertainAttempts,
            claimedAt: now
        )
    }

    private func judge() -> Judge {
        Judge(schedule: RetrySchedule(jitter: 0))
    }

    private func pool(relays count: Int = 1, connections: Int = 2) -> RelayPool.StateMachine {
        let relays = (0..<count).map { number in
            DeliveryRelay(
                SMTPRelay(name: "relay\(number)", url: "smtp://127.0.0.1:1", replyTimeout: .seconds(60)),
                connections: connections
            )
        }
        return RelayPool.StateMachine(
            relays: relays,
            schedule: RetrySchedule(jitter: 0),
            holding: .seconds(2),
            now: now
        )
    }

    private func take(_ pool: inout RelayPool.StateMachine, _ lane: Int, of relay: Int = 0, at now: Timestamp? = nil)
        -> Claim?
    {
        pool.takeAtOnce(LaneID(relay: relay, number: lane), at: .init(now: now ?? self.now)).claim
    }

    private func failure(_ reply: String, at stage: SMTPStage) throws -> TransmissionResult {
        let reply = try #require(SMTPReply(lines: [reply]))
        return .failed(TransmissionFailure(stage: stage, fault: .reply(reply), detail: reply.description))
    }

    @Test("after the second uncertain attempt the mail is repeated no sooner than 5, then 15 minutes later")
    func uncertain() throws {
        let failure = TransmissionFailure(stage: .finalDot, fault: .timedOut, detail: "", isUncertain: true)
        let judged = JudgedFailure(failure: failure, verdict: FailurePolicy.verdict(for: failure), isUsedUp: true)
        let delays = (0...4).map { earlier -> Duration? in
            var judge = judge()
            let completion = judge.again(judged, claim(1, uncertainAttempts: earlier), relay: "r", now: now)
            guard case .deferred(_, let next) = completion.outcome else { return nil }
            return next.timeSince(now)
        }
        #expect(delays == [.seconds(5), .seconds(300), .seconds(900), .seconds(900), .seconds(900)])
    }

    @Test("a relay whose lanes wait at the final dot for longer than other answers may take is late, until it answers")
    func lateAtTheDot() {
        var pool = pool(relays: 2, connections: 1)
        let waiting = claim(1)
        pool.queue.append([waiting, claim(2)])
        #expect(take(&pool, 1) == waiting)
        _ = pool.awaitsAcceptance(of: 1, at: .init(now: now))
        pool.queue = ClaimQueue()
        let next = pool.nextMoment(after: now)
        #expect(next == now + .seconds(60))
        pool.queue.append([claim(2)])
        _ = pool.timePassed(at: .init(now: now + .seconds(59)))
        #expect(pool.preferred == 0)
        _ = pool.timePassed(at: .init(now: now + .seconds(60)))
        #expect(pool.preferred == 1)
        let elsewhere = take(&pool, 1, of: 1, at: now + .seconds(60))
        #expect(elsewhere == claim(2))
        let reply = SMTPReply(code: 250, text: "Ok")
        _ = pool.ended(.accepted(reply), of: waiting, relay: 0, at: .init(now: now + .seconds(400)))
        #expect(pool.preferred == 0)
    }

    @Test("a lane that can't connect beside others waits, the message goes to another lane, and nobody is blamed")
    func connectionRefused() throws {
        var pool = pool(connections: 3)
        pool.queue.append([claim(1, "a@one.example"), claim(2, "b@two.example"), claim(3, "c@one.example")])
        _ = take(&pool, 1)
        _ = pool.connectionOpened(LaneID(relay: 0, number: 1), message: 1, at: .init(now: now))
        let second = take(&pool, 2)
        let refused = try #require(second)
        var actions = pool.ended(
            try failure("421 4.7.0 too many connections", at: .connect),
            of: refused,
            relay: 0,
            at: .init(now: now)
        )
        #expect(pool.relays[0].health.isUp)
        guard case .deferred(let judged, let next) = actions.completions.last?.outcome else {
            Issue.record("the message stays open")
            return
        }
        #expect(!judged.isUsedUp && next == now)
        #expect(take(&pool, 2) == nil, "the lane rests")
        actions = pool.ended(
            .accepted(SMTPReply(code: 250, text: "Ok")),
            of: claim(1, "a@one.example"),
            relay: 0,
            at: .init(now: now)
        )
        #expect(actions.limits.map(\.connections) == [1])
        #expect(take(&pool, 3) == nil, "one connection is what it takes")
        #expect(take(&pool, 1)?.message.id == 3)
    }

    @Test("the only lane that can't connect shows that the relay is down")
    func connectionRefusedAlone() throws {
        var pool = pool(connections: 3)
        pool.queue.append([claim(1)])
        _ = take(&pool, 1)
        let result = try failure("421 4.3.2 closed", at: .connect)
        _ = pool.ended(result, of: claim(1), relay: 0, at: .init(now: now))
        #expect(!pool.relays[0].health.takesMessages)
    }

    @Test("a domain of which nothing is known leaves lanes to others; one that works gets all")
    func lanesOfADomain() {
        var pool = pool(connections: 3)
        pool.queue.append((1...4).map { claim($0, "p\($0)@new.example") } + [claim(5, "p@other.example")])
        #expect(take(&pool, 1)?.message.id == 1)
        #expect(take(&pool, 2)?.message.id == 5)
        #expect(take(&pool, 3) == nil)
        let reply = SMTPReply(code: 250, text: "Ok")
        for id: Int64 in [1, 5] {
            let done = claim(id, "p\(id)@new.example")
            _ = pool.ended(.accepted(reply), of: done, relay: 0, at: .init(now: now))
        }
        #expect((1...3).map { take(&pool, $0)?.message.id } == [2, 3, 4])
    }

    @Test("of a silent domain's messages four wait for a lane, and exactly the others are given back")
    func sentAside() {
        var pool = pool(connections: 4)
        pool.queue.append([claim(100, "slow@silent.example")])
        _ = take(&pool, 1)
        let timedOut = TransmissionFailure(stage: .rcpt, fault: .timedOut, detail: "")
        let first = claim(100, "slow@silent.example")
        _ = pool.ended(.failed(timedOut), of: first, relay: 0, at: .init(now: now))
        let more = (1...30).map { claim($0, "p\($0)@silent.example") } + [claim(31, "honest@other.example")]
        let actions = pool.add(more, at: .init(now: now)).actions
        let returned = actions.completions.map(\.claim.message.id)
        let waiting = pool.queue.takeAll().map(\.message.id)
        #expect(waiting == [1, 2, 3, 4, 31])
        #expect(returned == Array(5...30))
        #expect(actions.completions.allSatisfy { $0.outcome == .returnedUnsent(until: now + .seconds(10)) })
    }

    @Test("a relay that is slowed to its rate is probed as soon as the rate allows, and keeps no other one waiting")
    func slowedProbe() throws {
        var pool = pool()
        pool.relays[0].bucket = TokenBucket(rate: 0.5, now: now)
        pool.queue.append([claim(1)])
        _ = take(&pool, 1)
        let closed = try failure("421 4.3.2 closed", at: .connect)
        _ = pool.ended(closed, of: claim(1), relay: 0, at: .init(now: now))
        let later = now + .seconds(1)
        _ = pool.add([claim(1)], at: .init(now: later))
        let next = pool.nextMoment(after: later)
        #expect(next == now + .seconds(2), "the bucket's next token")
    }

    @Test("a relay that can't be reached is down at its first failure, although other lanes are on the way to it")
    func unreachable() {
        var pool = pool(connections: 3)
        pool.queue.append([claim(1, "a@one.example"), claim(2, "b@two.example")])
        _ = (take(&pool, 1), take(&pool, 2))
        let timedOut = TransmissionFailure(stage: .connect, fault: .timedOut, detail: "")
        _ = pool.ended(.failed(timedOut), of: claim(1), relay: 0, at: .init(now: now + .seconds(1)))
        #expect(!pool.relays[0].health.takesMessages)
    }

    @Test("a relay's quota delays its messages no longer than until the next look, should it be lifted")
    func quota() throws {
        var pool = pool()
        pool.queue.append([claim(1)])
        _ = take(&pool, 1)
        let quota = try failure("550 5.4.5 Daily user sending limit exceeded", at: .data)
        let actions = pool.ended(quota, of: claim(1), relay: 0, at: .init(now: now))
        guard case .deferred(_, let next) = actions.completions.last?.outcome else {
            Issue.record("the message stays open")
            return
        }
        #expect(next <= now + .seconds(11))
        #expect(pool.relays[0].health.probesAt(now) == now + .seconds(900))
    }

    @Test("a refusal by a relay that refuses everybody is no second opinion")
    func provisional() throws {
        var pool = pool(relays: 2, connections: 4)
        let refused = try failure("554 5.7.1 No", at: .finalDot)
        for id: Int64 in 1...3 {
            let claim = claim(id, "p\(id)@d\(id).example")
            pool.queue.append([claim])
            _ = take(&pool, Int(id))
            _ = pool.ended(refused, of: claim, relay: 0, at: .init(now: now))
        }
        #expect(pool.relays[0].health.state == .suspected)
        let third = claim(3, "p3@d3.example")
        pool.queue.append([third])
        let again = take(&pool, 1, of: 1)
        #expect(again == third)
        let actions = pool.ended(refused, of: third, relay: 1, at: .init(now: now))
        guard case .deferred = actions.completions.last?.outcome else {
            Issue.record("one relay's word alone is not final")
            return
        }
    }

    // MARK: Lanes and relays

    private func lane(_ number: Int, of relay: Int = 0) -> LaneID { LaneID(relay: relay, number: number) }

    private func assigned(_ actions: RelayPool.StateMachine.Actions) -> [LaneID: Int64?] {
        Dictionary(uniqueKeysWithValues: actions.assignments.map { ($0.lane, $0.claim?.message.id) })
    }

    private let ok = TransmissionResult.accepted(SMTPReply(code: 250, text: "Ok"))

    @Test("a claim goes to the preferred relay's lane that was idle last, and to no other relay while that one is up")
    func preference() {
        var pool = pool(relays: 2, connections: 3)
        for relay in 0...1 {
            for number in 1...2 {
                #expect(pool.awaitsClaim(lane(number, of: relay), at: .init(now: now)).assignments.isEmpty)
            }
        }
        let first = pool.add([claim(1, "a@one.example")], at: .init(now: now))
        #expect(assigned(first.actions) == [lane(2): 1])
        let more = pool.add([claim(2, "b@two.example"), claim(3, "c@three.example")], at: .init(now: now))
        #expect(assigned(more.actions) == [lane(1): 2], "the third waits for the preferred relay")
        #expect(pool.underWay == 3)
    }

    @Test("a relay that is down passes its claims on, is probed by one message after its pause, and is preferred again")
    func failover() throws {
        var pool = pool(relays: 2)
        let closed = try failure("421 4.3.2 closed", at: .connect)
        _ = pool.add([claim(1)], at: .init(now: now))
        _ = take(&pool, 1)
        let down = pool.ended(closed, of: claim(1), relay: 0, at: .init(now: now))
        #expect(down.statuses.map(\.position) == [1] && down.changes.map(\.relay) == [0])
        #expect(down.nextMoment == now + .seconds(1))
        _ = pool.awaitsClaim(lane(1), at: .init(now: now))
        _ = pool.awaitsClaim(lane(1, of: 1), at: .init(now: now))
        #expect(assigned(pool.add([claim(1)], at: .init(now: now)).actions) == [lane(1, of: 1): 1])
        let later = now + .seconds(1)
        let probe = pool.add([claim(2), claim(3)], at: .init(now: later))
        #expect(assigned(probe.actions) == [lane(1): 2])
        _ = pool.awaitsClaim(lane(2), at: .init(now: later))
        #expect(pool.queue.count == 1, "one message finds out; the other one waits for the second relay")
        let back = pool.ended(ok, of: claim(2), relay: 0, at: .init(now: later))
        #expect(pool.preferred == 0 && assigned(back) == [lane(2): 3])
    }

    @Test("with no relay up, what waits is given back, and there is room for probes only")
    func noneUp() throws {
        var pool = pool()
        _ = pool.add([claim(1), claim(2), claim(3)], at: .init(now: now))
        _ = take(&pool, 1)
        let actions = pool.ended(
            try failure("421 4.3.2 closed", at: .connect),
            of: claim(1),
            relay: 0,
            at: .init(now: now)
        )
        let returned = actions.completions.filter { $0.outcome == .returnedUnsent(until: nil) }
        #expect(returned.map(\.claim.message.id) == [2, 3] && pool.queue.isEmpty)
        #expect(pool.roomForBatch(now: now) == 0)
        #expect(pool.roomForBatch(now: now + .seconds(1)) == 1)
        #expect(pool.timePassed(at: .init(now: now + .seconds(1))).wakesDispatcher)
    }

    @Test("more claims are asked for when half of what may wait is gone, not before")
    func batches() {
        var pool = pool(connections: 2)
        let capacity = pool.capacity
        #expect(pool.roomForBatch(now: now) == capacity)
        let claims = (1...Int64(capacity)).map { claim($0, "p@d\($0).example") }
        _ = pool.add(claims, at: .init(now: now))
        var woke: [Int] = []
        for taken in 1...capacity {
            let (next, actions) = pool.takeAtOnce(lane(1), at: .init(now: now))
            guard let next else {
                Issue.record("the queue holds \(capacity - taken + 1) more")
                return
            }
            let ended = pool.ended(ok, of: next, relay: 0, at: .init(now: now))
            if actions.wakesDispatcher || ended.wakesDispatcher { woke.append(taken) }
        }
        #expect(woke == [capacity / 2 + 1])
    }

    @Test("a rate lets one claim go a second, and the next moment is the next one's")
    func rate() {
        var pool = pool(connections: 4)
        pool.relays[0].bucket = TokenBucket(rate: 1, now: now)
        _ = pool.add((1...3).map { claim($0, "p@d\($0).example") }, at: .init(now: now))
        #expect(take(&pool, 1)?.message.id == 1)
        let (second, actions) = pool.takeAtOnce(lane(2), at: .init(now: now))
        #expect(second == nil && actions.nextMoment == now + .seconds(1))
        #expect(take(&pool, 2, at: now + .seconds(1))?.message.id == 2)
    }

    @Test("20 unknown recipients in a row make the relay suspected: none of them is rejected or suppressed")
    func suspicion() throws {
        var pool = pool(connections: 40)
        let unknown = try failure("550 5.1.1 <p@example.com>: user unknown", at: .rcpt)
        var completions: [Completion] = []
        for id: Int64 in 1...20 {
            _ = pool.add([claim(id, "p\(id)@d\(id).example")], at: .init(now: now))
            let taken = take(&pool, Int(id))
            let claim = try #require(taken)
            completions += pool.ended(unknown, of: claim, relay: 0, at: .init(now: now)).completions
        }
        #expect(pool.relays[0].health.state == .suspected)
        #expect(completions.count == 20)
        for completion in completions {
            guard case .deferred(let judged, _) = completion.outcome else {
                Issue.record("\(completion)")
                return
            }
            #expect(judged.verdict.reason == .refusesEverybody && !judged.isUsedUp)
        }
    }

    @Test("a rejection is held until the relay has accepted another message, or its time is over")
    func held() throws {
        var pool = pool(connections: 4)
        let unknown = try failure("550 5.1.1 <p@example.com>: user unknown", at: .rcpt)
        func refuse(_ id: Int64) throws -> [Completion] {
            _ = pool.add([claim(id, "p\(id)@d\(id).example")], at: .init(now: now))
            let taken = take(&pool, Int(id))
            return pool.ended(unknown, of: try #require(taken), relay: 0, at: .init(now: now)).completions
        }
        #expect(try refuse(1).isEmpty)
        #expect(pool.timePassed(at: .init(now: now + .seconds(2))).completions.map(\.claim.message.id) == [1])
        #expect(try refuse(2).isEmpty)
        _ = pool.add([claim(3, "c@three.example")], at: .init(now: now))
        _ = take(&pool, 3)
        let accepted = pool.ended(ok, of: claim(3, "c@three.example"), relay: 0, at: .init(now: now))
        #expect(Set(accepted.completions.map(\.claim.message.id)) == [2, 3])
    }

    @Test(
        "a clock that is set back keeps no relay paused, no rejection held and no lane resting until the old time comes"
    )
    func clockSetBack() throws {
        var pool = pool(relays: 2)
        _ = pool.add([claim(1)], at: .init(now: now))
        _ = take(&pool, 1)
        _ = pool.ended(try failure("421 4.3.2 closed", at: .connect), of: claim(1), relay: 0, at: .init(now: now))
        let unknown = try failure("550 5.1.1 <p@example.com>: user unknown", at: .rcpt)
        _ = pool.add([claim(2, "b@two.example")], at: .init(now: now))
        _ = take(&pool, 1, of: 1)
        _ = pool.ended(unknown, of: claim(2, "b@two.example"), relay: 1, at: .init(now: now))
        let before = now - .seconds(86_400)
        let next = pool.nextMoment(after: before)
        #expect(next.map { $0 <= before + .seconds(2) } == true)
        let actions = pool.timePassed(at: .init(now: before + .seconds(2)))
        #expect(actions.completions.map(\.claim.message.id) == [2])
        _ = pool.awaitsClaim(lane(1), at: .init(now: before + .seconds(2)))
        let probe = pool.add([claim(3, "c@three.example")], at: .init(now: before + .seconds(2)))
        #expect(assigned(probe.actions) == [lane(1): 3])
    }

    @Test("a message that became void while a lane had it is told to the lane, and one that waits comes back")
    func void() {
        var pool = pool()
        _ = pool.add([claim(1), claim(2)], at: .init(now: now))
        _ = take(&pool, 1)
        let actions = pool.withdraw([1, 2], as: .cancelledUnsent, at: .init(now: now))
        #expect(actions.completions.map(\.claim.message.id) == [2])
        #expect(pool.voidOutcome(of: claim(1)) == .cancelledUnsent)
        let done = Completion(claim: claim(1), outcome: .cancelledUnsent, relay: nil, finishedAt: now)
        #expect(pool.endedUnsent(done, relay: 0, at: .init(now: now)).completions == [done])
        #expect(pool.underWay == 0 && pool.voidOutcome(of: claim(1)) == nil)
    }

    @Test("a closed pool gives back what waits, ends the lanes that wait and those that come, and takes nothing more")
    func closed() {
        var pool = pool(relays: 2)
        _ = pool.awaitsClaim(lane(1, of: 1), at: .init(now: now))
        _ = pool.add([claim(1)], at: .init(now: now))
        let (returned, actions) = pool.close(at: .init(now: now))
        #expect(returned == [claim(1)] && assigned(actions) == [lane(1, of: 1): nil])
        #expect(assigned(pool.awaitsClaim(lane(1), at: .init(now: now))) == [lane(1): nil])
        #expect(pool.add([claim(2)], at: .init(now: now)).refused == [claim(2)])
    }

    // MARK: One's trouble is not the others'

    @Test("thirty domains that are known to be silent leave room for an honest mail in the queue", arguments: [2, 10])
    func silentDomains(connections: Int) {
        var pool = pool(connections: connections)
        for number in 1...30 {
            _ = pool.relays[0].evidence.failed(message: Int64(number), domain: "silent\(number).example", .silence)
        }
        pool.relays[0].evidence.accepted(domain: "good.example", order: 1, at: now)
        var next: Int64 = 1000
        for _ in 1...200 {
            let room = pool.roomForBatch(now: now)
            guard room > 0 else { break }
            let claims = (0..<room).map { _ in
                next += 1
                return claim(next, "p\(next)@silent\(next % 30 + 1).example")
            }
            _ = pool.add(claims, at: .init(now: now))
        }
        #expect(pool.roomForBatch(now: now) > 0)
    }

    @Test("one message finds out whether a domain works of which nothing is known; then it gets all lanes")
    func unknownDomain() {
        var pool = pool(connections: 10)
        _ = pool.add((1...30).map { claim($0, "p\($0)@new.example") }, at: .init(now: now))
        #expect(take(&pool, 1)?.message.id == 1)
        #expect(take(&pool, 2) == nil)
        _ = pool.ended(ok, of: claim(1, "p1@new.example"), relay: 0, at: .init(now: now))
        #expect((1...10).map { take(&pool, $0)?.message.id } == Array(2...11))
    }

    @Test("a domain that worked some time ago gets the last lane, whatever hangs on the others")
    func lastLane() {
        var pool = pool(connections: 2)
        pool.relays[0].evidence.accepted(domain: "good.example", order: 1, at: now)
        let later = now + .seconds(40)
        _ = pool.add([claim(1, "a@unknown.example")], at: .init(now: later))
        #expect(take(&pool, 1, at: later)?.message.id == 1)
        let evenLater = later + .seconds(10)
        let added = pool.add([claim(2, "b@good.example"), claim(3, "c@good.example")], at: .init(now: evenLater))
        #expect(added.actions.completions.isEmpty, "nothing of it is put aside")
        #expect(take(&pool, 2, at: evenLater)?.message.id == 2)
    }

    @Test("one slow mail does not slow its domain's other mail, which is accepted meanwhile")
    func oneSlowMail() {
        var pool = pool(connections: 10)
        pool.relays[0].evidence.accepted(domain: "big.example", order: 1, at: now)
        _ = pool.add((1...2).map { claim($0, "p\($0)@big.example") }, at: .init(now: now))
        _ = (take(&pool, 1), take(&pool, 2))
        _ = pool.ended(ok, of: claim(2, "p2@big.example"), relay: 0, at: .init(now: now + .seconds(6)))
        let later = now + .seconds(7)
        let added = pool.add((3...60).map { claim($0, "p\($0)@big.example") }, at: .init(now: later))
        #expect(added.actions.completions.isEmpty)
        #expect(pool.timePassed(at: .init(now: later)).completions.isEmpty)
        for number in 2...10 { #expect(take(&pool, number, at: later) != nil) }
    }

    @Test("a mail that hangs alone leaves a second lane to its domain's next one")
    func secondLane() {
        var pool = pool(connections: 10)
        _ = pool.add([claim(1, "poison@corp.example")], at: .init(now: now))
        _ = take(&pool, 1)
        let later = now + .seconds(10)
        _ = pool.add([claim(2, "ann@corp.example")], at: .init(now: later))
        #expect(take(&pool, 2, at: later)?.message.id == 2)
    }

    @Test("of a relay with a low rate, mail for hanging domains leaves the queue to others")
    func rateAndHangingDomain() {
        var pool = pool(connections: 10)
        pool.relays[0].configuration.rate = 1
        _ = pool.add((1...3).map { claim($0, "p\($0)@hangs.example") }, at: .init(now: now))
        _ = take(&pool, 1)
        let later = now + .seconds(6)
        let aside = pool.timePassed(at: .init(now: later)).completions
        #expect(pool.roomForBatch(now: later) > 0, "\(aside.count) put aside")
        #expect(pool.queue.count == 1, "one has its turn")
    }

    @Test("a probe is no mail for a silent domain, where another one is there")
    func probeOfAnother() throws {
        var pool = pool(relays: 2)
        _ = pool.relays[1].evidence.failed(message: 9, domain: "silent.example", .silence)
        var ignored = RelayPool.StateMachine.Actions()
        let trouble = RelayTrouble(scope: .relay, reason: .timedOut, stage: .connect, detail: "", reply: nil)
        pool.handle(.failed(trouble, pause: nil), relay: 0, now: now, &ignored)
        _ = pool.add([claim(1, "a@silent.example"), claim(2, "b@good.example")], at: .init(now: now))
        let probe = pool.awaitsClaim(lane(1), at: .init(now: now + .seconds(1)))
        #expect(assigned(probe) == [lane(1): 2])
    }

    @Test("of what the preferred relay has refused, the idle lanes of the next one get what they can take at once")
    func refusedByThePreferredOne() {
        var pool = pool(relays: 2, connections: 10)
        for number in 1...10 { _ = pool.awaitsClaim(lane(number, of: 1), at: .init(now: now)) }
        for id: Int64 in 1...100 {
            pool.evidence.addRefusal(of: id, relay: 0, order: Int(id), now: now, isProvisional: false)
        }
        let actions = pool.add((1...100).map { claim($0, "p\($0)@corp\($0).example") }, at: .init(now: now)).actions
        #expect(actions.assignments.count == 9, "one lane is left to domains that work")
        let pauses = Set(actions.completions.map(\.outcome))
        #expect(pauses == [.returnedUnsent(until: now + .seconds(1))])
        #expect(pool.queue.count == pool.capacity / 8)
    }

    @Test("a preferred relay that never answers the final dot gets one trial at a time")
    func oneTrial() {
        var pool = pool(relays: 2, connections: 10)
        for relay in 0...1 {
            pool.relays[relay].evidence.accepted(domain: "good.example", order: 1, at: now)
            for number in 1...10 { _ = pool.awaitsClaim(lane(number, of: relay), at: .init(now: now)) }
        }
        let trouble = RelayTrouble(scope: .relay, reason: .timedOut, stage: .finalDot, detail: "", reply: nil)
        var ignored = RelayPool.StateMachine.Actions()
        pool.handle(.suspected(trouble), relay: 0, now: now, &ignored)
        for id: Int64 in 1...60 {
            let time = now + .seconds(2 * id)
            let new = claim(id, "p\(id)@good.example")
            for (lane, _) in pool.add([new], at: .init(now: time)).actions.assignments {
                if lane.relay == 0 {
                    _ = pool.awaitsAcceptance(of: id, at: .init(now: time))
                } else {
                    _ = pool.ended(ok, of: new, relay: 1, at: .init(now: time))
                    _ = pool.awaitsClaim(lane, at: .init(now: time))
                }
            }
        }
        #expect(pool.served.values.count { $0.relay == 0 } == 1)
    }

    @Test("while the first relay is suspected, a second one whose pause is over is probed")
    func pausedBehindASuspectedOne() {
        var pool = pool(relays: 2)
        var ignored = RelayPool.StateMachine.Actions()
        let trouble = RelayTrouble(scope: .relay, reason: .refusesEverybody, stage: .rcpt, detail: "", reply: nil)
        pool.handle(.suspected(trouble), relay: 0, now: now, &ignored)
        pool.handle(.failed(trouble, pause: nil), relay: 1, now: now, &ignored)
        let next = pool.nextMoment(after: now)
        #expect(next == now + .seconds(1))
        _ = pool.awaitsClaim(lane(1), at: .init(now: now))
        _ = pool.awaitsClaim(lane(1, of: 1), at: .init(now: now))
        let probe = pool.add([claim(1)], at: .init(now: now + .seconds(1)))
        #expect(assigned(probe.actions) == [lane(1, of: 1): 1])
    }

    @Test("a quota that a relay says of one recipient never pauses it; said of a second message in a row, it does")
    func quotaOfOneRecipient() throws {
        var pool = pool(connections: 4)
        let quota = try failure("450 4.7.1 <bad@example.com>: Number of messages per hour exceeded", at: .rcpt)
        for round: Int64 in 1...5 {
            let bad = claim(1, "bad@example.com")
            _ = pool.add([bad], at: .init(now: now))
            #expect(take(&pool, 1) == bad)
            let actions = pool.ended(quota, of: bad, relay: 0, at: .init(now: now))
            guard case .deferred(let judged, _) = actions.completions.last?.outcome else {
                Issue.record("the message stays open")
                return
            }
            #expect(pool.relays[0].health.state == .suspected && !judged.isUsedUp)
            let other = claim(100 + round, "p@good\(round).example")
            _ = pool.add([other], at: .init(now: now))
            #expect(take(&pool, 2) == other)
            if round < 5 {
                _ = pool.ended(ok, of: other, relay: 0, at: .init(now: now))
                #expect(pool.relays[0].health.isUp)
            } else {
                _ = pool.ended(quota, of: other, relay: 0, at: .init(now: now))
            }
        }
        #expect(!pool.relays[0].health.takesMessages)
    }

    @Test("a mail that only the second relay can carry is not rejected while that one is paused")
    func onlyTheOtherOffersSMTPUTF8() {
        var pool = pool(relays: 2)
        var ignored = RelayPool.StateMachine.Actions()
        let trouble = RelayTrouble(scope: .relay, reason: .timedOut, stage: .connect, detail: "", reply: nil)
        pool.handle(.failed(trouble, pause: nil), relay: 1, now: now, &ignored)
        let mail = claim(1, "jörg@example.com")
        _ = pool.add([mail], at: .init(now: now))
        _ = take(&pool, 1)
        let failure = TransmissionFailure(stage: .mail, fault: .smtpUTF8NotOffered, detail: "")
        let actions = pool.ended(.failed(failure), of: mail, relay: 0, at: .init(now: now))
        guard case .deferred = actions.completions.last?.outcome else {
            Issue.record("the other relay may be able to carry it")
            return
        }
    }

    @Test(
        "a domain that worked and hangs now leaves lanes to others, and keeps half of them at most once others pass it"
    )
    func workingDomainHangs() {
        var pool = pool(connections: 10)
        pool.relays[0].evidence.accepted(domain: "big.example", order: 1, at: now)
        let later = now + .seconds(31)
        _ = pool.add((1...30).map { claim($0, "p\($0)@big.example") }, at: .init(now: later))
        for number in 1...10 { _ = take(&pool, number, at: later) }
        #expect(pool.served.count == 5)
        _ = pool.add([claim(100, "p@good.example")], at: .init(now: later))
        #expect(take(&pool, 6, at: later)?.message.id == 100)
        // Where it had worked a moment ago, it has all lanes, until a claim that began later has passed it.
        var busy = self.pool(connections: 10)
        busy.relays[0].evidence.accepted(domain: "big.example", order: 1, at: now)
        _ = busy.add((1...30).map { claim($0, "p\($0)@big.example") }, at: .init(now: now))
        for number in 1...9 { _ = take(&busy, number, at: now) }
        _ = busy.withdraw(Array(10...30), as: .cancelledUnsent, at: .init(now: now))
        let good = claim(100, "p@good.example")
        _ = busy.add([good], at: .init(now: now))
        #expect(take(&busy, 10, at: now) == good)
        _ = busy.ended(ok, of: good, relay: 0, at: .init(now: now + .seconds(1)))
        _ = busy.add([claim(31, "p@big.example")], at: .init(now: now + .seconds(6)))
        #expect(take(&busy, 10, at: now + .seconds(6)) == nil)
    }

    @Test("where a relay takes so many connections only, the moment to try one more is the next moment")
    func momentToTryMore() {
        var pool = pool(connections: 3)
        pool.relays[0].limit.refused(open: 1, now: now)
        _ = pool.relays[0].limit.accepted(open: 1, connecting: 0, now: now)
        _ = pool.add([claim(1, "a@a.example"), claim(2, "b@b.example")], at: .init(now: now))
        _ = take(&pool, 1)
        _ = pool.connectionOpened(lane(1), message: 1, at: .init(now: now))
        #expect(pool.awaitsClaim(lane(2), at: .init(now: now)).assignments.isEmpty)
        let next = pool.nextMoment(after: now + .seconds(6))
        #expect(next == now + .seconds(30))
    }

    @Test("a message that failed by the relay's fault keeps its place before what was requested later")
    func keepsItsPlace() throws {
        var pool = pool(relays: 2)
        _ = pool.add([claim(1)], at: .init(now: now + .seconds(60)))
        _ = take(&pool, 1, at: now + .seconds(60))
        let closed = try failure("421 4.3.2 closing", at: .mail)
        let actions = pool.ended(closed, of: claim(1), relay: 0, at: .init(now: now + .seconds(60)))
        guard case .deferred(_, let next) = actions.completions.last?.outcome else {
            Issue.record("the message stays open")
            return
        }
        #expect(next == now, "the time of its request")
    }

    @Test("rejections that are given back together come back at different moments")
    func jitterOfSeveral() throws {
        var judge = Judge(schedule: RetrySchedule(delays: [.seconds(100)], jitter: 0.2))
        let failure = TransmissionFailure(stage: .rcpt, fault: .timedOut, detail: "")
        let judged = JudgedFailure(failure: failure, verdict: FailurePolicy.verdict(for: failure), isUsedUp: true)
        let moments = (1...20).map { id -> Timestamp? in
            guard case .deferred(_, let next) = judge.again(judged, claim(Int64(id)), relay: "r", now: now).outcome
            else {
                return nil
            }
            return next
        }
        #expect(Set(moments).count == 20)
    }
}
