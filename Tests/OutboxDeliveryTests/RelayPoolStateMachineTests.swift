// What the relay desk decides, on values: limits on connections, uncertain attempts, lanes at the final dot.

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

@Suite struct RelayDeskValuesTests {
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
        Judge(schedule: RetrySchedule(jitter: 0), random: { SystemRandomNumberGenerator() })
    }

    private func desk(relays count: Int = 1, connections: Int = 2) -> DeskState {
        let relays = (0..<count).map { number in
            DeliveryRelay(
                SMTPRelay(name: "relay\(number)", url: "smtp://127.0.0.1:1", replyTimeout: .seconds(60)),
                connections: connections
            )
        }
        return DeskState(relays: relays, judge: judge(), refusalHolding: .seconds(2), now: now)
    }

    private func take(_ desk: inout DeskState, _ lane: Int) -> Claim? {
        desk.takeAtOnce(relay: 0, lane: lane, now: now)
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
            let completion = judge().again(judged, claim(1, uncertainAttempts: earlier), relay: "r", now: now)
            guard case .deferred(_, let next) = completion.outcome else { return nil }
            return next.timeSince(now)
        }
        #expect(delays == [.seconds(5), .seconds(300), .seconds(900), .seconds(900), .seconds(900)])
    }

    @Test("a relay whose lanes wait at the final dot for longer than other answers may take is late, until it answers")
    func lateAtTheDot() {
        var desk = desk(relays: 2, connections: 1)
        var effects = RelayDesk.Effects()
        let waiting = claim(1)
        desk.queue.append([waiting, claim(2)])
        #expect(take(&desk, 1) == waiting)
        desk.awaitsAcceptance(1, now: now)
        desk.queue = ClaimQueue()
        let next = desk.nextMoment(after: now)
        #expect(next == now + .seconds(60))
        desk.queue.append([claim(2)])
        desk.noticeSilence(now: now + .seconds(59), &effects)
        #expect(desk.preferred == 0)
        desk.noticeSilence(now: now + .seconds(60), &effects)
        #expect(desk.preferred == 1)
        let elsewhere = desk.takeAtOnce(relay: 1, lane: 1, now: now + .seconds(60))
        #expect(elsewhere == claim(2))
        let reply = SMTPReply(code: 250, text: "Ok")
        desk.report(.accepted(reply), of: waiting, relay: 0, startedAt: now, now: now + .seconds(400), &effects)
        #expect(desk.preferred == 0)
    }

    @Test("a lane that can't connect beside others waits, the message goes to another lane, and nobody is blamed")
    func connectionRefused() throws {
        var desk = desk(connections: 3)
        var effects = RelayDesk.Effects()
        desk.queue.append([claim(1, "a@one.example"), claim(2, "b@two.example"), claim(3, "c@one.example")])
        _ = desk.takeAtOnce(relay: 0, lane: 1, now: now)
        desk.connectionOpened(relay: 0, lane: 1, message: 1, now: now)
        let second = take(&desk, 2)
        let refused = try #require(second)
        desk.report(
            try failure("421 4.7.0 too many connections", at: .connect),
            of: refused,
            relay: 0,
            startedAt: now,
            now: now,
            &effects
        )
        #expect(desk.seats[0].health.isUp)
        guard case .deferred(let judged, let next) = effects.completions.last?.outcome else {
            Issue.record("the message stays open")
            return
        }
        #expect(!judged.isUsedUp && next == now)
        #expect(take(&desk, 2) == nil, "the lane rests")
        desk.report(
            .accepted(SMTPReply(code: 250, text: "Ok")),
            of: claim(1, "a@one.example"),
            relay: 0,
            startedAt: now,
            now: now,
            &effects
        )
        #expect(effects.limits.map(\.connections) == [1])
        #expect(take(&desk, 3) == nil, "one connection is what it takes")
        #expect(take(&desk, 1)?.message.id == 3)
    }

    @Test("the only lane that can't connect shows that the relay is down")
    func connectionRefusedAlone() throws {
        var desk = desk(connections: 3)
        var effects = RelayDesk.Effects()
        desk.queue.append([claim(1)])
        _ = desk.takeAtOnce(relay: 0, lane: 1, now: now)
        let result = try failure("421 4.3.2 closed", at: .connect)
        desk.report(result, of: claim(1), relay: 0, startedAt: now, now: now, &effects)
        #expect(!desk.seats[0].health.takesMessages)
    }

    @Test("a domain of which nothing is known leaves lanes to others; one that works gets all")
    func lanesOfADomain() {
        var desk = desk(connections: 3)
        var effects = RelayDesk.Effects()
        desk.queue.append((1...4).map { claim($0, "p\($0)@new.example") } + [claim(5, "p@other.example")])
        #expect(take(&desk, 1)?.message.id == 1)
        #expect(take(&desk, 2)?.message.id == 5)
        #expect(take(&desk, 3) == nil)
        let reply = SMTPReply(code: 250, text: "Ok")
        for id: Int64 in [1, 5] {
            let done = claim(id, "p\(id)@new.example")
            desk.report(.accepted(reply), of: done, relay: 0, startedAt: now, now: now, &effects)
        }
        #expect((1...3).map { take(&desk, $0)?.message.id } == [2, 3, 4])
    }

    @Test("of a silent domain's messages four wait for a lane, and exactly the others are given back")
    func sentAside() {
        var desk = desk(connections: 4)
        var effects = RelayDesk.Effects()
        desk.queue.append([claim(100, "slow@silent.example")])
        _ = take(&desk, 1)
        let timedOut = TransmissionFailure(stage: .rcpt, fault: .timedOut, detail: "")
        let first = claim(100, "slow@silent.example")
        desk.report(.failed(timedOut), of: first, relay: 0, startedAt: now, now: now, &effects)
        effects = RelayDesk.Effects()
        let more = (1...30).map { claim($0, "p\($0)@silent.example") } + [claim(31, "honest@other.example")]
        desk.add(more, now: now, &effects)
        let returned = effects.completions.map(\.claim.message.id)
        let waiting = desk.queue.takeAll().map(\.message.id)
        #expect(waiting == [1, 2, 3, 4, 31])
        #expect(returned == Array(5...30))
        #expect(effects.completions.allSatisfy { $0.outcome == .returnedUnsent(until: now + .seconds(10)) })
    }

    @Test("a relay that is slowed to its rate is probed as soon as the rate allows, and keeps no other one waiting")
    func slowedProbe() throws {
        var desk = desk()
        desk.seats[0].bucket = TokenBucket(rate: 0.5, now: now)
        var effects = RelayDesk.Effects()
        desk.queue.append([claim(1)])
        _ = take(&desk, 1)
        let closed = try failure("421 4.3.2 closed", at: .connect)
        desk.report(closed, of: claim(1), relay: 0, startedAt: now, now: now, &effects)
        let later = now + .seconds(1)
        desk.queue.append([claim(1)])
        desk.assign(now: later, &effects)
        let next = desk.nextMoment(after: later)
        #expect(next == now + .seconds(2), "the bucket's next token")
    }

    @Test("a relay that can't be reached is down at its first failure, although other lanes are on the way to it")
    func unreachable() {
        var desk = desk(connections: 3)
        var effects = RelayDesk.Effects()
        desk.queue.append([claim(1, "a@one.example"), claim(2, "b@two.example")])
        _ = (take(&desk, 1), take(&desk, 2))
        let timedOut = TransmissionFailure(stage: .connect, fault: .timedOut, detail: "")
        desk.report(.failed(timedOut), of: claim(1), relay: 0, startedAt: now, now: now + .seconds(1), &effects)
        #expect(!desk.seats[0].health.takesMessages)
    }

    @Test("a relay's quota delays its messages no longer than until the next look, should it be lifted")
    func quota() throws {
        var desk = desk()
        var effects = RelayDesk.Effects()
        desk.queue.append([claim(1)])
        _ = take(&desk, 1)
        let quota = try failure("550 5.4.5 Daily user sending limit exceeded", at: .data)
        desk.report(quota, of: claim(1), relay: 0, startedAt: now, now: now, &effects)
        guard case .deferred(_, let next) = effects.completions.last?.outcome else {
            Issue.record("the message stays open")
            return
        }
        #expect(next <= now + .seconds(11))
        #expect(desk.seats[0].health.probesAt(now) == now + .seconds(900))
    }

    @Test("a refusal by a relay that refuses everybody is no second opinion")
    func provisional() throws {
        var desk = desk(relays: 2, connections: 4)
        var effects = RelayDesk.Effects()
        let refused = try failure("554 5.7.1 No", at: .finalDot)
        for id: Int64 in 1...3 {
            let claim = claim(id, "p\(id)@d\(id).example")
            desk.queue.append([claim])
            _ = take(&desk, Int(id))
            desk.report(refused, of: claim, relay: 0, startedAt: now, now: now, &effects)
        }
        #expect(desk.seats[0].health.state == .suspected)
        let third = claim(3, "p3@d3.example")
        desk.queue.append([third])
        let again = desk.takeAtOnce(relay: 1, lane: 1, now: now)
        #expect(again == third)
        desk.report(refused, of: third, relay: 1, startedAt: now, now: now, &effects)
        guard case .deferred = effects.completions.last?.outcome else {
            Issue.record("one relay's word alone is not final")
            return
        }
    }
}
