// Every kind of scripted fault at every stage, over new and used connections: the outcome for the message, its
// attempts, and the relay.

import FakeSMTP
import OutboxCore
import OutboxDelivery
import OutboxStore
import SMTPTransport
import Testing

@Suite("A message that meets a fault", .timeLimit(.minutes(10)))
struct FaultOutcomeTests {
    /// The expected outcome of one combination.
    struct Expectation: Sendable {
        var state = MessageState.accepted
        var outcome = AttemptOutcome.accepted
        var stage = "final-dot"
        var fault: Verdict.Fault?
        var reason: FailureReason?
        var reply: String?

        var isRelays: Bool { fault == .relay || fault == .configuration }
        /// A reset may come while the connection is being made.
        var reasons: [String?] {
            let isEither = stage == "connect" && reason == .connectionLost && reply == nil
            return [reason?.rawValue] + (isEither ? [FailureReason.noConnection.rawValue] : [])
        }

        /// From RCPT on, a single failure may be the message's own fault.
        var pausesRelay: Bool { isRelays && !["rcpt", "data", "body", "final-dot"].contains(stage) }
        var counts: Bool { !isRelays || outcome == .uncertain }
    }

    struct Cell: Sendable, CustomTestStringConvertible {
        let fault: String
        let isReused: Bool
        let expected: Expectation

        var testDescription: String { "\(fault), \(isReused ? "used" : "new") connection" }
        var needsTLS: Bool { fault.hasPrefix("startTLS") }
    }

    /// The relay's behaviour at a stage.
    private enum Behaviour: CaseIterable {
        case temporary, permanent, closing, drop, reset, hang, garbled, delay

        var text: String {
            switch self {
            case .temporary: "reply 451 4.3.0 \"later\""
            case .permanent: "reply 554 5.7.1 \"no\""
            case .closing: "reply 421 4.3.2 \"closing\""
            case .drop: "drop"
            case .reset: "reset"
            case .hang: "hang"
            case .garbled: "garbled"
            case .delay: "delay 20ms"
            }
        }

        var reply: String? {
            switch self {
            case .temporary: "451 4.3.0 later"
            case .permanent: "554 5.7.1 no"
            case .closing: "421 4.3.2 closing"
            case .drop, .reset, .hang, .garbled, .delay: nil
            }
        }
    }

    private static let stages: [(place: String, stage: SMTPStage)] = [
        ("connect", .connect), ("ehlo", .ehlo), ("startTLS", .startTLS), ("auth", .auth), ("mail", .mail),
        ("rcpt", .rcpt), ("data", .data), ("finalDot", .finalDot),
    ]

    /// Who is at fault for a behaviour, by the stage; network failures are always the relay's fault.
    private static func judgement(_ behaviour: Behaviour, at stage: SMTPStage) -> (
        Verdict.Fault, FailureReason, isFinal: Bool
    )? {
        switch behaviour {
        case .delay: return nil
        case .closing: return (.relay, .relayClosing, false)
        case .drop, .reset: return (.relay, .connectionLost, false)
        case .hang: return (.relay, .timedOut, false)
        case .garbled: return (.relay, .garbledReply, false)
        case .temporary:
            switch stage {
            case .auth: return (.relay, .authenticationUnavailable, false)
            case .mail: return (.relay, .senderDeferred, false)
            case .rcpt, .data, .body, .finalDot: return (.relay, .relayNotReady, false)
            case .compose, .connect, .tls, .ehlo, .startTLS: return (.relay, .sessionRefused, false)
            }
        case .permanent:
            switch stage {
            case .auth: return (.configuration, .authenticationRefused, false)
            case .mail: return (.configuration, .senderRefused, false)
            // A refusal by a single relay that does not name the address is not final.
            case .rcpt: return (.recipient, .policyRefusal, false)
            case .data, .body, .finalDot: return (.message, .policyRefusal, false)
            case .compose, .connect, .tls, .ehlo, .startTLS: return (.relay, .sessionRefused, false)
            }
        }
    }

    private static func expectation(_ behaviour: Behaviour, at stage: SMTPStage) -> Expectation {
        guard let (fault, reason, isFinal) = judgement(behaviour, at: stage) else { return Expectation() }
        // Without an answer to the final dot the outcome is unknown.
        let isUncertain = stage == .finalDot && behaviour.reply == nil
        return Expectation(
            state: isFinal ? .rejected : .deferred,
            outcome: isUncertain ? .uncertain : isFinal ? .rejected : .deferred,
            stage: stage.rawValue,
            fault: fault,
            reason: reason,
            reply: behaviour.reply
        )
    }

    /// Faults that only some stages have.
    private static let further: [(String, Expectation)] = {
        func uncertain(_ reason: FailureReason) -> Expectation {
            Expectation(state: .deferred, outcome: .uncertain, fault: .relay, reason: reason)
        }
        return [
            // The kernel accepts a small body as a whole, so that a break in it looks like one after it.
            ("body: drop", uncertain(.connectionLost)),
            ("body: reset", uncertain(.connectionLost)),
            ("body: hang", uncertain(.timedOut)),
            (
                "body: reply 421 4.3.2 \"closing\"",
                Expectation(
                    state: .deferred,
                    outcome: .deferred,
                    fault: .relay,
                    reason: .relayClosing,
                    reply: "421 4.3.2 closing"
                )
            ),
            ("body: delay 20ms", Expectation()),
            ("finalDot: accept-drop", uncertain(.connectionLost)),
            (
                "rcpt: reply 552 5.2.2 \"mailbox full\" for ann@example.com",
                Expectation(
                    state: .rejected,
                    outcome: .rejected,
                    stage: "rcpt",
                    fault: .recipient,
                    reason: .mailboxFull,
                    reply: "552 5.2.2 mailbox full"
                )
            ),
            (
                "rcpt: reply 450 4.2.1 \"busy\" odds 1",
                Expectation(
                    state: .deferred,
                    outcome: .deferred,
                    stage: "rcpt",
                    fault: .recipient,
                    reason: .recipientDeferred,
                    reply: "450 4.2.1 busy"
                )
            ),
        ]
    }()

    /// Every behaviour at every stage, and the faults of single stages, over a new connection and over one that has
    /// carried a mail. The second mail doesn't meet a fault that happens only once per connection: that cell expects
    /// acceptance.
    static let cells: [Cell] = {
        var faults = stages.flatMap { place, stage in
            Behaviour.allCases.map { ("\(place): \($0.text)", expectation($0, at: stage)) }
        }
        faults += further
        faults.append(
            (
                "startTLS: break-tls",
                Expectation(
                    state: .deferred,
                    outcome: .deferred,
                    stage: "tls",
                    fault: .relay,
                    reason: .tlsFailed
                )
            )
        )
        return faults.flatMap { fault, expected in
            let isOncePerConnection = ["connect", "ehlo", "startTLS", "auth"].contains { fault.hasPrefix("\($0):") }
            return [
                Cell(fault: fault, isReused: false, expected: expected),
                Cell(fault: fault, isReused: true, expected: isOncePerConnection ? Expectation() : expected),
            ]
        }
    }()

    @Test("the matrix has every behaviour at every stage, twice")
    func complete() {
        #expect(Self.cells.count == 2 * (8 * 8 + 9))
        #expect(Set(Self.cells.map(\.testDescription)).count == Self.cells.count)
    }

    @Test("ends in the documented state, costs what it should, and the relay is as documented", arguments: cells)
    func outcome(cell: Cell) async throws {
        var choices = DeliveryFixture.Choices()
        choices.server = .init(tls: cell.needsTLS ? .startTLS : .none, credentials: ["outboxd": "CANARY-p4ss"])
        // A group of commands doesn't show which of them hangs.
        if cell.fault == "mail: hang" { choices.server.offers.remove(.pipelining) }
        choices.schedule = RetrySchedule(delays: [.seconds(100)], jitter: 0)
        choices.usesTLS = cell.needsTLS
        choices.connections = 1
        choices.changeRelay = { relay in
            relay.credentials = SMTPCredentials(user: "outboxd", password: "CANARY-p4ss")
            // Only intended time-outs may happen, although all cells run at the same time.
            relay.configuration.connectTimeout = .seconds(cell.fault.hasSuffix("hang") ? 5 : 30)
            relay.configuration.replyTimeout = relay.configuration.connectTimeout
        }
        choices.refusalHolding = .zero
        // Time stands still, later than any insert: a second attempt would hide the traces of the first one.
        let clock = VirtualClock(now: .now + .seconds(3600))
        choices.environment.now = { clock.now }
        choices.environment.uptime = { .seconds(3600) }
        try await DeliveryFixture.run(choices) { fixture in
            if cell.isReused {
                _ = try await fixture.wait(for: try await fixture.enqueue(.sample("first@example.com")), .accepted)
                clock.advance(to: clock.now + .seconds(1))
            }
            let fault = try Fault(parsing: cell.fault)
            fixture.server.setFaults([fault])
            let id = try await fixture.enqueue(.sample())
            let status = try await fixture.wait(for: id, cell.expected.state)
            try await expect(cell, fixture, status)
            let isMet = fixture.server.ledger.firingCount(of: fault) >= 1
            #expect(isMet == (cell.expected.fault != nil || cell.fault.contains("delay") && !cell.isUnmet))
        }
    }

    private func expect(_ cell: Cell, _ fixture: DeliveryFixture, _ status: StatusRecord) async throws {
        let expected = cell.expected
        let attempts = try await fixture.database.attempts(of: status.id)
        #expect(attempts.count == 1)
        let attempt = try #require(attempts.first)
        #expect(attempt.outcome == expected.outcome)
        #expect(attempt.stage?.rawValue == expected.stage)
        #expect(attempt.fault?.known == expected.fault)
        #expect(expected.reasons.contains(attempt.reason?.rawValue))
        #expect(attempt.relay == "fake")
        if let reply = expected.reply { #expect(attempt.detail == reply) } else { #expect(attempt.detail != nil) }
        #expect(attempt.counts == expected.counts)
        #expect(status.attempts == (expected.counts ? 1 : 0))
        #expect(status.mayArriveTwice == (expected.outcome == .uncertain))

        let pause = try status.nextAttemptAt.map { try $0.timeSince(#require(attempt.finishedAt)) }
        let delay: Duration = expected.pausesRelay ? .milliseconds(1250) : .seconds(100)
        #expect(pause == (expected.state == .deferred ? delay : nil))

        let relay = try await fixture.waitForRelay { $0.state == (expected.pausesRelay ? .paused : .up) }
        #expect((expected.pausesRelay ? expected.reasons : [nil]).contains(relay.reason?.rawValue))
        let pausedFor = try relay.pausedUntil.map { try $0.timeSince(#require(attempt.finishedAt)) }
        #expect(pausedFor == (expected.pausesRelay ? .seconds(1) : nil))
    }
}

extension FaultOutcomeTests.Cell {
    /// The second mail over a connection doesn't meet a fault that happens only once per connection.
    fileprivate var isUnmet: Bool {
        isReused && ["connect", "ehlo", "startTLS", "auth"].contains { fault.hasPrefix("\($0):") }
    }
}
