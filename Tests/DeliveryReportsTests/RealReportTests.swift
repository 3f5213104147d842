// Reports by real mail systems, read by our code and by Python's email package.

import DeliveryReports
import Foundation
import InternetMessage
import OutboxCore
import TestSupport
import Testing

/// Loads a report from Resources.
func resource(_ name: String) throws -> [UInt8] {
    let url = try #require(Bundle.module.url(forResource: name, withExtension: "eml", subdirectory: "Resources"))
    return Array(try Data(contentsOf: url))
}

/// Parses a mail that must be a report.
func report(_ bytes: [UInt8]) throws -> DeliveryStatusReport {
    guard case .report(let report) = try ReturnedMail(parsing: bytes) else {
        throw ReportError.notAReport("an automatic answer")
    }
    return report
}

@Suite("Reports of real mail systems") struct RealReportTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let number: Int
        let recipient: String
        let action: ReportedAction
        let status: EnhancedStatusCode
        let diagnostic: String?
        let reason: FailureReason

        var testDescription: String { name }
        var envelopeID: String { "a000000000000000000000000000000\(number)" }
    }

    private static let refusal = "550 5.1.1 <ann@example.org>: Recipient address rejected: User unknown"

    static let samples = [
        Sample(
            name: "postfix-unknown-local",
            number: 1,
            recipient: "nobody-here@mail.example.com",
            action: .failed,
            status: EnhancedStatusCode(5, 1, 1),
            diagnostic: "unknown user: \"nobody-here\"",
            reason: .unknownRecipient
        ),
        Sample(
            name: "postfix-unknown-remote",
            number: 2,
            recipient: "ann@example.org",
            action: .failed,
            status: EnhancedStatusCode(5, 1, 1),
            diagnostic: refusal,
            reason: .unknownRecipient
        ),
        Sample(
            name: "postfix-delayed",
            number: 3,
            recipient: "ben@example.org",
            action: .delayed,
            status: EnhancedStatusCode(4, 2, 1),
            diagnostic: "450 4.2.1 Mailbox busy",
            reason: .recipientDeferred
        ),
        Sample(
            name: "exim-unknown-local",
            number: 1,
            recipient: "nobody-here@mail.example.com",
            action: .failed,
            status: EnhancedStatusCode(5, 0, 0),
            diagnostic: nil,
            // The text says "Unrouteable address".
            reason: .unknownRecipient
        ),
        Sample(
            name: "exim-unknown-remote",
            number: 2,
            recipient: "ann@example.org",
            action: .failed,
            status: EnhancedStatusCode(5, 0, 0),
            diagnostic: refusal,
            reason: .unknownRecipient
        ),
        Sample(
            name: "exim-delayed",
            number: 3,
            recipient: "ben@example.org",
            action: .delayed,
            status: EnhancedStatusCode(4, 0, 0),
            diagnostic: "450 4.2.1 Mailbox busy",
            reason: .recipientDeferred
        ),
    ]

    @Test("every field is read", arguments: samples)
    func fields(sample: Sample) throws {
        let report = try DeliveryReportsTests.report(try resource(sample.name))
        #expect(report.reportingMTA == "mail.example.com")
        #expect(report.traces.envelopeIDs.isEmpty)
        #expect(report.traces.messageIDs.first == "\(sample.envelopeID)@cloudone.trendmicro.com")
        #expect(report.traces.addresses == ["bounces+\(sample.envelopeID)@mail.example.com"])
        #expect(report.recipients.count == 1)
        let recipient = try #require(report.recipients.first)
        #expect(recipient.finalRecipient == sample.recipient)
        #expect(recipient.action == sample.action)
        #expect(recipient.status == sample.status)
        #expect(recipient.diagnostic == sample.diagnostic)
        let finding = report.finding(for: sample.recipient) { $0 == sample.recipient }
        #expect(finding.action == sample.action && finding.reason == sample.reason)
    }

    @Test("line ends don't matter, and neither does a line that an mbox file begins with")
    func lineEnds() throws {
        let bytes = try resource("postfix-unknown-remote")
        let read = try report(bytes)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("From "))
        let withoutEnvelope = text.drop { $0 != "\n" }.dropFirst()
        #expect(try report(Array(withoutEnvelope.utf8)) == read)
        let crlf = text.replacing("\n", with: "\r\n")
        #expect(try report(Array(crlf.utf8)) == read)
    }

    @Test("Python's email package reads the same", arguments: samples)
    func python(sample: Sample) async throws {
        let url = try #require(
            Bundle.module.url(forResource: sample.name, withExtension: "eml", subdirectory: "Resources")
        )
        let result = try await Program.python(
            """
            import email, email.policy, sys
            mail = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
            assert mail.get_content_type() == "multipart/report", mail.get_content_type()
            status = next(part for part in mail.iter_parts() if part.get_content_type() == "message/delivery-status")
            fields = status.get_payload()[1]
            original = list(mail.iter_parts())[2]
            inner = original.get_payload()
            inner = email.message_from_string(inner) if isinstance(inner, str) else inner[0]
            print(mail["To"], fields["Action"], fields["Status"], fields["Final-Recipient"].split(";")[1].strip(),
                  inner["Message-ID"].strip("<>"))
            """,
            [url.path]
        )
        let report = try DeliveryReportsTests.report(try resource(sample.name))
        let recipient = try #require(report.recipients.first)
        let ours = [
            report.traces.addresses.last, recipient.action?.rawValue, recipient.status?.description,
            recipient.finalRecipient, report.traces.messageIDs.first,
        ].map { $0 ?? "-" }.joined(separator: " ")
        #expect(result.output == ours + "\n", "\(result.errors)")
    }
}
