// The ledger: its records, and waiting for them without polling.

import FakeSMTP
import Foundation
import TestSupport
import Testing

@Suite("The ledger", .timeLimit(.minutes(10)))
struct LedgerTests {
    private func send(
        _ client: RawClient,
        text: String = "x",
        to recipient: String = "ann@example.com"
    ) async throws -> String {
        _ = try await client.say("MAIL FROM:<sender@example.com>")
        _ = try await client.say("RCPT TO:<\(recipient)>")
        _ = try await client.say("DATA")
        return try await client.say("\(text)\r\n.")
    }

    @Test("a mail is recorded as it was sent, with the queue id that the client was told")
    func mail() async throws {
        var options = FakeSMTPServer.Options()
        let time = Date(timeIntervalSince1970: 1_700_000_000)
        options.now = { time }
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.greeted(by: server)
            let answer = try await send(client, text: "Subject: x\r\n\r\n..\r\nend")
            let mail = try #require(server.ledger.accepted.first)
            #expect(answer == "250 2.0.0 Ok: queued as \(mail.queueID)")
            #expect(mail.sequence == 1)
            #expect(mail.connection == 1)
            #expect(mail.mailFrom == "sender@example.com")
            #expect(mail.recipients == ["ann@example.com"])
            #expect(mail.bytes == Array("Subject: x\r\n\r\n.\r\nend\r\n".utf8))
            #expect(mail.acceptedAt == time)
            #expect(mail.isAnswered)
            let second = try await send(client)
            #expect(second != answer)
        }
    }

    @Test("past and future events satisfy a wait")
    func waiting() async throws {
        let fault: Fault = "finalDot: reply 451 nth 2"
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let ledger = server.ledger
            async let mails = ledger.waitForAccepted(count: 2)
            async let firings = ledger.waitForFiring(of: fault)
            async let closed = ledger.waitForDisconnections(count: 1)
            let client = try await RawClient.greeted(by: server)
            #expect(try await ledger.waitForConnections(count: 1).count == 1)
            for _ in 0..<3 { _ = try await send(client) }
            #expect(try await mails.count == 2)
            #expect(try await firings.map(\.connection) == [1])
            #expect(try await ledger.waitForAccepted(count: 1).count == 2)
            try await client.close()
            #expect(try await closed.map(\.isClosed) == [true])
        }
    }

    @Test("a wait that times out reports the awaited and the actual state")
    func timeout() async throws {
        let fault: Fault = "finalDot: reply 451 nth 2"
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let client = try await RawClient.greeted(by: server)
            for _ in 0..<2 { _ = try await send(client) }
            let error = await #expect(throws: LedgerWaitError.self) {
                try await server.ledger.waitForAccepted(count: 3, timeout: .milliseconds(1))
            }
            #expect(error?.reason == .timedOut(.milliseconds(1)))
            let text = error?.description ?? ""
            #expect(text.contains("3 accepted mails; seen: 1 accepted mails, 1 connections (1 open)"), "\(text)")
            #expect(text.contains("commands EHLO 1 MAIL 2 RCPT 2 DATA 2, fired 'finalDot: reply 451 nth 2' 1 times"))
        }
    }

    @Test("a wait ends when the server stops, even if it begins later")
    func stopping() async throws {
        let server = try await FakeSMTPServer.start()
        let client = try await RawClient.greeted(by: server)
        let ledger = server.ledger
        let waiting = Task { try await ledger.waitForAccepted(count: 1) }
        await server.stop()
        #expect(try await client.restOrReset() == [])
        let early = await #expect(throws: LedgerWaitError.self) { try await waiting.value }
        #expect(early?.reason == .serverStopped)
        let late = await #expect(throws: LedgerWaitError.self) { try await ledger.waitForConnections(count: 2) }
        #expect(late?.reason == .serverStopped)
        #expect(try await server.ledger.waitForConnections(count: 1).map(\.isClosed) == [true])
        await server.stop()
    }

    @Test("a cancelled task stops waiting")
    func cancellation() async throws {
        try await FakeSMTPServer.with { server in
            let ledger = server.ledger
            let task = Task { try await ledger.waitForAccepted(count: 1) }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test("a mail that was accepted without an answer is in the ledger")
    func acceptDrop() async throws {
        try await FakeSMTPServer.with(faults: ["finalDot: accept-drop nth 2"]) { server in
            let client = try await RawClient.greeted(by: server)
            #expect(try await send(client).hasPrefix("250"))
            #expect(try await send(client) == "")
            #expect(try await server.ledger.waitForAccepted(count: 2).map(\.isAnswered) == [true, false])
        }
    }

    @Test("if only counts are kept, they are right and there are no records")
    func countsOnly() async throws {
        var options = FakeSMTPServer.Options()
        options.retention = .counts
        try await FakeSMTPServer.with(options, faults: ["rcpt: delay 1ms"]) { server in
            let client = try await RawClient.greeted(by: server)
            for _ in 0..<3 { _ = try await send(client) }
            #expect(server.ledger.acceptedCount == 3)
            #expect(server.ledger.firingCount == 3)
            #expect(server.ledger.connectionCount == 1)
            #expect(server.ledger.accepted.isEmpty)
            #expect(server.ledger.firings.isEmpty)
            #expect(server.ledger.connections.isEmpty)
        }
    }

    @Test("a mail is on disk, complete, before the client is told so")
    func store() async throws {
        try await withFolder { folder in
            let mails = folder.appending(path: "mails")
            var options = FakeSMTPServer.Options(store: mails)
            options.journal = folder.appending(path: "ledger.jsonl")
            try await FakeSMTPServer.with(options, faults: ["mail: delay 1ms nth 1"]) { server in
                let client = try await RawClient.greeted(by: server)
                for (recipient, name) in [
                    ("ann@example.com", "000001-ann@example.com.eml"),
                    ("\"../../x y\"@example.com", "000002-_.._.._x_y_@example.com.eml"),
                ] {
                    #expect(try await send(client, text: "..\r\nx\u{E4}\r\n\r\n", to: recipient).hasPrefix("250"))
                    #expect(try Data(contentsOf: mails.appending(path: name)) == Data(".\r\nx\u{E4}\r\n\r\n\r\n".utf8))
                }
                #expect(try FileManager.default.contentsOfDirectory(atPath: mails.path).count == 2)
                #expect(server.ledger.accepted.first?.file == "000001-ann@example.com.eml")
            }
            let lines = try String(contentsOf: folder.appending(path: "ledger.jsonl"), encoding: .utf8).split(
                separator: "\n"
            )
            #expect(lines.count == 3)
            #expect(lines.first?.contains(#""event":"fault","fault":"mail: delay 1ms nth 1""#) == true)
            #expect(lines.last?.contains(#""recipients":["\"../../x y\"@example.com"]"#) == true)

            // A second server on the same folder continues the numbering and overwrites nothing.
            try await FakeSMTPServer.with(options) { server in
                let client = try await RawClient.greeted(by: server)
                #expect(try await send(client).hasPrefix("250"))
                #expect(server.ledger.accepted.map(\.sequence) == [3])
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: mails.path).count == 3)
        }
    }

    @Test("a mail that can't be stored is told 451, reported, and is not in the ledger")
    func storeFails() async throws {
        try await withFolder { folder in
            let mails = folder.appending(path: "mails")
            let problems = Lines()
            var options = FakeSMTPServer.Options(store: mails)
            options.reportProblem = { problems.append($0) }
            try await FakeSMTPServer.with(options) { server in
                try FileManager.default.removeItem(at: mails)
                let client = try await RawClient.greeted(by: server)
                #expect(try await send(client).hasPrefix("451 4.3.0"))
                #expect(server.ledger.acceptedCount == 0)
                #expect(problems.all.count == 1)
                #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("250"))
            }
        }
    }
}
