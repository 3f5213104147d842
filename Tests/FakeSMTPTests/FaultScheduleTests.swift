// When faults fire: schedules, recipients, odds, and changes at run time.

import FakeSMTP
import Testing

@Suite("When a fault fires", .timeLimit(.minutes(10)))
struct FaultScheduleTests {
    /// The reply codes of `count` RCPT commands in a row.
    private func codes(_ count: Int, recipient: String = "ann@example.com", _ client: RawClient) async throws
        -> [String]
    {
        var codes: [String] = []
        for _ in 0..<count {
            codes.append(String(try await client.say("RCPT TO:<\(recipient)>").prefix(3)))
        }
        return codes
    }

    private func transaction(_ server: FakeSMTPServer) async throws -> RawClient {
        let client = try await RawClient.greeted(by: server)
        #expect(try await client.say("MAIL FROM:<sender@example.com>").hasPrefix("250"))
        return client
    }

    @Test(
        "the schedule counts how often the stage is reached",
        arguments: [
            ("rcpt: reply 450", ["450", "450", "450", "450", "450"]),
            ("rcpt: reply 450 nth 2", ["250", "450", "250", "250", "250"]),
            ("rcpt: reply 450 first 2", ["450", "450", "250", "250", "250"]),
            ("rcpt: reply 450 every 2", ["250", "450", "250", "450", "250"]),
            ("rcpt: reply 450 odds 1", ["450", "450", "450", "450", "450"]),
        ]
    )
    func schedules(text: String, expected: [String]) async throws {
        let fault = try Fault(parsing: text)
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let client = try await transaction(server)
            #expect(try await codes(5, client) == expected)
            let firings = expected.count { $0 == "450" }
            #expect(server.ledger.firingCount(of: fault) == firings)
        }
    }

    @Test("the same seed gives the same faults, another seed others")
    func odds() async throws {
        func run(seed: UInt64) async throws -> [String] {
            var options = FakeSMTPServer.Options()
            options.seed = seed
            return try await FakeSMTPServer.with(options, faults: ["rcpt: reply 450 odds 0.3"]) { server in
                try await codes(100, transaction(server))
            }
        }
        let first = try await run(seed: 7)
        #expect(try await run(seed: 7) == first)
        #expect(try await run(seed: 8) != first)
        let refusals = first.count { $0 == "450" }
        #expect((15...45).contains(refusals))
    }

    @Test("a fault for a recipient counts only that recipient, in any case of letters")
    func recipient() async throws {
        let faults: [Fault] = ["rcpt: reply 550 5.1.1 nth 2 for Bob@example.com"]
        try await FakeSMTPServer.with(faults: faults) { server in
            let client = try await transaction(server)
            #expect(try await codes(3, recipient: "ann@example.com", client) == ["250", "250", "250"])
            #expect(try await codes(3, recipient: "bob@EXAMPLE.com", client) == ["250", "550", "250"])
        }
    }

    @Test("at the final dot a fault for a recipient strikes a mail with that recipient among others")
    func recipientAtFinalDot() async throws {
        let fault: Fault = "finalDot: reply 452 4.3.1 for bob@example.com"
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let client = try await transaction(server)
            _ = try await client.say("RCPT TO:<ann@example.com>")
            _ = try await client.say("RCPT TO:<bob@example.com>")
            _ = try await client.say("DATA")
            #expect(try await client.say("x\r\n.").hasPrefix("452 4.3.1"))
            _ = try await client.say("MAIL FROM:<sender@example.com>")
            _ = try await client.say("RCPT TO:<ann@example.com>")
            _ = try await client.say("DATA")
            #expect(try await client.say("x\r\n.").hasPrefix("250"))
            #expect(server.ledger.accepted.map(\.recipients) == [["ann@example.com"]])
        }
    }

    @Test("faults can be replaced, added and removed while a client is connected")
    func changes() async throws {
        let busy: Fault = "rcpt: reply 450"
        let unknown: Fault = "rcpt: reply 550"
        try await FakeSMTPServer.with(faults: [busy]) { server in
            let client = try await transaction(server)
            #expect(try await codes(1, client) == ["450"])
            server.addFault(unknown)
            #expect(server.faults == [busy, unknown])
            #expect(try await codes(1, client) == ["450"])
            #expect(server.removeFault(busy))
            #expect(!server.removeFault(busy))
            #expect(try await codes(1, client) == ["550"])
            server.setFaults([])
            #expect(try await codes(1, client) == ["250"])
            #expect(server.ledger.firingCount(of: busy) == 2)
            #expect(server.ledger.firingCount(of: unknown) == 1)
        }
    }

    @Test("setting the same fault again begins its count anew")
    func setAgain() async throws {
        let once: Fault = "rcpt: reply 450 first 1"
        try await FakeSMTPServer.with(faults: [once]) { server in
            let client = try await transaction(server)
            #expect(try await codes(2, client) == ["450", "250"])
            server.setFaults([once])
            #expect(try await codes(2, client) == ["450", "250"])
            #expect(server.ledger.firingCount(of: once) == 2)
        }
    }

    @Test("a delay adds to the fault that decides, and a fault that did not decide still counted the stage")
    func combination() async throws {
        let slow: Fault = "rcpt: delay 30ms nth 1"
        let first: Fault = "rcpt: reply 450 nth 1"
        let second: Fault = "rcpt: reply 451 first 2"
        try await FakeSMTPServer.with(faults: [slow, first, second]) { server in
            let client = try await transaction(server)
            let begin = ContinuousClock.now
            #expect(try await codes(3, client) == ["450", "451", "250"])
            #expect(ContinuousClock.now - begin >= .milliseconds(30))
            #expect(server.ledger.firings.map(\.fault) == [slow, first, second])
        }
    }

    @Test("a command that the server refuses by itself does not reach its stage")
    func refusedCommandsDoNotCount() async throws {
        let fault: Fault = "rcpt: reply 450 nth 1"
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let client = try await transaction(server)
            #expect(try await client.say("RCPT TO:ann@example.com").hasPrefix("501"))
            #expect(try await codes(1, client) == ["450"])
        }
    }
}
