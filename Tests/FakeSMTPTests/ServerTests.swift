// Starting, stopping and the limits of a connection.

import FakeSMTP
import Testing

@Suite("The server", .timeLimit(.minutes(10)))
struct ServerTests {
    @Test("listens on each loopback address", arguments: ["127.0.0.1", "::1", "localhost"])
    func loopback(host: String) async throws {
        var options = FakeSMTPServer.Options()
        options.host = host
        try await FakeSMTPServer.with(options) { server in
            #expect(server.host == (host == "::1" ? "::1" : "127.0.0.1"))
            #expect(server.port > 0)
            let client = try await RawClient.greeted(by: server)
            #expect(try await client.say("NOOP").hasPrefix("250"))
        }
    }

    @Test("refuses every address that is not loopback", arguments: ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
    func elsewhere(host: String) async throws {
        var options = FakeSMTPServer.Options()
        options.host = host
        let error = await #expect(throws: FakeSMTPServer.StartError.self) { try await FakeSMTPServer.start(options) }
        #expect(error?.description.contains("127.0.0.1, ::1 or localhost") == true)
    }

    @Test("a port that is taken is named in the error")
    func portTaken() async throws {
        try await FakeSMTPServer.with { server in
            var options = FakeSMTPServer.Options()
            options.port = server.port
            let error = await #expect(throws: FakeSMTPServer.StartError.self) {
                try await FakeSMTPServer.start(options)
            }
            #expect(error?.description.contains("port \(server.port) is taken") == true)
        }
    }

    @Test("settings that contradict each other are refused")
    func contradictions() async throws {
        var auth = FakeSMTPServer.Options()
        auth.requiresAuthentication = true
        var tls = FakeSMTPServer.Options()
        tls.requiresTLS = true
        for options in [auth, tls] {
            await #expect(throws: FakeSMTPServer.StartError.self) { try await FakeSMTPServer.start(options) }
        }
    }

    @Test("after the maximum of mails the next MAIL gets 421 and the connection closes")
    func messagesPerConnection() async throws {
        var options = FakeSMTPServer.Options()
        options.messagesPerConnection = 2
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.greeted(by: server)
            for _ in 0..<2 {
                _ = try await client.say("MAIL FROM:<a@example.com>")
                _ = try await client.say("RCPT TO:<b@example.com>")
                _ = try await client.say("DATA")
                #expect(try await client.say("x\r\n.").hasPrefix("250"))
            }
            #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("421 4.7.0"))
            #expect(try await client.rest() == [])
        }
    }

    @Test("LIMITS names the number of MAIL commands, refused ones included, before the 421")
    func mailMax() async throws {
        var options = FakeSMTPServer.Options()
        options.mailMax = 2
        try await FakeSMTPServer.with(options, faults: ["mail: reply 450 first 1"]) { server in
            let client = try await RawClient.connect(to: server)
            _ = try await client.reply()
            #expect(try await client.say("EHLO client.example").contains("250-LIMITS MAILMAX=2\n"))
            #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("450"))
            #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("250"))
            _ = try await client.say("RSET")
            #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("421 4.7.0"))
            #expect(try await client.rest() == [])
        }
    }

    @Test("a client that is told 421 in the middle of the content can say the rest, and is not reset")
    func closesAfterClient() async throws {
        try await FakeSMTPServer.with(faults: ["body: reply 421 4.3.2 \"going down\""]) { server in
            let client = try await RawClient.greeted(by: server, outlivesServer: true)
            _ = try await client.say("MAIL FROM:<a@example.com>")
            _ = try await client.say("RCPT TO:<b@example.com>")
            _ = try await client.say("DATA")
            #expect(try await client.say("the first line") == "421 4.3.2 going down")
            #expect(try await client.rest() == [])
            // If the socket were closed, the first line would cause the RST and the second would fail.
            try await client.send("the second line\r\n")
            try await client.send(".\r\n")
            try await client.close()
            #expect(server.ledger.acceptedCount == 0)
        }
    }

    @Test("an idle connection is closed, with a 421 or without", arguments: [true, false])
    func idle(saysGoodbye: Bool) async throws {
        var options = FakeSMTPServer.Options()
        options.idleTimeout = .milliseconds(20)
        options.saysGoodbyeWhenIdle = saysGoodbye
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.connect(to: server)
            #expect(try await client.reply().hasPrefix("220"))
            #expect(try await client.reply().hasPrefix(saysGoodbye ? "421 4.4.2" : ""))
            #expect(try await client.rest() == [])
            try await server.ledger.waitForDisconnections(count: 1)
        }
    }

    @Test("a server that keeps a client waiting does not call it idle")
    func notIdle() async throws {
        var options = FakeSMTPServer.Options()
        options.idleTimeout = .milliseconds(20)
        try await FakeSMTPServer.with(options, faults: ["connect: delay 100ms"]) { server in
            let client = try await RawClient.connect(to: server)
            #expect(try await client.reply().hasPrefix("220"))
        }
    }

    @Test("every reply waits for the base delay, and each pipelined reply for its own")
    func replyDelay() async throws {
        var options = FakeSMTPServer.Options()
        options.replyDelay = .milliseconds(20)
        try await FakeSMTPServer.with(options) { server in
            let begin = ContinuousClock.now
            let client = try await RawClient.connect(to: server)
            try await client.send("NOOP\r\nNOOP\r\n")
            for _ in 0..<3 { _ = try await client.reply() }
            #expect(ContinuousClock.now - begin >= .milliseconds(60))
        }
    }

    @Test("a client that floods a hanging server does not fill its memory, and the server can still be stopped")
    func flood() async throws {
        let fault: Fault = "mail: hang"
        let server = try await FakeSMTPServer.start()
        server.setFaults([fault])
        let client = try await RawClient.greeted(by: server)
        try await client.send("MAIL FROM:<a@example.com>\r\n")
        try await server.ledger.waitForFiring(of: fault)
        // More than fits into both socket buffers: this send can only end when the connection does.
        let flood = client.beginSending([UInt8](repeating: 0x58, count: 64 * 1_024 * 1_024))
        await server.stop()
        await #expect(throws: (any Error).self) { try await flood.value }
    }

    @Test("two servers in one process know nothing of each other")
    func twoServers() async throws {
        try await FakeSMTPServer.with(faults: ["ehlo: reply 451"]) { first in
            try await FakeSMTPServer.with { second in
                let one = try await RawClient.connect(to: first)
                let two = try await RawClient.connect(to: second)
                _ = try await one.reply()
                _ = try await two.reply()
                #expect(try await one.say("EHLO client.example").hasPrefix("451"))
                #expect(try await two.say("EHLO client.example").hasPrefix("250"))
                #expect(first.ledger.firingCount == 1)
                #expect(second.ledger.firingCount == 0)
            }
        }
    }
}
