// Each kind of fault at each stage, over a real socket. A combination that makes no sense must be rejected, never
// skipped.

import FakeSMTP
import NIOCore
import NIOPosix
import Testing

@Suite("Each kind of fault at each stage", .timeLimit(.minutes(10)))
struct FaultMatrixTests {
    @Test(
        "does what it says, or is refused where it makes no sense",
        arguments: Fault.Stage.allCases,
        FaultKind.allCases
    )
    func cell(stage: Fault.Stage, kind: FaultKind) async throws {
        guard kind.fits(stage) else {
            let error = #expect(throws: FaultError.self) { try Fault(at: stage, kind.action(at: stage)) }
            #expect(error?.expected.isEmpty == false)
            return
        }
        let fault = try Fault(at: stage, kind.action(at: stage))
        var options = FakeSMTPServer.Options(tls: .startTLS, credentials: ["ann": "secret"])
        options.offersAuthenticationBeforeTLS = true
        try await FakeSMTPServer.with(options, faults: [fault]) { server in
            let client: RawClient
            let connecting = ContinuousClock.now
            do {
                client = try await RawClient.connect(to: server)
            } catch is NIOConnectionError where stage == .connect && kind == .reset {
                // The reset arrived before the client noticed that it was connected.
                try await server.ledger.waitForFiring(of: fault)
                return
            }
            // The greeting may have arrived before this point of the test.
            let begin = stage == .connect ? connecting : .now
            try await Self.reach(stage, client)
            try await Self.check(kind, at: stage, client, server, fault, since: begin)
            let firings = try await server.ledger.waitForFiring(of: fault)
            #expect(firings.map(\.fault) == [fault])
            #expect(server.ledger.firingCount(of: fault) == 1)
            let isAccepted =
                stage == .quit || kind == .acceptDrop
                || [.delay, .replyPositive].contains(kind) && [.data, .body, .finalDot].contains(stage)
            #expect(server.ledger.accepted.map(\.isAnswered) == (isAccepted ? [kind != .acceptDrop] : []))
        }
    }

    /// The commands of a healthy client on its way to each stage, and the usual answers.
    private static let dialogue: [(stage: Fault.Stage, text: String, answer: String)] = [
        (.connect, "", "220"),
        (.ehlo, "EHLO client.example\r\n", "250"),
        (.startTLS, "STARTTLS\r\n", "220"),
        (.auth, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", "235"),
        (.mail, "MAIL FROM:<sender@example.com>\r\n", "250"),
        (.rcpt, "RCPT TO:<ann@example.com>\r\n", "250"),
        (.data, "DATA\r\n", "354"),
        (.body, "Subject: x\r\n", ""),
        (.finalDot, ".\r\n", "250"),
        (.quit, "QUIT\r\n", "221"),
    ]

    /// Goes through the dialogue up to the stage and leaves its answer unread. Sends STARTTLS only for that stage.
    private static func reach(_ stage: Fault.Stage, _ client: RawClient) async throws {
        for step in dialogue where step.stage != .startTLS || stage == .startTLS {
            if !step.text.isEmpty { try await client.send(step.text) }
            if step.stage == stage { return }
            if !step.answer.isEmpty {
                #expect(try await client.reply().hasPrefix(step.answer), "before the stage, at \(step.stage)")
            }
        }
    }

    private static func healthyAnswer(at stage: Fault.Stage) -> String {
        dialogue.first { $0.stage == stage }?.answer ?? ""
    }

    private static func check(
        _ kind: FaultKind,
        at stage: Fault.Stage,
        _ client: RawClient,
        _ server: FakeSMTPServer,
        _ fault: Fault,
        since begin: ContinuousClock.Instant
    ) async throws {
        switch kind {
        case .replyTemporary:
            #expect(try await client.reply() == "451-4.3.0 later\n451 4.3.0 or never")
            try await checkNotCarriedOut(at: stage, client)
        case .replyPermanent:
            #expect(try await client.reply() == "554 5.7.1 no")
            try await checkNotCarriedOut(at: stage, client)
        case .replyClosing:
            #expect(try await client.reply() == "421 4.3.2 going down")
            #expect(try await client.rest() == [])
        case .replyPositive:
            #expect(try await client.reply().hasSuffix(" as you like"))
            try await checkCarriedOut(at: stage, client)
        case .drop, .acceptDrop:
            #expect(try await client.rest() == [])
        case .reset:
            await #expect(throws: (any Error).self) { try await client.rest() }
        case .delay:
            if stage == .body {
                try await client.send(".\r\n")
                #expect(try await client.reply().hasPrefix("250"))
            } else {
                #expect(try await client.reply().hasPrefix(healthyAnswer(at: stage)))
                try await checkCarriedOut(at: stage, client)
            }
            #expect(ContinuousClock.now - begin >= .milliseconds(30))
        case .hang:
            try await server.ledger.waitForFiring(of: fault)
            try await client.send("NOOP\r\n.\r\nNOOP\r\n")
            await server.stop()
            #expect(try await client.restOrReset() == [])
        case .garbled:
            let line = try #require(try await client.line())
            let beginsWithCode = line.prefix(3).allSatisfy(\.isNumber)
            #expect(!beginsWithCode)
            try await checkNotCarriedOut(at: stage, client)
        case .breakTLS:
            if stage == .startTLS {
                #expect(try await client.reply().hasPrefix("220"))
                try await client.send([0x16, 0x03, 0x01])
            }
            // A TLS alert record: fatal, handshake_failure.
            #expect(try await client.rest() == [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28])
        }
    }

    /// The connection is still open, and the stage's command had no effect.
    private static func checkNotCarriedOut(at stage: Fault.Stage, _ client: RawClient) async throws {
        switch stage {
        case .connect: #expect(try await client.say("EHLO client.example").hasPrefix("503"))
        case .ehlo: #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("503"))
        case .startTLS: #expect(try await client.say("AUTH PLAIN AGFubgBzZWNyZXQ=").hasPrefix("235"))
        // An authenticated client would get 503 instead.
        case .auth: #expect(try await client.say("AUTH LOGIN").hasPrefix("334"))
        case .mail: #expect(try await client.say("RCPT TO:<ann@example.com>").hasPrefix("503"))
        case .rcpt: #expect(try await client.say("DATA").hasPrefix("554"))
        case .data: #expect(try await client.say("NOOP").hasPrefix("250"))
        case .body: Issue.record("no fault at body leaves the connection open")
        case .finalDot: #expect(try await client.say("RCPT TO:<ann@example.com>").hasPrefix("503"))
        case .quit: #expect(try await client.say("NOOP").hasPrefix("250"))
        }
    }

    /// The stage's command took effect.
    private static func checkCarriedOut(at stage: Fault.Stage, _ client: RawClient) async throws {
        switch stage {
        case .connect: #expect(try await client.say("EHLO client.example").hasPrefix("250"))
        case .ehlo: #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("250"))
        case .startTLS:
            // The server speaks TLS now: it answers plaintext with an alert, and closes.
            try await client.send("NOOP\r\n")
            #expect(try await client.rest().first == 0x15)
        case .auth: #expect(try await client.say("AUTH PLAIN AGFubgBzZWNyZXQ=").hasPrefix("503"))
        case .mail: #expect(try await client.say("RCPT TO:<ann@example.com>").hasPrefix("250"))
        case .rcpt: #expect(try await client.say("DATA").hasPrefix("354"))
        case .data: #expect(try await client.say("Subject: x\r\n.").hasPrefix("250"))
        case .body: Issue.record("body has no answer")
        case .finalDot: #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("250"))
        case .quit: #expect(try await client.rest() == [])
        }
    }
}

extension RawClient {
    /// Like `rest()`, but the server may also reset the connection because it left bytes unread.
    func restOrReset() async throws -> [UInt8] {
        do {
            return try await rest()
        } catch is IOError {
            return []
        }
    }
}
