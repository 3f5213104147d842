// Trouble with one recipient must not delay others, tested on values: slow and silent domains, refused mail, one
// recipient's quota, and oddities of a relay.

import OutboxCore
import OutboxStore
import SMTPTransport
import Testing

@testable import OutboxDelivery

@Suite struct LaneShareTests: StateMachineFixture {
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

    @Test("one message tests an unknown domain; if the domain works, it gets all lanes")
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

    @Test("many domains that worked before and hang together leave the last lane and the queue to one that works")
    func hangingProvider() {
        var pool = pool(connections: 10)
        for number in 1...200 {
            pool.relays[0].evidence.accepted(domain: "d\(number).example", order: 1, at: now)
        }
        let later = now + .seconds(3600)
        pool.relays[0].evidence.accepted(domain: "good.example", order: 2, at: later)
        let first = (1...10).map { claim(Int64($0), "p@d\($0).example") }
        _ = pool.add(first, at: .init(now: later))
        #expect((1...10).filter { take(&pool, $0, at: later) != nil }.count == 9)
        let hanging = later + .seconds(6)
        _ = pool.add((11...200).map { claim(Int64($0), "p@d\($0).example") }, at: .init(now: hanging))
        #expect(pool.roomForBatch(now: hanging) > 0)
        _ = pool.add([claim(1000, "a@good.example")], at: .init(now: hanging))
        #expect(take(&pool, 10, at: hanging)?.message.id == 1000)
    }

    @Test("with two connections, a hanging mail on one never keeps the other from a domain that worked before")
    func twoConnections() {
        var pool = pool(connections: 2)
        for domain in ["hangs.example", "good.example"] {
            pool.relays[0].evidence.accepted(domain: domain, order: 1, at: now)
        }
        let later = now + .seconds(40)
        _ = pool.add([claim(1, "a@hangs.example")], at: .init(now: later))
        _ = take(&pool, 1, at: later)
        for seconds in [6, 60] {
            let time = later + .seconds(seconds)
            _ = pool.add([claim(Int64(seconds), "b@good.example")], at: .init(now: time))
            #expect(take(&pool, 2, at: time)?.message.id == Int64(seconds))
            _ = pool.ended(ok, of: claim(Int64(seconds), "b@good.example"), relay: 0, at: .init(now: time))
        }
    }

    @Test("a domain that accepted something after its slow mail had become slow is not put aside later, either")
    func excusedForGood() {
        var pool = pool(connections: 10)
        pool.relays[0].evidence.accepted(domain: "big.example", order: 1, at: now)
        _ = pool.add((1...2).map { claim($0, "p\($0)@big.example") }, at: .init(now: now))
        _ = (take(&pool, 1), take(&pool, 2))
        // Just before the domain becomes slow, and at that moment.
        _ = pool.ended(ok, of: claim(2, "p2@big.example"), relay: 0, at: .init(now: now + .milliseconds(4900)))
        _ = pool.add((3...4).map { claim($0, "p\($0)@big.example") }, at: .init(now: now + .milliseconds(4950)))
        #expect(pool.timePassed(at: .init(now: now + .seconds(5))).completions.isEmpty)
        #expect(take(&pool, 2, at: now + .seconds(5))?.message.id == 3)
        _ = pool.ended(ok, of: claim(3, "p3@big.example"), relay: 0, at: .init(now: now + .seconds(6)))
        let later = now + .seconds(20)
        let added = pool.add((10...60).map { claim($0, "p\($0)@big.example") }, at: .init(now: later))
        #expect(added.actions.completions.isEmpty)
    }

    @Test("the lanes of one relay say nothing about another one")
    func otherRelay() {
        var pool = pool(relays: 2, connections: 3)
        for relay in 0..<2 { pool.relays[relay].evidence.accepted(domain: "big.example", order: 1, at: now) }
        pool.relays[0].newestAccepted = 100
        // The domain stalls one lane of the first relay, and two other domains hold the rest.
        let held = ["big.example", "one.example", "two.example"].enumerated().map { number, domain in
            ServedClaim(
                lane: LaneID(relay: 0, number: number + 1),
                domain: domain,
                order: number,
                startedAt: now,
                openedAt: now,
                lifeAt: now
            )
        }
        pool.served = Dictionary(uniqueKeysWithValues: held.enumerated().map { (Int64($0), $1) })
        let later = now + .seconds(6)
        var first = pool.laneShares(0, now: later)
        var second = pool.laneShares(1, now: later)
        let slow = (first.isSlow("big.example"), second.isSlow("big.example"))
        #expect(slow == (true, false))
        for domain in ["one.example", "three.example"] {
            let hasLane = (first.hasLane(for: domain), second.hasLane(for: domain))
            #expect(hasLane == (false, true))
        }
        // Two unknown domains leave the second relay's last lane for one that works: the stalled domain of the first relay does.
        pool.relays[1].newestAccepted = 100
        for number in 1...2 {
            pool.served[Int64(10 + number)] = ServedClaim(
                lane: LaneID(relay: 1, number: number),
                domain: "new\(number).example",
                order: 10 + number,
                startedAt: later,
                openedAt: later,
                lifeAt: later
            )
        }
        first = pool.laneShares(0, now: later)
        second = pool.laneShares(1, now: later)
        let hasLane = (first.hasLane(for: "big.example"), second.hasLane(for: "big.example"))
        #expect(hasLane == (false, true))
    }

    @Test("a relay that greets slowly makes no recipient slow: the time counts from the opened connection")
    func slowGreeting() {
        var pool = heldLanes()
        let opened = now + .seconds(6)
        for id: Int64 in [1, 2] { _ = pool.connectionOpened(lane(Int(id)), message: id, at: .init(now: opened)) }
        pool.queue.append([claim(3, "c@quick.example")])
        let second = claim(2, "b@two.example")
        let waits = pool.mayWait(for: second, at: opened + .seconds(4))
        #expect(waits)
        let waitsOn = pool.mayWait(for: second, at: opened + .seconds(5))
        #expect(!waitsOn)
    }

    @Test("a recipient is given up for another domain's claim only, and not if the other lane waits for a final dot")
    func wantedLane() {
        var pool = heldLanes()
        let (later, second) = (now + .seconds(5), claim(2, "b@two.example"))
        pool.queue.append([claim(3, "c@two.example")])
        let waitsForOwnDomain = pool.mayWait(for: second, at: later)
        #expect(waitsForOwnDomain)
        pool.queue.append([claim(4, "d@quick.example")])
        let waitsForAnother = pool.mayWait(for: second, at: later)
        #expect(!waitsForAnother)
        _ = pool.awaitsAcceptance(of: 1, at: .init(now: later))
        let waitsBesideDot = pool.mayWait(for: second, at: later)
        #expect(waitsBesideDot)
    }

    /// Three lanes, two of which wait for recipients of unknown domains, and a relay that was quick for another one.
    private func heldLanes() -> RelayPool.StateMachine {
        var pool = pool(connections: 3)
        pool.relays[0].evidence.accepted(domain: "quick.example", order: 1, at: now)
        pool.queue.append([claim(1, "a@one.example"), claim(2, "b@two.example")])
        _ = (take(&pool, 1), take(&pool, 2))
        return pool
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

    @Test("at a relay with a low rate, mail for hanging domains leaves the queue to others")
    func rateAndHangingDomain() {
        var pool = pool(connections: 10)
        pool.relays[0].relay.configuration.rate = 1
        _ = pool.add((1...3).map { claim($0, "p\($0)@hangs.example") }, at: .init(now: now))
        _ = take(&pool, 1)
        let later = now + .seconds(6)
        let aside = pool.timePassed(at: .init(now: later)).completions
        #expect(pool.roomForBatch(now: later) > 0, "\(aside.count) put aside")
        #expect(pool.queue.count == 1, "one has its turn")
    }

    @Test(
        "only those that have waited for the longest time may wait on while others need a lane of a relay that is quick"
    )
    func cutShort() {
        var pool = pool(connections: 3)
        pool.relays[0].evidence.accepted(domain: "good.example", order: 1, at: now)
        let waiting = (1...3).map { claim(Int64($0), "p@hangs\($0).example") }
        for (number, claim) in waiting.enumerated() {
            pool.relays[0].evidence.accepted(domain: claim.domain, order: 1, at: now)
            _ = pool.add([claim], at: .init(now: now))
            #expect(take(&pool, number + 1) == claim)
        }
        let later = now + .seconds(5)
        #expect(waiting.allSatisfy { pool.mayWait(for: $0, at: later) }, "nobody else waits")
        _ = pool.add([claim(9, "a@good.example")], at: .init(now: later))
        #expect(waiting.allSatisfy { pool.mayWait(for: $0, at: now + .seconds(4)) })
        #expect(waiting.allSatisfy { pool.mayWait(for: $0, at: now + .seconds(31)) }, "the relay may be slow for all")
        #expect(waiting.map { pool.mayWait(for: $0, at: later) } == [true, false, false])
        let timedOut = TransmissionFailure(stage: .rcpt, cause: .timedOut, detail: "")
        let actions = pool.ended(.failed(timedOut), of: waiting[1], relay: 0, at: .init(now: later))
        guard case .deferred(let judged, _) = actions.completions.last?.outcome else {
            Issue.record("the message stays open")
            return
        }
        #expect(!judged.counts && pool.relays[0].health.isUp)
        #expect(pool.relays[0].evidence.isSilent("hangs2.example"))
        #expect(take(&pool, 2, at: later)?.message.id == 9)
    }

    @Test("a domain whose message timed out is silent, even if the relay accepted another message meanwhile")
    func silentBesideOthers() {
        var pool = pool(connections: 10)
        _ = pool.add([claim(1, "a@silent.example"), claim(2, "b@good.example")], at: .init(now: now))
        _ = (take(&pool, 1), take(&pool, 2))
        _ = pool.ended(ok, of: claim(2, "b@good.example"), relay: 0, at: .init(now: now))
        let timedOut = TransmissionFailure(stage: .rcpt, cause: .timedOut, detail: "")
        let later = now + .seconds(60)
        _ = pool.ended(.failed(timedOut), of: claim(1, "a@silent.example"), relay: 0, at: .init(now: later))
        #expect(pool.relays[0].evidence.isSilent("silent.example"))
    }

    @Test("a probe is not for a silent domain if another message is there")
    func probeOfAnother() throws {
        var pool = pool(relays: 2)
        _ = pool.relays[1].evidence.failed(message: 9, domain: "silent.example", .silence)
        var ignored = RelayPool.StateMachine.Actions()
        let trouble = RelayTrouble(fault: .relay, reason: .timedOut, stage: .connect, detail: "", reply: nil)
        pool.handle(.failed(trouble, pause: nil), relay: 0, now: now, &ignored)
        _ = pool.add([claim(1, "a@silent.example"), claim(2, "b@good.example")], at: .init(now: now))
        let probe = pool.awaitsClaim(lane(1), at: .init(now: now + .seconds(1)))
        #expect(assigned(probe) == [lane(1): 2])
    }

    @Test("the idle lanes of the next relay get messages that the preferred relay has refused, one each")
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
        #expect(pool.queue.count == pool.depth.limit(at: now) / 8)
    }

    @Test("a preferred relay that never answers the final dot gets one trial at a time")
    func oneTrial() {
        var pool = pool(relays: 2, connections: 10)
        for relay in 0...1 {
            pool.relays[relay].evidence.accepted(domain: "good.example", order: 1, at: now)
            for number in 1...10 { _ = pool.awaitsClaim(lane(number, of: relay), at: .init(now: now)) }
        }
        let trouble = RelayTrouble(fault: .relay, reason: .timedOut, stage: .finalDot, detail: "", reply: nil)
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
        let trouble = RelayTrouble(fault: .relay, reason: .refusesEverybody, stage: .rcpt, detail: "", reply: nil)
        pool.handle(.suspected(trouble), relay: 0, now: now, &ignored)
        pool.handle(.failed(trouble, pause: nil), relay: 1, now: now, &ignored)
        let next = pool.nextMoment(after: now)
        #expect(next == now + .seconds(1))
        _ = pool.awaitsClaim(lane(1), at: .init(now: now))
        _ = pool.awaitsClaim(lane(1, of: 1), at: .init(now: now))
        let probe = pool.add([claim(1)], at: .init(now: now + .seconds(1)))
        #expect(assigned(probe.actions) == [lane(1, of: 1): 1])
    }

    @Test("a quota stated for one recipient never pauses the relay; stated for a second message in a row, it does")
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
            #expect(pool.relays[0].health.state == .suspected && !judged.counts)
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
        let trouble = RelayTrouble(fault: .relay, reason: .timedOut, stage: .connect, detail: "", reply: nil)
        pool.handle(.failed(trouble, pause: nil), relay: 1, now: now, &ignored)
        let mail = claim(1, "jörg@example.com")
        _ = pool.add([mail], at: .init(now: now))
        _ = take(&pool, 1)
        let failure = TransmissionFailure(stage: .mail, cause: .smtpUTF8NotOffered, detail: "")
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
        // A domain that worked a moment ago has all lanes, until a claim that began later is done before its own.
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

    @Test("if a relay limits its connections, the next moment is that of the next try")
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
        var planner = RetryPlanner(schedule: RetrySchedule(delays: [.seconds(100)], jitter: 0.2))
        let failure = TransmissionFailure(stage: .rcpt, cause: .timedOut, detail: "")
        let judged = JudgedFailure(failure: failure, verdict: FailurePolicy.verdict(for: failure), counts: true)
        let moments = (1...20).map { id -> Timestamp? in
            guard case .deferred(_, let next) = planner.again(judged, claim(Int64(id)), relay: "r", now: now).outcome
            else {
                return nil
            }
            return next
        }
        #expect(Set(moments).count == 20)
    }
}
