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

    @Test("one more is tried ten minutes later, and ever more rarely while it is refused")
    func grows() {
        var limit = ConnectionLimit()
        limit.refused(open: 5, now: now)
        _ = limit.accepted(open: 5, connecting: 0, now: now)
        #expect(!limit.permitsAnother(open: 5, now: now + .seconds(599)))
        let later = now + .seconds(600)
        #expect(limit.permitsAnother(open: 5, now: later))
        limit.refused(open: 5, now: later)
        #expect(!limit.permitsAnother(open: 5, now: later + .seconds(1199)))
        #expect(limit.permitsAnother(open: 5, now: later + .seconds(1200)))
        limit.opened(6, now: later + .seconds(1200))
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

    private func claim(_ id: Int64, uncertainAttempts: Int = 0, _ address: String = "ann@example.com") -> Claim {
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
        let next = desk.nextMoment(after: now)
        #expect(next == now + .seconds(60))
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
        desk.queue.append([claim(1), claim(2), claim(3)])
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
            of: claim(1),
            relay: 0,
            startedAt: now,
            now: now,
            &effects
        )
        #expect(effects.limits.map(\.connections) == [1])
        #expect(take(&desk, 3) == nil, "one connection is what it takes")
        #expect(take(&desk, 1) == claim(3))
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

    @Test("a domain of which nothing is known leaves one lane to others; one that works gets all")
    func lanesOfADomain() {
        var desk = desk(connections: 3)
        var effects = RelayDesk.Effects()
        desk.queue.append((1...4).map { claim($0, "p\($0)@new.example") } + [claim(5, "p@other.example")])
        #expect(take(&desk, 1)?.message.id == 1)
        #expect(take(&desk, 2)?.message.id == 2)
        #expect(take(&desk, 3)?.message.id == 5)
        let reply = SMTPReply(code: 250, text: "Ok")
        for id: Int64 in [1, 5] {
            let done = claim(id, "p\(id)@new.example")
            desk.report(.accepted(reply), of: done, relay: 0, startedAt: now, now: now, &effects)
        }
        #expect(take(&desk, 1)?.message.id == 3)
        #expect(take(&desk, 3)?.message.id == 4)
    }
}
