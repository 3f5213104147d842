// Every kind of scripted fault at every stage: the message's state, its attempt's row, and when it is tried again.

import FakeSMTP
import OutboxCore
import OutboxStore
import SMTPTransport
import Testing

@Suite("A message that meets a fault", .timeLimit(.minutes(3)))
struct FaultOutcomeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let fault: String
        let state: MessageState
        let outcome: String
        let stage: String
        let scope: String?
        var reply: String?

        var testDescription: String { fault }
    }

    private static let temporary = "reply 451 4.3.0 \"later\""
    private static let permanent = "reply 554 5.7.1 \"no\""
    private static let closing = "reply 421 4.3.2 \"closing\""

    /// The table: what becomes of a message whose every attempt meets the fault.
    static let cases: [Case] =
        ["connect", "ehlo", "startTLS", "auth", "mail", "rcpt", "data", "finalDot"].flatMap { place in
            let stage = place == "finalDot" ? "final-dot" : place.lowercased()
            let atOperator = place == "auth"
            // Whose fault a refusal is depends on the stage; whose a broken connection is doesn't.
            let refusedBy =
                ["rcpt": "recipient", "data": "message", "finalDot": "message", "auth": "configuration"][place]
                ?? "relay"
            let isFinal = ["rcpt", "data", "finalDot"].contains(place)
            let refusedForGood = place == "mail" ? "configuration" : refusedBy
            let broken = place == "finalDot" ? "uncertain" : "deferred"
            return [
                Case(
                    fault: "\(place): \(temporary)",
                    state: .deferred,
                    outcome: "deferred",
                    stage: stage,
                    scope: refusedBy,
                    reply: "451 4.3.0 later"
                ),
                Case(
                    fault: "\(place): \(permanent)",
                    state: isFinal ? .rejected : .deferred,
                    outcome: isFinal ? "rejected" : "deferred",
                    stage: stage,
                    scope: refusedForGood,
                    reply: "554 5.7.1 no"
                ),
                Case(
                    fault: "\(place): \(closing)",
                    state: .deferred,
                    outcome: "deferred",
                    stage: stage,
                    scope: atOperator ? "configuration" : "relay",
                    reply: "421 4.3.2 closing"
                ),
                Case(fault: "\(place): drop", state: .deferred, outcome: broken, stage: stage, scope: "relay"),
                Case(fault: "\(place): reset", state: .deferred, outcome: broken, stage: stage, scope: "relay"),
                Case(fault: "\(place): hang", state: .deferred, outcome: broken, stage: stage, scope: "relay"),
                Case(fault: "\(place): garbled", state: .deferred, outcome: broken, stage: stage, scope: "relay"),
                Case(
                    fault: "\(place): delay 20ms",
                    state: .accepted,
                    outcome: "accepted",
                    stage: "final-dot",
                    scope: nil
                ),
            ]
        } + [
            // The kernel takes a small body as a whole, so that a break in it looks like one after it: it may have arrived.
            Case(fault: "body: drop", state: .deferred, outcome: "uncertain", stage: "final-dot", scope: "relay"),
            Case(fault: "body: reset", state: .deferred, outcome: "uncertain", stage: "final-dot", scope: "relay"),
            Case(fault: "body: hang", state: .deferred, outcome: "uncertain", stage: "final-dot", scope: "relay"),
            Case(
                fault: "body: \(closing)",
                state: .deferred,
                outcome: "deferred",
                stage: "final-dot",
                scope: "relay",
                reply: "421 4.3.2 closing"
            ),
            Case(fault: "body: delay 20ms", state: .accepted, outcome: "accepted", stage: "final-dot", scope: nil),
            Case(
                fault: "finalDot: accept-drop",
                state: .deferred,
                outcome: "uncertain",
                stage: "final-dot",
                scope: "relay"
            ),
            Case(fault: "startTLS: break-tls", state: .deferred, outcome: "deferred", stage: "tls", scope: "relay"),
            Case(
                fault: "rcpt: reply 552 5.2.2 \"mailbox full\" for ann@example.com",
                state: .rejected,
                outcome: "rejected",
                stage: "rcpt",
                scope: "recipient",
                reply: "552 5.2.2 mailbox full"
            ),
            Case(
                fault: "rcpt: reply 450 4.2.1 \"busy\" odds 1",
                state: .deferred,
                outcome: "deferred",
                stage: "rcpt",
                scope: "recipient",
                reply: "450 4.2.1 busy"
            ),
        ]

    @Test(
        "ends in the documented state, with the attempt on record and the next one due by the schedule",
        arguments: cases
    )
    func outcome(expected: Case) async throws {
        let needsTLS = expected.fault.hasPrefix("startTLS")
        var choices = DeliveryFixture.Choices()
        choices.server = .init(tls: needsTLS ? .startTLS : .none, credentials: ["outboxd": "CANARY-p4ss"])
        choices.faults = [try Fault(parsing: expected.fault)]
        choices.schedule = RetrySchedule(delays: [.seconds(100)], jitter: 0)
        choices.usesTLS = needsTLS
        choices.changeRelay = { $0.credentials = SMTPCredentials(user: "outboxd", password: "CANARY-p4ss") }
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            let status = try await fixture.wait(for: id, expected.state)
            let attempts = try await fixture.database.attempts(of: id)
            #expect(attempts.count == 1)
            let attempt = try #require(attempts.first)
            #expect(attempt.outcome == expected.outcome)
            #expect(attempt.stage == expected.stage)
            #expect(attempt.scope == expected.scope)
            #expect(attempt.relay == "fake")
            if let reply = expected.reply { #expect(attempt.reply == reply) } else { #expect(attempt.reply != nil) }
            #expect(try #require(fixture.server.faults.first.map { fixture.server.ledger.firingCount(of: $0) }) >= 1)
            guard expected.state == .deferred else {
                #expect(status.nextAttemptAt == nil)
                return
            }
            let pause = try #require(status.nextAttemptAt).timeSince(try #require(attempt.finishedAt))
            #expect(pause > .seconds(99) && pause <= .seconds(100))
        }
    }
}
