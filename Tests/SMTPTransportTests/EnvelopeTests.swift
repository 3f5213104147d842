// Impossible envelopes are refused before any command is sent.

import FakeSMTP
import OutboxCore
import SMTPTransport
import Testing

@Suite("The envelope", .timeLimit(.minutes(10)))
struct EnvelopeTests {
    @Test(
        "an address that would be more than an address opens no connection",
        arguments: [
            "ann@example.com\r\nRCPT TO:<eve@example.com", "ann@example.com\nX", "ann\u{0}@example.com",
            "ann@example.com> NOTIFY=NEVER <x", "\u{7F}@example.com", "",
        ]
    )
    func hostileAddress(address: String) async throws {
        try await FakeSMTPServer.with { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let failure = try #require(await lane.send(.sample(to: address)).failure)
            #expect(FailurePolicy.verdict(for: failure) == Verdict(.recipient, .final, .unusableRecipient))
            if !address.isEmpty {
                let mail = OutgoingMail(envelopeSender: address, recipient: "ann@example.com", content: [])
                let failure = try #require(await lane.send(mail).failure)
                #expect(FailurePolicy.verdict(for: failure) == Verdict(.configuration, .again, .senderRefused))
            }
            #expect(server.ledger.connectionCount == 0)
        }
    }

    @Test("a non-ASCII address is not mailed where SMTPUTF8 is not offered, and the connection stays usable")
    func withoutSMTPUTF8() async throws {
        var options = FakeSMTPServer.Options()
        options.offers.remove(.smtpUTF8)
        try await FakeSMTPServer.with(options) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let failure = try #require(await lane.send(.sample(to: "山田@example.com")).failure)
            #expect(failure.cause == .smtpUTF8NotOffered)
            let verdict = FailurePolicy.verdict(for: failure)
            #expect(verdict == Verdict(.recipient, .final, .smtpUTF8Unsupported))
            #expect(verdict.reason.blamesAddress && !verdict.reason.suppressesAddress)
            #expect(server.ledger.commands["MAIL"] == nil)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.connectionCount == 1)
        }
    }

    @Test("a mail larger than the relay's SIZE is not started, and is the message's fault")
    func tooLarge() async throws {
        var options = FakeSMTPServer.Options()
        options.maximumMessageSize = 1000
        try await FakeSMTPServer.with(options) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let failure = try #require(await lane.send(.sample(body: .manyLines(octets: 1000))).failure)
            #expect(failure.cause == .tooLargeForRelay)
            #expect(FailurePolicy.verdict(for: failure) == Verdict(.message, .final, .messageTooBig))
            #expect(server.ledger.commands["MAIL"] == nil)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.connectionCount == 1)
        }
    }

    @Test("the relay's extensions come from its last answer to EHLO")
    func extensionsAfterSTARTTLS() async throws {
        // Only the answer after STARTTLS has them.
        var options = FakeSMTPServer.Options(tls: .startTLS)
        options.ehloLines = ["STARTTLS", "SIZE 10"]
        let fault: Fault = #"ehlo: reply 250 "fake\nSTARTTLS\nSIZE 10000" nth 2"#
        try await FakeSMTPServer.with(options, faults: [fault]) { server in
            try await withCAFile(of: server) { file in
                let relay = SMTPRelay(server, tls: .required).with { $0.configuration.caFile = file }
                #expect(await SMTPLane(relay: relay, number: 1).send(.sample()).isAccepted)
                #expect(server.ledger.accepted.first?.parameters.keys.contains("SIZE") == true)
            }
        }
    }

    @Test("after HELO nothing is offered")
    func helo() async throws {
        var options = FakeSMTPServer.Options()
        options.understandsEHLO = false
        try await FakeSMTPServer.with(options) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(.sample(to: "山田@example.com")).failure?.cause == .smtpUTF8NotOffered)
            #expect(await lane.send(.sample()).isAccepted)
            #expect(server.ledger.accepted.first?.parameters == [:])
        }
    }
}
