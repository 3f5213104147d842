// The decisions of the relay pool's state machine, tested on values: each event in, its actions out.

import InternetMessage
import OutboxCore
import OutboxStore
import SMTPTransport
import Testing

@testable import OutboxDelivery

@Suite struct RelayPoolStateMachineTests: StateMachineFixture {
    @Test("a connection's protection is recorded when it changes, and a certificate's near end is reported once")
    func protection() {
        func tls(_ cipher: String, end: Timestamp) -> TLSSession {
            TLSSession(version: "TLSv1.3", cipher: cipher, certificateName: "a", certificateExpiresAt: end)
        }
        let day = Duration.seconds(86_400)
        let end = now + day * 15
        let first = tls("A", end: end)
        var pool = RelayPool.StateMachine(
            relays: [.init(SMTPRelay(RelayConfiguration(name: "r", url: "smtp://localhost")))],
            schedule: RetrySchedule(),
            holding: .zero,
            tls: ["r": first],
            now: now
        )
        #expect(pool.statuses(now: now).map(\.tls) == [first])
        var actions = pool.connectionSecured(first, relay: 0, at: .init(now: now))
        #expect(actions.statuses.isEmpty && actions.endingCertificates.isEmpty)
        let second = tls("B", end: end)
        actions = pool.connectionSecured(second, relay: 0, at: .init(now: now))
        #expect(actions.statuses.map(\.tls) == [second] && actions.endingCertificates.isEmpty)
        for isFirst in [true, false] {
            actions = pool.connectionSecured(second, relay: 0, at: .init(now: now + day))
            #expect(actions.statuses.isEmpty && actions.endingCertificates.count == (isFirst ? 1 : 0))
        }
        actions = pool.connectionSecured(tls("B", end: end + day * 90), relay: 0, at: .init(now: now + day))
        #expect(actions.statuses.count == 1 && actions.endingCertificates.isEmpty)
        actions = pool.connectionSecured(nil, relay: 0, at: .init(now: now + day))
        #expect(actions.statuses.map(\.tls) == [nil])
    }

    @Test("a relay's limit of mails is the smallest that a lane knows, and recorded when it changes")
    func mailLimit() {
        var pool = pool(relays: 2)
        func limits(_ limit: Int?, lane: Int) -> [Int?] {
            let actions = pool.mailsLimited(to: limit, on: LaneID(relay: 1, number: lane), at: .init(now: now))
            #expect(actions.statuses.allSatisfy { $0.position == 2 })
            return actions.statuses.map(\.mailsPerConnection)
        }
        #expect(limits(nil, lane: 1) == [] && limits(50, lane: 1) == [50] && limits(50, lane: 2) == [])
        // A lane that has learnt nothing doesn't contradict one that has.
        #expect(limits(nil, lane: 2) == [] && limits(20, lane: 2) == [20] && limits(60, lane: 1) == [])
        #expect(limits(nil, lane: 2) == [60] && limits(nil, lane: 1) == [nil])
        #expect(pool.statuses(now: now).map(\.mailsPerConnection) == [nil, nil])
    }

    @Test("after the second uncertain attempt the mail is repeated no sooner than 5, then 15 minutes later")
    func uncertain() throws {
        let failure = TransmissionFailure(stage: .finalDot, cause: .timedOut, detail: "", isUncertain: true)
        let judged = JudgedFailure(failure: failure, verdict: FailurePolicy.verdict(for: failure), counts: true)
        let delays = (0...4).map { earlier -> Duration? in
            var planner = planner()
            let completion = planner.again(judged, claim(1, uncertainAttempts: earlier), relay: "r", now: now)
            guard case .deferred(_, let next) = completion.outcome else { return nil }
            return next.timeSince(now)
        }
        #expect(delays == [.seconds(5), .seconds(300), .seconds(900), .seconds(900), .seconds(900)])
    }

    @Test("a relay that takes longer for a final dot than it may for other answers is late until it answers")
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
        #expect(!judged.counts && next == now)
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

    @Test("an unknown domain leaves lanes to others; a domain that works gets all lanes")
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

    @Test("four messages of a silent domain wait for a lane, and exactly the others are given back")
    func sentAside() {
        var pool = pool(connections: 4)
        pool.queue.append([claim(100, "slow@silent.example")])
        _ = take(&pool, 1)
        let timedOut = TransmissionFailure(stage: .rcpt, cause: .timedOut, detail: "")
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

    @Test("a relay that is slowed to its rate is probed as soon as the rate allows, and delays no other relay")
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
        let timedOut = TransmissionFailure(stage: .connect, cause: .timedOut, detail: "")
        _ = pool.ended(.failed(timedOut), of: claim(1), relay: 0, at: .init(now: now + .seconds(1)))
        #expect(!pool.relays[0].health.takesMessages)
    }

    @Test(
        "words about us to a single recipient make the relay suspected at once, and an acceptance ends that",
        arguments: [
            "550 5.7.1 <localhost>: Helo command rejected: need fully-qualified hostname",
            "550 Sender verify failed", "554 5.7.1 Client host rejected: cannot find your reverse hostname",
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
            "550 5.7.26 Unauthenticated email is not accepted due to domain's DMARC policy",
        ]
    )
    func aboutUs(reply: String) throws {
        var pool = pool()
        pool.queue.append([claim(1), claim(2)])
        _ = take(&pool, 1)
        let actions = pool.ended(try failure(reply, at: .rcpt), of: claim(1), relay: 0, at: .init(now: now))
        #expect(pool.relays[0].health.state == .suspected)
        #expect(pool.relays[0].health.trouble.flatMap { Remedy($0.reason) } != nil, "the log names what to mend")
        guard case .deferred(let judged, _) = actions.completions.last?.outcome else {
            Issue.record("the message stays open")
            return
        }
        #expect(!judged.counts)
        #expect(take(&pool, 2)?.message.id == 2, "others are not kept waiting")
        _ = pool.ended(ok, of: claim(2), relay: 0, at: .init(now: now))
        #expect(pool.relays[0].health.isUp)
    }

    @Test(
        "a message that alone fails with words about us counts its attempts from the third on, and so does another's failure"
    )
    func aboutUsAlone() throws {
        var pool = pool()
        pool.queue.append([claim(1)])
        _ = take(&pool, 1)
        _ = pool.ended(ok, of: claim(1), relay: 0, at: .init(now: now))
        var counts: [Bool] = []
        for attempt in 1...4 {
            let later = now + .seconds(60 * attempt)
            for (id, reply): (Int64, String) in [(2, "550 5.7.23 SPF validation failed"), (3, "451 4.3.0 Try again")] {
                pool.queue.append([claim(id)])
                _ = take(&pool, 1, at: later)
                let actions = pool.ended(try failure(reply, at: .rcpt), of: claim(id), relay: 0, at: .init(now: later))
                guard case .deferred(let judged, _) = actions.completions.last?.outcome else {
                    Issue.record("the message stays open")
                    return
                }
                counts.append(judged.counts)
            }
        }
        #expect(counts == [false, false, false, false, true, true, true, true])
    }

    @Test(
        "a single recipient whose relaying is denied makes no relay suspected",
        arguments: ["554 5.7.1 Relay access denied"]
    )
    func relayingDenied(reply: String) throws {
        var pool = pool()
        pool.queue.append([claim(1)])
        _ = take(&pool, 1)
        _ = pool.ended(try failure(reply, at: .rcpt), of: claim(1), relay: 0, at: .init(now: now))
        #expect(pool.relays[0].health.isUp)
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

    @Test("a refusal by a relay that refuses everybody does not count as a second opinion")
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

    @Test("with no relay up, waiting claims are given back, and there is room only for probes")
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

    @Test("more claims are requested when half of the queue is gone, not before")
    func batches() {
        var pool = pool(connections: 2)
        let capacity = pool.depth.limit(at: now)
        #expect(pool.roomForBatch(now: now) == capacity)
        let claims = (1...Int64(capacity)).map { claim($0, "p@d\($0).example") }
        _ = pool.add(claims, at: .init(now: now))
        var woke: [Int] = []
        for taken in 1...capacity {
            // An ordinary pace: in a burst, more claims may wait.
            let time = now + .milliseconds(10 * taken)
            let (next, actions) = pool.takeAtOnce(lane(1), at: .init(now: time))
            guard let next else {
                Issue.record("the queue holds \(capacity - taken + 1) more")
                return
            }
            let ended = pool.ended(ok, of: next, relay: 0, at: .init(now: time))
            if actions.wakesDispatcher || ended.wakesDispatcher { woke.append(taken) }
        }
        #expect(woke == [capacity / 2 + 1])
    }

    @Test("a rate of one a second lets one claim go, and the next moment is that of the next claim")
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
            #expect(judged.verdict.reason == .refusesEverybody && !judged.counts)
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

    @Test("a lane learns that its message was cancelled, and a waiting claim comes back")
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

    @Test("a closed pool gives back waiting claims, ends current and later waiting lanes, and accepts no claims")
    func closed() {
        var pool = pool(relays: 2)
        _ = pool.awaitsClaim(lane(1, of: 1), at: .init(now: now))
        _ = pool.add([claim(1)], at: .init(now: now))
        let (returned, actions) = pool.close(at: .init(now: now))
        #expect(returned == [claim(1)] && assigned(actions) == [lane(1, of: 1): nil])
        #expect(assigned(pool.awaitsClaim(lane(1), at: .init(now: now))) == [lane(1): nil])
        #expect(pool.add([claim(2)], at: .init(now: now)).refused == [claim(2)])
    }
}
