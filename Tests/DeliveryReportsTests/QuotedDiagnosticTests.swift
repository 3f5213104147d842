// Replies quoted from real mail systems, put into a report: they decide whether an address is suppressed.

import DeliveryReports
import Foundation
import OutboxCore
import Testing

/// A row of Resources/diagnostics.tsv.
struct QuotedDiagnostic: Sendable, CustomTestStringConvertible {
    /// `good`, `dead`, or `note`: dead, but in words that are too vague to suppress an address.
    let address: String
    let status: String
    let diagnostic: String

    var testDescription: String { diagnostic }

    static let recipient = "ann@example.org"

    static let all: [QuotedDiagnostic] = {
        guard let url = Bundle.module.url(forResource: "diagnostics", withExtension: "tsv", subdirectory: "Resources"),
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { preconditionFailure("Resources/diagnostics.tsv can't be read") }
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map { String($0) }
            guard fields.count == 4 else { preconditionFailure("not a row of diagnostics.tsv: \(line)") }
            return QuotedDiagnostic(
                address: fields[0],
                status: fields[1],
                diagnostic: fields[2].replacing("{r}", with: recipient)
            )
        }
    }()

    /// A report in Postfix's form, with the reply in the text for people and in the field.
    var report: String {
        let isReply = diagnostic.hasPrefix("smtp")
        let words = diagnostic.drop { $0 != ";" }.dropFirst(2)
        let said = isReply ? "host mx.example.org[192.0.2.25] said: \(words) (in reply to RCPT TO command)" : "\(words)"
        return """
            Return-Path: <>
            From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
            To: bounces@mail.example.com
            Subject: Undelivered Mail Returned to Sender
            Auto-Submitted: auto-replied
            MIME-Version: 1.0
            Content-Type: multipart/report; report-type=delivery-status; boundary="B"

            --B
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 8bit

            This is the mail system at host mx.example.net.

            I'm sorry to have to inform you that your message could not
            be delivered to one or more recipients. It's attached below.

            <\(Self.recipient)>: \(said)

            --B
            Content-Type: message/delivery-status

            Reporting-MTA: dns; mx.example.net

            Final-Recipient: rfc822; \(Self.recipient)
            Original-Recipient: rfc822;\(Self.recipient)
            Action: failed
            Status: \(status)
            Diagnostic-Code: \(diagnostic)

            --B
            Content-Type: text/rfc822-headers

            From: no-reply@mail.example.com
            To: \(Self.recipient)
            Subject: Verify your email address

            --B--
            """
    }
}

@Suite("What mail systems are quoted to say") struct QuotedDiagnosticTests {
    private func finding(_ text: String) throws -> ReportFinding {
        let recipient = QuotedDiagnostic.recipient
        return try report(Array(text.utf8)).finding(for: recipient) { $0 == recipient }
    }

    @Test("suppresses only dead addresses", arguments: QuotedDiagnostic.all)
    func row(quoted: QuotedDiagnostic) throws {
        let finding = try finding(quoted.report)
        #expect(finding.action == .failed)
        #expect((finding.reason?.suppressesAddress == true) == (quoted.address == "dead"), "\(finding)")
    }

    @Test("gives the same result for a folded field", arguments: QuotedDiagnostic.all)
    func folded(quoted: QuotedDiagnostic) throws {
        let words = quoted.diagnostic.split(separator: " ", omittingEmptySubsequences: false)
        for count in stride(from: 2, to: min(words.count, 14), by: 4) {
            let field = words[..<count].joined(separator: " ") + "\n    " + words[count...].joined(separator: " ")
            let name = "Diagnostic-Code:"
            let finding = try finding(quoted.report.replacing("\(name) \(quoted.diagnostic)", with: "\(name) \(field)"))
            #expect((finding.reason?.suppressesAddress == true) == (quoted.address == "dead"), "\(field): \(finding)")
        }
    }

    @Test("at least nine of ten dead addresses are found")
    func share() {
        let dead = QuotedDiagnostic.all.count { $0.address == "dead" }
        let missed = QuotedDiagnostic.all.count { $0.address == "note" }
        #expect(dead >= 9 * missed)
    }

    @Test("blank lines before the header are passed over")
    func blankLines() throws {
        let sample = try #require(QuotedDiagnostic.all.first { $0.address == "dead" })
        let text = "\n\(String(repeating: " ", count: 255))\n\n\(sample.report)"
        #expect(try finding(text).reason == finding(sample.report).reason)
    }

    @Test("the command that Postfix quotes after a reply does not mean an unknown recipient")
    func command() throws {
        let sample = QuotedDiagnostic(address: "good", status: "5.0.0", diagnostic: "smtp; 550 No such thing")
        #expect(try finding(sample.report).reason?.suppressesAddress == false)
        let folded = sample.report.replacing("in reply to RCPT TO", with: "in reply\n    to RCPT TO")
        #expect(try finding(folded).reason?.suppressesAddress == false)
    }

    @Test(
        "a name server that fails knows nothing of the domain",
        arguments: ["responded with code SERVFAIL", "may not exist or DNS check failed"]
    )
    func nameServer(words: String) throws {
        let sample = QuotedDiagnostic(
            address: "good",
            status: "4.0.0",
            diagnostic: "smtp; DNS Error: DNS type 'mx' lookup of example.org: domain \(words)"
        )
        #expect(try finding(sample.report).reason?.suppressesAddress == false)
    }
}
