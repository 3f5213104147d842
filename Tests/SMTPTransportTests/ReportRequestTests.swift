// Requests for reports (RFC 3461) over real connections, and relays that offer DSN but refuse its parameters.

import FakeSMTP
import InternetMessage
import OutboxCore
import SMTPTransport
import Synchronization
import Testing

@Suite("A request for reports", .timeLimit(.minutes(10)))
struct ReportRequestTests {
    private static func mail(
        to recipient: String = "ann@example.com",
        onRefusal: @escaping @Sendable (TransmissionFailure) -> Void = { _ in }
    ) -> OutgoingMail {
        OutgoingMail(
            envelopeSender: "no-reply@example.com",
            recipient: recipient,
            content: Array("Hello\r\n".utf8),
            envelopeID: "0123456789abcdef",
            didRefuseReports: onRefusal
        )
    }

    @Test("the relay's setting decides what is requested", arguments: RequestedReports.allCases)
    func setting(reports: RequestedReports) async throws {
        try await FakeSMTPServer.with { server in
            let relay = SMTPRelay(server).with { $0.configuration.dsn = reports }
            #expect(await SMTPLane(relay: relay, number: 1).send(Self.mail(to: "ann+b@example.com")).isAccepted)
            let mail = try #require(server.ledger.accepted.first)
            let notify: String? =
                switch reports {
                case .none: nil
                case .failure: "FAILURE,DELAY"
                case .success: "SUCCESS,FAILURE,DELAY"
                }
            #expect(mail.parameters["ENVID"] == notify.map { _ in "0123456789abcdef" })
            #expect(mail.parameters["RET"] == notify.map { _ in "HDRS" })
            #expect(mail.recipientParameters.first?["NOTIFY"] == notify)
            #expect(mail.recipientParameters.first?["ORCPT"] == notify.map { _ in "rfc822;ann+2Bb@example.com" })
        }
    }

    @Test("a mail without an envelope id requests none, and neither does one through a relay without DSN")
    func without() async throws {
        var options = FakeSMTPServer.Options()
        options.offers.remove(.dsn)
        try await FakeSMTPServer.with(options) { server in
            #expect(await SMTPLane(relay: SMTPRelay(server), number: 1).send(Self.mail()).isAccepted)
            #expect(server.ledger.accepted.first?.parameters.keys.contains("ENVID") == false)
            #expect(server.ledger.accepted.first?.recipientParameters == [[:]])
        }
        try await FakeSMTPServer.with { server in
            #expect(await SMTPLane(relay: SMTPRelay(server), number: 1).send(.sample()).isAccepted)
            #expect(server.ledger.accepted.first?.parameters.keys.contains("ENVID") == false)
            #expect(server.ledger.accepted.first?.recipientParameters == [[:]])
        }
    }

    /// Replies of real relays, from public reports: OpenSMTPD 499 and 1084, chatmail's relay 645, smtp4dev 4 and 1212.
    private static let refusals = [
        #"rcpt: reply 501 5.5.4 "Error: Bad NOTIFY parameter syntax" nth 1"#,
        #"rcpt: reply 553 "ORCPT address syntax error" nth 1"#,
        #"rcpt: reply 555 "RCPT TO parameters not recognized or not implemented" nth 1"#,
        #"rcpt: reply 550 5.5.4 "Unsupported option" nth 1"#,
        #"mail: reply 501 "Parameter RET is not recognised" nth 1"#,
        #"mail: reply 555 "MAIL FROM parameters not recognized or not implemented" nth 1"#,
        #"mail: reply 500 5.5.2 "Syntax error, command unrecognized" nth 1"#,
    ]

    @Test("a relay that offers DSN and refuses its parameters gets the mail without them", arguments: refusals)
    func refused(fault: String) async throws {
        try await FakeSMTPServer.with(faults: [Fault(parsing: fault)]) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            let refusals = Mutex<[Int]>([])
            for _ in 0..<3 {
                let mail = Self.mail { failure in refusals.withLock { $0.append(failure.reply?.code ?? 0) } }
                #expect(await lane.send(mail).isAccepted)
            }
            // The lane remembers it: only the first mail was refused.
            #expect(server.ledger.commands["MAIL"] == 4)
            #expect(server.ledger.connectionCount == 1)
            #expect(refusals.withLock(\.count) == 1)
            for mail in server.ledger.accepted {
                #expect(mail.parameters.keys.sorted() == ["SIZE"] && mail.recipientParameters == [[:]])
            }
            // A reload may have brought another relay behind the same name.
            await lane.use(SMTPRelay(server))
            #expect(await lane.send(Self.mail()).isAccepted)
            #expect(server.ledger.accepted.last?.parameters["ENVID"] == "0123456789abcdef")
        }
    }

    @Test("the second try counts against the connection's number of mails")
    func fullConnection() async throws {
        let fault: Fault = #"rcpt: reply 555 "RCPT TO parameters not recognized or not implemented" nth 1"#
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let relay = SMTPRelay(server).with { $0.configuration.messagesPerConnection = 1 }
            #expect(await SMTPLane(relay: relay, number: 1).send(Self.mail()).isAccepted)
            #expect(server.ledger.connectionCount == 2)
        }
    }

    @Test("a server that knows no parameter at all gets every mail")
    func unknownParameters() async throws {
        var options = FakeSMTPServer.Options()
        options.offers.remove(.dsn)
        options.ehloLines = ["DSN"]
        try await FakeSMTPServer.with(options) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            for _ in 0..<2 { #expect(await lane.send(Self.mail()).isAccepted) }
            #expect(server.ledger.commands["MAIL"] == 3)
        }
    }

    @Test("a refusal that is not about the parameters stays, and reports are requested for the next mail")
    func otherRefusals() async throws {
        let faults: [Fault] = [
            #"rcpt: reply 550 5.1.1 "User unknown" for ann@example.com"#,
            #"rcpt: reply 501 5.1.3 "Bad recipient address syntax" for ben@example.com"#,
        ]
        try await FakeSMTPServer.with(faults: faults) { server in
            let lane = SMTPLane(relay: SMTPRelay(server), number: 1)
            #expect(await lane.send(Self.mail()).failure?.reply?.code == 550)
            #expect(server.ledger.commands["RCPT"] == 1)
            // 501 may be about the parameters, so the recipient is named once more.
            #expect(await lane.send(Self.mail(to: "ben@example.com")).failure?.reply?.code == 501)
            #expect(server.ledger.commands["RCPT"] == 3)
            #expect(await lane.send(Self.mail(to: "cat@example.com")).isAccepted)
            #expect(server.ledger.accepted.first?.parameters["ENVID"] == "0123456789abcdef")
        }
    }
}
