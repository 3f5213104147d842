// Rare or wrong replies over real sockets. The folder Dialogues has the same on values.

import FakeSMTP
import Foundation
import InternetMessage
import OutboxCore
import SMTPTransport
import Synchronization
import Testing

@Suite("Odd replies", .timeLimit(.minutes(10)))
struct OddReplyTests {
    @Test("any 2yz to the final dot is acceptance", arguments: [200, 221, 250, 251, 252, 254, 299])
    func positiveDot(code: Int) async throws {
        try await FakeSMTPServer.with(faults: [try Fault(parsing: "finalDot: reply \(code) \"taken\"")]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for _ in 1...3 {
                guard case .accepted(let reply) = await lane.send(.sample()) else {
                    Issue.record("\(code) is no acceptance")
                    return
                }
                #expect(reply.code == code && reply.text == "taken")
            }
            #expect(server.ledger.acceptedCount == 3)
            #expect(server.ledger.connectionCount == 1)
        }
    }

    @Test("any 2yz to MAIL and RCPT is positive", arguments: [200, 251, 252, 299])
    func positiveEnvelope(code: Int) async throws {
        let faults = [try Fault(parsing: "mail: reply \(code)"), try Fault(parsing: "rcpt: reply \(code)")]
        try await FakeSMTPServer.with(faults: faults) { server in
            #expect(await SMTPLane(relay: SMTPRelay(server), number: 1).send(.sample()).isAccepted)
        }
    }

    @Test(
        "empty lines are passed over at every stage",
        arguments: [("connect", 220), ("ehlo", 250), ("mail", 250), ("rcpt", 250), ("data", 354), ("finalDot", 250)]
    )
    func emptyLines(stage: String, code: Int) async throws {
        let octets = #"\r\n\r\n\#(code)-one\r\n\r\n\#(code) two\r\n"#
        try await FakeSMTPServer.with(faults: [try Fault(parsing: "\(stage): raw \"\(octets)\"")]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for _ in 1...2 { #expect(await lane.send(.sample()).isAccepted) }
            #expect(server.ledger.acceptedCount == 2 && server.ledger.connectionCount == 1)
        }
    }

    @Test(
        "empty lines behind a whole reply disturb nothing",
        arguments: [("mail", 250), ("rcpt", 250), ("finalDot", 251)]
    )
    func emptyLinesBehind(stage: String, code: Int) async throws {
        let fault = try Fault(parsing: #"\#(stage): raw "\#(code)-\r\n\r\n\#(code) ok\r\n\r\n\r\n""#)
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for _ in 1...3 { #expect(await lane.send(.sample()).isAccepted) }
            #expect(server.ledger.acceptedCount == 3 && server.ledger.connectionCount == 1)
        }
    }

    @Test(
        "a second answer to every final dot costs a connection each, and nothing else",
        arguments: ["250 2.0.0 again", "550 5.1.1 no such user", "421 4.3.2 closing", "250-half"],
        [false, true]
    )
    func secondAnswers(second: String, usesTLS: Bool) async throws {
        let fault = try Fault(parsing: #"finalDot: raw "250 2.0.0 taken\r\n\#(second)\r\n""#)
        try await FakeSMTPServer.with(.init(tls: usesTLS ? .startTLS : .none), faults: [fault]) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: usesTLS ? .required : .none).with {
                    if usesTLS { $0.configuration.caFile = file }
                }
                let lane = SMTPLane(relay: relay, number: 1)
                for number in 1...10 {
                    #expect(await lane.send(.sample(to: "u\(number)@example.com")).isAccepted)
                }
                #expect(server.ledger.accepted.map(\.recipients) == (1...10).map { ["u\($0)@example.com"] })
                #expect(server.ledger.connectionCount == 10)
            }
        }
    }

    @Test(
        "a single stray answer costs one reconnect and no mail",
        arguments: [
            #"finalDot: raw "250 taken\r\n550 5.1.1 no such user\r\n" nth 3"#,
            #"mail: raw "250 ok\r\n250 ok\r\n" nth 3"#,
            #"rcpt: raw "250 ok\r\n550 no\r\n" nth 3"#, #"data: raw "354 go\r\n250 taken\r\n" nth 3"#,
            #"data: raw "250 ok\r\n" nth 3"#, #"rcpt: raw "250 ok\r\n250" nth 3"#,
        ]
    )
    func singleStray(text: String) async throws {
        let fault = try Fault(parsing: text)
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for number in 1...10 {
                #expect(await lane.send(.sample(to: "u\(number)@example.com")).isAccepted)
            }
            #expect(server.ledger.accepted.map(\.recipients) == (1...10).map { ["u\($0)@example.com"] })
            #expect(server.ledger.connectionCount == 2)
            #expect(server.ledger.firingCount(of: fault) == 1)
        }
    }

    @Test(
        "an answer to nothing that comes while the connection is idle costs one reconnect and no mail",
        arguments: ["550 5.1.1 no such user\r\n", "250 ok\r\n", "25", "421 4.4.2 idle for too long\r\n"],
        [false, true]
    )
    func idleStray(stray: String, usesTLS: Bool) async throws {
        try await FakeSMTPServer.with(.init(tls: usesTLS ? .startTLS : .none)) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: usesTLS ? .required : .none).with {
                    if usesTLS { $0.configuration.caFile = file }
                }
                let lane = SMTPLane(relay: relay, number: 1)
                #expect(await lane.send(.sample()).isAccepted)
                try await server.interject(Array(stray.utf8))
                #expect(await lane.send(.sample()).isAccepted)
                #expect(server.ledger.acceptedCount == 2 && server.ledger.connectionCount == 2)
            }
        }
    }

    @Test("an empty line on an idle connection is ignored")
    func idleEmptyLine() async throws {
        try await FakeSMTPServer.with { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            try await server.interject(Array("\r\n".utf8))
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.connectionCount == 1)
        }
    }

    @Test(
        "a relay that is always out of step takes nothing that it did not accept",
        arguments: [
            #"connect: raw "220 x\r\n250 sink\r\n250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 taken\r\n""#,
            #"ehlo: raw "250 sink\r\n250 extra\r\n""#, #"mail: raw "250 ok\r\n250 ok\r\n""#,
            #"rcpt: raw "250 ok\r\n354 go\r\n""#, #"data: raw "354 go\r\n250 2.0.0 taken\r\n""#,
            #"mail: raw "250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n""#,
        ]
    )
    func alwaysOutOfStep(text: String) async throws {
        try await FakeSMTPServer.with(faults: [try Fault(parsing: text)]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let result = await lane.send(.sample())
            if result.isAccepted {
                #expect(server.ledger.acceptedCount == 1)
            } else {
                let failure = try #require(result.failure)
                #expect(failure.cause == .outOfStep, "\(failure)")
                #expect(!failure.isUncertain)
                #expect(failure.detail.hasPrefix("the relay sent a reply that answers no command"))
                #expect(server.ledger.acceptedCount == 0)
                // One more try, not several in a row.
                #expect(server.ledger.connectionCount == 2)
            }
        }
    }

    @Test("a positive reply in the middle of the content doesn't answer the final dot", arguments: [false, true])
    func yesWithinContent(usesTLS: Bool) async throws {
        let faults: [Fault] = [#"body: raw "250 2.0.0 taken\r\n""#, #"finalDot: reply 554 5.6.0 "no""#]
        var options = FakeSMTPServer.Options(tls: usesTLS ? .startTLS : .none)
        options.offers.remove(.size)
        try await FakeSMTPServer.with(options, faults: faults) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: usesTLS ? .required : .none).with {
                    if usesTLS { $0.configuration.caFile = file }
                }
                // More than the buffers of both sides together, so that the relay answers before the end of the
                // content.
                let mail = OutgoingMail.sample(body: .manyLines(octets: 14_000_000))
                let failure = try #require(await SMTPLane(relay: relay, number: 1).send(mail).failure)
                #expect(failure.cause == .outOfStep && failure.stage == .body && !failure.isUncertain, "\(failure)")
                #expect(server.ledger.acceptedCount == 0 && server.ledger.connectionCount == 2)
            }
        }
    }

    @Test("a relay that never stops talking ends the attempt", arguments: ["150 wait", "", "250-still thinking"])
    func endlessTalk(line: String) async throws {
        let octets = Array(String(repeating: line + "\r\n", count: 1_000_000 / (line.utf8.count + 2)).utf8)
        let fault = try Fault(at: .rcpt, .raw(octets))
        // In lockstep, so that no later reply ends the talk.
        var options = FakeSMTPServer.Options()
        options.offers.remove(.pipelining)
        try await FakeSMTPServer.with(options, faults: [fault]) { server in
            let relay = SMTPRelay(server)
            let lane = SMTPLane(relay: relay, number: 1)
            async let sending = lane.send(.sample())
            try await server.ledger.waitForFiring(of: fault)
            try await server.interject(octets)
            let failure = try #require(await sending.failure)
            #expect(failure.cause == .garbledReply && failure.stage == .rcpt, "\(failure)")
        }
    }

    @Test("an answer to the final dot that is neither positive nor negative leaves the mail uncertain")
    func intermediateDot() async throws {
        try await FakeSMTPServer.with(faults: [#"finalDot: raw "354 go\r\n""#]) { server in
            let failure = try #require(await SMTPLane(relay: SMTPRelay(server), number: 1).send(.sample()).failure)
            #expect(failure.cause == .outOfStep && failure.isUncertain && failure.stage == .finalDot)
            #expect(server.ledger.connectionCount == 1)
        }
    }

    @Test("a refusal is read although the connection is reset right after it", arguments: [false, true])
    func refusalBeforeReset(usesTLS: Bool) async throws {
        let faults: [Fault] = [
            #"body: raw "421 4.3.2 going down\r\n" then reset for big@example.com"#,
            #"finalDot: raw "554 5.7.1 no\r\n" then reset"#,
        ]
        try await FakeSMTPServer.with(.init(tls: usesTLS ? .startTLS : .none), faults: faults) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: usesTLS ? .required : .none).with {
                    if usesTLS { $0.configuration.caFile = file }
                }
                let small = try #require(await SMTPLane(relay: relay, number: 1).send(.sample()).failure)
                #expect(small.detail == "554 5.7.1 no" && !small.isUncertain)
                let mail = OutgoingMail.sample(to: "big@example.com", body: .manyLines(octets: 8_000_000))
                let big = try #require(await SMTPLane(relay: relay, number: 2).send(mail).failure)
                #expect(big.detail == "421 4.3.2 going down" && !big.isUncertain, "\(big)")
            }
        }
    }

    @Test(
        "a mail whose final dot never went out is not uncertain",
        arguments: ["body: hang", "body: reset", "body: drop"]
    )
    func beforeTheDot(text: String) async throws {
        var options = FakeSMTPServer.Options()
        options.maximumMessageSize = 100_000_000
        try await FakeSMTPServer.with(options, faults: [try Fault(parsing: text)]) { server in
            let relay = SMTPRelay(server).with {
                // Of the content alone, because a busy machine may answer the other commands late.
                $0.configuration.stageTimeouts[.body] = .seconds(text.hasSuffix("hang") ? 5 : 60)
                $0.configuration.replyTimeout = .seconds(60)
            }
            // More than the buffers of both sides together.
            let mail = OutgoingMail.sample(body: .manyLines(octets: 14_000_000))
            let failure = try #require(await SMTPLane(relay: relay, number: 1).send(mail).failure)
            #expect(failure.stage == .body && !failure.isUncertain, "\(failure)")
            #expect(failure.cause == (text.hasSuffix("hang") ? .timedOut : .connectionLost))
        }
    }

    @Test(
        "a relay that stops reading for a while gets every octet",
        arguments: [FakeSMTPServer.TLSMode.none, .startTLS, .implicit]
    )
    func slowReader(tls: FakeSMTPServer.TLSMode) async throws {
        try await FakeSMTPServer.with(.init(tls: tls), faults: ["body: delay 2s"]) { server in
            try await withCAFile(of: server) { file in
                let scheme = tls == .implicit ? "smtps" : "smtp"
                let relay = SMTPRelay(server, tls: tls == .none ? .none : .required, scheme: scheme).with {
                    if tls != .none { $0.configuration.caFile = file }
                    $0.configuration.connectTimeout = .seconds(60)
                    $0.configuration.replyTimeout = .seconds(60)
                    $0.configuration.finalDotTimeout = .seconds(60)
                }
                let mail = OutgoingMail.sample(body: .manyLines(octets: 5_000_000))
                let lane = SMTPLane(relay: relay, number: 1)
                #expect(await lane.send(mail).isAccepted)
                #expect(server.ledger.accepted.first?.bytes == mail.content)
                #expect(await lane.send(.sample()).isAccepted)
                #expect(server.ledger.connectionCount == 1)
            }
        }
    }

    @Test("the final dot has its own time limit")
    func finalDotLimit() async throws {
        try await FakeSMTPServer.with(faults: ["finalDot: delay 8s nth 1", "finalDot: hang nth 2"]) { server in
            let relay = SMTPRelay(server).with {
                $0.configuration.connectTimeout = .seconds(60)
                $0.configuration.replyTimeout = .seconds(5)
                $0.configuration.finalDotTimeout = .seconds(60)
            }
            let lane = SMTPLane(relay: relay, number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            await lane.use(relay.with { $0.configuration.finalDotTimeout = .seconds(2) })
            let failure = try #require(await lane.send(.sample()).failure)
            #expect(failure.cause == .timedOut && failure.isUncertain && failure.stage == .finalDot)
        }
    }

    @Test("a lane that was delayed beyond its limit still reads an answer that came in time")
    func heldUp() async throws {
        try await FakeSMTPServer.with { server in
            let relay = SMTPRelay(server).with { $0.configuration.finalDotTimeout = .milliseconds(100) }
            let mail = OutgoingMail(
                envelopeSender: "no-reply@example.com",
                recipient: "ann@example.com",
                content: Array("Subject: test\r\n\r\nHello\r\n".utf8),
                didHandOver: { [ledger = server.ledger] in
                    while ledger.acceptedCount == 0 { usleep(1000) }
                    // The ledger has the entry a moment before the reply is sent.
                    usleep(1_000_000)
                }
            )
            #expect(await SMTPLane(relay: relay, number: 1).send(mail).isAccepted)
        }
    }

    @Test("reports when the final dot was written, and only then")
    func handingOver() async throws {
        let calls = Mutex(0)
        func mail(to recipient: String) -> OutgoingMail {
            OutgoingMail(
                envelopeSender: "no-reply@example.com",
                recipient: recipient,
                content: Array("Subject: test\r\n\r\nHello\r\n".utf8),
                didHandOver: { calls.withLock { $0 += 1 } }
            )
        }
        let faults: [Fault] = ["rcpt: reply 550 for bad@example.com", "finalDot: reply 554 for late@example.com"]
        try await FakeSMTPServer.with(faults: faults) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(!(await lane.send(mail(to: "bad@example.com")).isAccepted))
            #expect(calls.withLock { $0 } == 0)
            #expect(!(await lane.send(mail(to: "late@example.com")).isAccepted))
            #expect(calls.withLock { $0 } == 1)
            #expect(await lane.send(mail(to: "ann@example.com")).isAccepted)
            #expect(calls.withLock { $0 } == 2)
        }
    }

    @Test(
        "sending can be ended at any stage",
        arguments: ["connect", "ehlo", "startTLS", "auth", "mail", "rcpt", "data", "body", "finalDot"]
    )
    func abort(stage: String) async throws {
        let hang = try Fault(parsing: "\(stage): hang")
        var options = FakeSMTPServer.Options(tls: .startTLS, credentials: ["outboxd": "CANARY-p4ss"])
        options.maximumMessageSize = 100_000_000
        try await FakeSMTPServer.with(options, faults: [hang]) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: .required).with {
                    $0.configuration.caFile = file
                    $0.credentials = SMTPCredentials(user: "outboxd", password: "CANARY-p4ss")
                    $0.configuration.connectTimeout = .seconds(3600)
                    $0.configuration.replyTimeout = .seconds(3600)
                    $0.configuration.finalDotTimeout = .seconds(3600)
                }
                let lane = SMTPLane(relay: relay, number: 1)
                // So much content that the lane waits for room to write.
                let mail = OutgoingMail.sample(body: .manyLines(octets: stage == "body" ? 14_000_000 : 100))
                async let sending = lane.send(mail)
                try await server.ledger.waitForFiring(of: hang)
                lane.abortSending()
                let failure = try #require(await sending.failure)
                #expect(failure.cause == .interrupted)
                #expect(failure.isUncertain == (stage == "finalDot"))
            }
        }
    }
}

extension String {
    /// Lines of text, some with a dot at the start.
    static func manyLines(octets: Int) -> String {
        let line = "." + String(repeating: "x", count: 69) + "\r\n" + String(repeating: "y", count: 70) + "\r\n"
        return String(repeating: line, count: octets / line.utf8.count + 1)
    }
}
