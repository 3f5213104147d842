// A whole lane: the bytes that it sends, and its use of connections.

import FakeSMTP
import Foundation
import InternetMessage
import OutboxCore
import SMTPTransport
import Synchronization
import Testing

@Suite("A lane", .timeLimit(.minutes(10)))
struct LaneTests {
    @Test("sends exactly the mail's bytes, dots at line starts included, and returns the relay's words")
    func bytes() async throws {
        try await FakeSMTPServer.with { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let mail = OutgoingMail.sample(body: ".\r\n..\r\n.hidden\r\nlast line without its end\r\n")
            guard case .accepted(let reply) = await lane.send(mail) else {
                Issue.record("the mail was not accepted")
                return
            }
            let accepted = try #require(server.ledger.accepted.first)
            #expect(accepted.bytes == mail.content)
            #expect(accepted.mailFrom == "no-reply@example.com")
            #expect(accepted.recipients == ["ann@example.com"])
            #expect(accepted.parameters["SIZE"] == String(mail.content.count))
            #expect(reply.code == 250)
            #expect(reply.queueID == accepted.queueID)
        }
    }

    @Test("runs on a thread that the kernel knows by the lane's number")
    func threadName() async throws {
        let lane = SMTPLane(
            relay: SMTPRelay(RelayConfiguration(name: "nobody", url: "smtp://127.0.0.1:9", tls: .none)),
            number: 4711
        )
        await lane.closeConnection()
        let threads = "/proc/self/task"
        let names = try FileManager.default.contentsOfDirectory(atPath: threads).compactMap { thread in
            // A thread that has ended meanwhile has no name.
            try? String(contentsOfFile: "\(threads)/\(thread)/comm", encoding: .utf8)
        }
        #expect(names.contains("lane-4711\n"))
        // A lane that is needed no more may end before the list is read.
        await lane.closeConnection()
    }

    @Test("keeps its connection for the next mails")
    func reuse() async throws {
        try await FakeSMTPServer.with { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for _ in 1...20 { #expect(await lane.send(.sample()).isAccepted) }
            #expect(server.ledger.connectionCount == 1)
        }
    }

    @Test("replaces its connection after the configured number of messages")
    func messagesPerConnection() async throws {
        try await FakeSMTPServer.with { server in
            let relay = SMTPRelay(server).with { $0.configuration.messagesPerConnection = 3 }
            let lane = SMTPLane(relay: relay, number: 1)
            for _ in 1...7 { #expect(await lane.send(.sample()).isAccepted) }
            #expect(server.ledger.connectionCount == 3)
            #expect(server.ledger.commands["QUIT"] == 2)
        }
    }

    @Test("reconnects when the relay closes after a number of messages, without losing an attempt")
    func relayLimitsMessages() async throws {
        var options = FakeSMTPServer.Options()
        options.messagesPerConnection = 2
        try await FakeSMTPServer.with(options) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for _ in 1...6 { #expect(await lane.send(.sample()).isAccepted) }
            #expect(server.ledger.acceptedCount == 6)
            #expect(server.ledger.connectionCount == 3)
            // Two refusals after the same number of mails are enough: now the lane closes first.
            let attempts = server.ledger.commands["MAIL"]
            #expect(attempts == 8 && server.ledger.commands["QUIT"] == nil)
            for _ in 1...6 { #expect(await lane.send(.sample()).isAccepted) }
            #expect(server.ledger.commands["MAIL"] == 14 && server.ledger.commands["QUIT"] == 3)
        }
    }

    @Test(
        "follows the limit of mails that the relay announces",
        arguments: ["LIMITS MAILMAX=2", "LIMITS RCPTMAX=1 MAILMAX=2"]
    )
    func announcedLimit(line: String) async throws {
        var options = FakeSMTPServer.Options()
        options.messagesPerConnection = 2
        options.ehloLines = ["PIPELINING", line]
        try await FakeSMTPServer.with(options) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for _ in 1...6 { #expect(await lane.send(.sample()).isAccepted) }
            #expect(server.ledger.commands["MAIL"] == 6)
        }
    }

    @Test("counts refused mails, too, against the limit that the relay offers, and tells it")
    func offeredLimit() async throws {
        var options = FakeSMTPServer.Options()
        options.mailMax = 2
        try await FakeSMTPServer.with(options, faults: ["rcpt: reply 550 5.1.1 every 2"]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let told = Mutex<[Int?]>([])
            for number in 1...6 {
                let mail = OutgoingMail(
                    envelopeSender: "no-reply@example.com",
                    recipient: "ann@example.com",
                    content: Array("Subject: test\r\n\r\n".utf8),
                    didLimitMails: { limit in told.withLock { $0.append(limit) } }
                )
                #expect(await lane.send(mail).isAccepted == (number % 2 == 1))
            }
            #expect(server.ledger.commands["MAIL"] == 6 && server.ledger.connectionCount == 3)
            #expect(told.withLock(\.self) == [2, 2, 2])
        }
    }

    @Test("reconnects when the relay closes idle connections, with or without a word", arguments: [true, false])
    func relayClosesIdleConnections(saysGoodbye: Bool) async throws {
        var options = FakeSMTPServer.Options()
        options.idleTimeout = .seconds(10)
        options.saysGoodbyeWhenIdle = saysGoodbye
        try await FakeSMTPServer.with(options) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            try await server.ledger.waitForDisconnections(count: 1)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.acceptedCount == 2)
        }
    }

    @Test("sends QUIT on a close request, and reconnects for the next mail")
    func closing() async throws {
        try await FakeSMTPServer.with { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            await lane.closeConnection()
            try await server.ledger.waitForDisconnections(count: 1)
            #expect(server.ledger.commands["QUIT"] == 1)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.connectionCount == 2)
        }
    }

    /// Longer than a test, so a wait for it never ends.
    private static let forEver = Duration.seconds(3600)

    @Test("reports the result of a connection's last mail before it sends QUIT")
    func reportBeforeQuit() async throws {
        let hang: Fault = "quit: hang"
        try await FakeSMTPServer.with(faults: [hang]) { server in
            let relay = SMTPRelay(server).with { $0.configuration.messagesPerConnection = 2 }
            let lane = SMTPLane(relay: relay, number: 1, closingTimeout: .milliseconds(100))
            for _ in 1...2 {
                #expect(await lane.send(.sample()).isAccepted)
                #expect(server.ledger.commands["QUIT"] == nil)
            }
            await lane.closeFullConnection()
            try await server.ledger.waitForFiring(of: hang)
        }
    }

    @Test("waits for the answer to QUIT until its limit at most", arguments: [false, true])
    func unansweredQuit(usesTLS: Bool) async throws {
        let hang: Fault = "quit: hang"
        try await FakeSMTPServer.with(.init(tls: usesTLS ? .startTLS : .none), faults: [hang]) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: usesTLS ? .required : .none).with {
                    if usesTLS { $0.configuration.caFile = file }
                    $0.configuration.replyTimeout = Self.forEver
                }
                let lane = SMTPLane(relay: relay, number: 1, closingTimeout: .milliseconds(100))
                #expect(await lane.send(.sample()).isAccepted)
                await lane.closeConnection()
                try await server.ledger.waitForFiring(of: hang)
                #expect(await lane.send(.sample()).isAccepted)
                #expect(server.ledger.connectionCount == 2)
            }
        }
    }

    @Test("sends a mail at once that arrives while QUIT is unanswered")
    func mailDuringQuit() async throws {
        let hang: Fault = "quit: hang"
        try await FakeSMTPServer.with(faults: [hang]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1, closingTimeout: Self.forEver)
            #expect(await lane.send(.sample()).isAccepted)
            async let closing: Void = lane.closeConnection()
            try await server.ledger.waitForFiring(of: hang)
            #expect(await lane.send(.sample()).isAccepted)
            await closing
        }
    }

    @Test("leaves a relay that never answers QUIT without waiting", arguments: [false, true])
    func leaving(usesTLS: Bool) async throws {
        let hang: Fault = "quit: hang"
        try await FakeSMTPServer.with(.init(tls: usesTLS ? .startTLS : .none), faults: [hang]) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: usesTLS ? .required : .none).with {
                    if usesTLS { $0.configuration.caFile = file }
                }
                let lane = SMTPLane(relay: relay, number: 1, closingTimeout: Self.forEver)
                #expect(await lane.send(.sample()).isAccepted)
                await lane.leave()
                // QUIT was sent nevertheless.
                try await server.ledger.waitForFiring(of: hang)
            }
        }
    }

    @Test(
        "a refusal is told at once, and leaves the connection in use",
        arguments: ["mail", "rcpt", "data", "finalDot"],
        [true, false]
    )
    func refusalKeepsConnection(stage: String, isPipelined: Bool) async throws {
        var options = FakeSMTPServer.Options()
        if !isPipelined { options.offers.remove(.pipelining) }
        try await FakeSMTPServer.with(options, faults: [try Fault(parsing: "\(stage): reply 550 5.1.1 nth 1")]) {
            server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).failure?.reply?.code == 550)
            // With PIPELINING, RSET follows at once: its reply shows that the refusal was the group's.
            let resets = isPipelined && stage != "finalDot" || ["rcpt", "data"].contains(stage) ? 1 : nil
            #expect(server.ledger.commands["RSET"] == (isPipelined ? resets : nil))
            #expect(server.ledger.commands["QUIT"] == nil)
            for _ in 1...2 { #expect(await lane.send(.sample()).isAccepted) }
            #expect(server.ledger.connectionCount == 1)
            // The transaction that the refusal left open is reset before the next mail.
            #expect(server.ledger.commands["RSET"] == resets)
        }
    }

    @Test(
        "sends the commands of a mail together where PIPELINING is offered, and never more than RFC 2920 allows"
    )
    func pipelining() async throws {
        func send(_ options: FakeSMTPServer.Options) async throws -> Ledger.Connection {
            let fault: Fault = "rcpt: reply 550 5.1.1 nth 2"
            return try await FakeSMTPServer.with(options, faults: [fault]) { server in
                let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
                #expect(await lane.send(.sample()).isAccepted)
                #expect(await lane.send(.sample()).failure?.reply?.code == 550)
                #expect(await lane.send(.sample(body: .manyLines(octets: 200_000))).isAccepted)
                #expect(server.ledger.connectionCount == 1)
                return try #require(server.ledger.connections.first)
            }
        }
        let offered = try await send(.init())
        // RCPT and DATA follow without a reply.
        #expect(offered.pipelinedCommands == 6 && offered.synchronizationErrors == 0)
        var options = FakeSMTPServer.Options()
        options.offers.remove(.pipelining)
        let withheld = try await send(options)
        #expect(withheld.pipelinedCommands == 0 && withheld.synchronizationErrors == 0)
    }

    @Test(
        "replaces a connection after too many refusals in a row, before the relay slows it down",
        arguments: [true, false]
    )
    func manyRefusals(isPipelined: Bool) async throws {
        var options = FakeSMTPServer.Options()
        if !isPipelined { options.offers.remove(.pipelining) }
        try await FakeSMTPServer.with(options, faults: ["rcpt: reply 550 5.1.1 for nobody@example.com"]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for _ in 1...9 { #expect(await lane.send(.sample(to: "nobody@example.com")).failure?.reply?.code == 550) }
            // With PIPELINING, each refused recipient has two negative replies: DATA gets one as well.
            let connections = isPipelined ? 5 : 3
            #expect(server.ledger.connectionCount == connections)
            #expect(server.ledger.commands["QUIT"] == connections - 1)
            // An accepted mail resets the count.
            let refused = Array(repeating: "nobody", count: isPipelined ? 1 : 3)
            for recipient in ["ann"] + refused + ["ann", "nobody"] {
                _ = await lane.send(.sample(to: "\(recipient)@example.com"))
            }
            #expect(server.ledger.acceptedCount == 2)
            #expect(server.ledger.connectionCount == connections)
        }
    }

    @Test("introduces itself by the configured name", arguments: ["mail.example.com", "[127.0.0.1]"])
    func helo(name: String) async throws {
        let lines = AsyncStream<String>.makeStream()
        var options = FakeSMTPServer.Options()
        options.log = { line in lines.continuation.yield(line) }
        try await FakeSMTPServer.with(options) { server in
            let lane = SMTPLane(relay: SMTPRelay(server).with { $0.configuration.helo = name }, number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            lines.continuation.finish()
            var said: [String] = []
            for await line in lines.stream where line.contains("EHLO") { said.append(line) }
            #expect(said.count == 1 && said.first?.hasSuffix("EHLO \(name)") == true, "\(said)")
        }
    }

    @Test("falls back to HELO where EHLO is unknown")
    func heloOnly() async throws {
        var options = FakeSMTPServer.Options()
        options.understandsEHLO = false
        try await FakeSMTPServer.with(options) { server in
            #expect(await SMTPLane(relay: SMTPRelay(server), number: 1).send(.sample()).isAccepted)
            #expect(server.ledger.commands["HELO"] == 1)
        }
    }

    @Test("reports a closed port, and a name that doesn't exist")
    func unreachable() async throws {
        let server = try await FakeSMTPServer.start()
        let port = server.port
        await server.stop()
        let closed = SMTPRelay(RelayConfiguration(name: "closed", url: "smtp://127.0.0.1:\(port)", tls: .none))
        let refused = try #require(await SMTPLane(relay: closed, number: 1).send(.sample()).failure)
        #expect(refused.cause == .couldNotConnect && refused.stage == .connect && !refused.isUncertain)

        let nameless = SMTPRelay(RelayConfiguration(name: "nameless", url: "smtp://relay.invalid:25", tls: .none))
        let unknown = try #require(await SMTPLane(relay: nameless, number: 1).send(.sample()).failure)
        #expect(unknown.cause == .couldNotResolve && unknown.stage == .connect)
    }

    @Test("a slow relay is not a broken relay")
    func delay() async throws {
        try await FakeSMTPServer.with(faults: ["finalDot: delay 200ms", "connect: delay 200ms"]) { server in
            #expect(await SMTPLane(relay: SMTPRelay(server), number: 1).send(.sample()).isAccepted)
        }
    }

    @Test(
        "gives up on a silent recipient when it may wait no longer, sends no content, and carries the next mail",
        arguments: [false, true]
    )
    func stopsWaiting(holdsReplies: Bool) async throws {
        var options = FakeSMTPServer.Options()
        options.holdsReplies = holdsReplies
        try await FakeSMTPServer.with(options, faults: ["rcpt: hang for slow@example.com"]) { server in
            var relay = SMTPRelay(server)
            relay.configuration.replyTimeout = .seconds(3600)
            let lane = SMTPLane(relay: relay, number: 1)
            let mail = OutgoingMail(
                envelopeSender: "no-reply@example.com",
                recipient: "slow@example.com",
                content: [],
                mayWait: { false }
            )
            let failure = try #require(await lane.send(mail).failure)
            #expect(failure.stage == .rcpt && failure.cause == .timedOut && !failure.isUncertain)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.acceptedCount == 1)
            // The relay may have lost a command, so the next connection is in lockstep.
            #expect(server.ledger.connections.map(\.pipelinedCommands) == [2, 0])
        }
    }

    @Test("asks whether it may wait even while the relay sends a little now and then")
    func tricklingRelay() async throws {
        try await FakeSMTPServer.with(faults: ["rcpt: hang"]) { server in
            let relay = SMTPRelay(server).with { $0.configuration.replyTimeout = .seconds(3600) }
            let lane = SMTPLane(relay: relay, number: 1)
            let mail = OutgoingMail(
                envelopeSender: "no-reply@example.com",
                recipient: "slow@example.com",
                content: [],
                mayWait: { false }
            )
            let trickle = Task {
                while !Task.isCancelled {
                    try await server.interject(Array("150 wait\r\n".utf8))
                    try await Task.sleep(for: .milliseconds(200))
                }
            }
            defer { trickle.cancel() }
            let failure = try #require(await lane.send(mail).failure)
            #expect(failure.cause == .timedOut)
        }
    }

    @Test("tries a stale connection, a pipelined one and one in lockstep, and none after that", arguments: [3, 4])
    func threeConnections(drops: Int) async throws {
        let faults = try (2...drops).map { try Fault(parsing: "mail: drop nth \($0)") }
        try await FakeSMTPServer.with(faults: faults) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).isAccepted)
            let result = await lane.send(.sample())
            // RCPT and DATA of the first mail, then what followed each MAIL that met the end of its connection.
            #expect(server.ledger.connections.map(\.pipelinedCommands) == [3, 1, 0])
            #expect(result.isAccepted == (drops == 3))
            #expect(drops == 3 || result.failure?.stage == .mail)
        }
    }

    @Test("lanes share what one of them learnt about the relay's PIPELINING")
    func sharedTrust() async throws {
        try await FakeSMTPServer.with(faults: ["rcpt: garbled nth 1"]) { server in
            let relay = SMTPRelay(server)
            #expect(await SMTPLane(relay: relay, number: 1).send(.sample()).isAccepted)
            #expect(await SMTPLane(relay: relay, number: 2).send(.sample()).isAccepted)
            #expect(server.ledger.connections.map(\.pipelinedCommands) == [2, 0, 0])
        }
    }

    @Test("says the relay's refusal where no other connection can be had to confirm it")
    func refusalWithoutConfirmation() async throws {
        let faults: [Fault] = [
            #"mail: raw "501 5.5.4 syntax error\r\n" then drop"#, #"connect: reply 554 5.7.1 "no" nth 2"#,
        ]
        try await FakeSMTPServer.with(faults: faults) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let failure = try #require(await lane.send(.sample()).failure)
            #expect(failure.reply?.code == 501 && failure.stage == .mail)
            #expect(server.ledger.connectionCount == 2)
        }
    }

    @Test("a late answer to the last mail never counts as an answer to the next")
    func lateReply() async throws {
        let delay: Fault = "finalDot: delay 20s nth 1"
        try await FakeSMTPServer.with(faults: [delay]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let failure = try #require(await lane.send(.sample()).failure)
            #expect(failure.isUncertain && failure.cause == .timedOut)
            #expect(await lane.send(.sample(to: "bob@example.com")).isAccepted)
            #expect(server.ledger.connectionCount == 2)
            #expect(server.ledger.accepted.last?.recipients == ["bob@example.com"])
        }
    }

    @Test("a refusal of the final dot leaves the connection in use")
    func refusedContent() async throws {
        try await FakeSMTPServer.with(faults: ["finalDot: reply 554 5.7.1 \"no\" nth 1"]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample()).failure?.reply?.code == 554)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.connectionCount == 1)
        }
    }

    @Test("a waiting lane blocks no other lane")
    func independence() async throws {
        let hang: Fault = "finalDot: hang for slow@example.com"
        try await FakeSMTPServer.with(faults: [hang]) { server in
            let slow = SMTPLane(relay: SMTPRelay(server), number: 1)
            let quick = SMTPLane(relay: SMTPRelay(server), number: 2)
            async let hanging = slow.send(.sample(to: "slow@example.com"))
            try await server.ledger.waitForFiring(of: hang)
            for _ in 1...5 { #expect(await quick.send(.sample()).isAccepted) }
            #expect(try #require(await hanging.failure).cause == .timedOut)
        }
    }

    @Test("an abort from outside ends the current mail, and nothing is sent afterwards")
    func abort() async throws {
        let hang: Fault = "finalDot: hang"
        try await FakeSMTPServer.with(faults: [hang]) { server in
            let relay = SMTPRelay(server).with { $0.configuration.replyTimeout = .seconds(60) }
            let lane = SMTPLane(relay: relay, number: 1)
            async let sending = lane.send(.sample())
            try await server.ledger.waitForFiring(of: hang)
            lane.abortSending()
            let failure = try #require(await sending.failure)
            #expect(failure.cause == .interrupted && failure.isUncertain)
            let next = try #require(await lane.send(.sample()).failure)
            #expect(next.cause == .interrupted && !next.isUncertain)
            #expect(server.ledger.commands["MAIL"] == 1)
        }
    }

    @Test("a non-ASCII address is sent with SMTPUTF8")
    func internationalAddress() async throws {
        try await FakeSMTPServer.with { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample(to: "山田@example.com")).isAccepted)
            let mail = try #require(server.ledger.accepted.first)
            #expect(mail.recipients == ["山田@example.com"])
            #expect(mail.parameters.keys.contains("SMTPUTF8"))
        }
    }
}
