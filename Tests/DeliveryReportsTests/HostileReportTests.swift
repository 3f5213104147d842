// Mails that are no reports, broken ones, and ones that mean harm: a clear error, and never a trap.

import DeliveryReports
import Foundation
import OutboxCore
import TestSupport
import Testing

@Suite("A mail that is no proper report") struct HostileReportTests {
    private static let status = """
        Reporting-MTA: dns; mail.example.com

        Final-Recipient: rfc822; ann@example.com
        Action: failed
        Status: 5.1.1

        """

    /// A report around a status part.
    private static func report(
        _ status: String,
        type: String = "multipart/report; report-type=delivery-status; boundary=\"b\"",
        statusHeader: String = "Content-Type: message/delivery-status",
        before: String = "",
        end: String = "\n--b--\n"
    ) -> [UInt8] {
        Array(
            """
            To: bounces@example.com
            Content-Type: \(type)

            \(before)--b
            Content-Type: text/plain

            It failed.
            --b
            \(statusHeader)

            \(status)\(end)
            """.utf8
        )
    }

    private func failure(_ bytes: [UInt8]) -> ReportError? {
        do {
            _ = try DeliveryStatusReport(parsing: bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test("the addresses of pages that a report quotes lose what may be a token")
    func quotedLinks() throws {
        let status = """
            Reporting-MTA: dns; https://mail.example.com/CANARY-1

            Final-Recipient: rfc822; ann@example.com
            Action: failed
            Status: 5.7.1
            Remote-MTA: dns; see www.example.com/CANARY-2
            Diagnostic-Code: smtp; 554 5.7.1 listed:
             https://a.example/reset?token=CANARY-3
             and http://b.example/CANARY-4

            """
        let report = try DeliveryStatusReport(parsing: Self.report(status))
        #expect(
            report.recipients[0].diagnostic == "554 5.7.1 listed: https://a.example/… and http://b.example/…"
        )
        #expect(!"\(report)".contains("CANARY"))
    }

    @Test("a plain report is read, with comments, folded lines and words in any case")
    func variants() throws {
        let folded = """
            REPORTING-MTA: dns;
             mail.example.com
            Original-Envelope-Id: a01

            Original-Recipient: rfc822;Ann@example.com
            Final-recipient: RFC822 ; <ann@example.com>
            action: Failed (really)
            Status: 5.1.1 (Bad mailbox)
            Diagnostic-Code: smtp; 550 5.1.1
            \tno such
              user\u{1B}[2J

            """
        let bytes = Self.report(
            folded,
            type: "Multipart/Report (a (nested) comment); BOUNDARY=\"b\";\n report-type=\"Delivery-Status\"",
            statusHeader: "content-type: Message/Delivery-Status"
        )
        let report = try DeliveryStatusReport(parsing: bytes)
        #expect(report.reportingMTA == "mail.example.com" && report.originalEnvelopeID == "a01")
        let recipient = try #require(report.recipients.first)
        #expect(recipient.originalRecipient == "Ann@example.com" && recipient.finalRecipient == "ann@example.com")
        #expect(recipient.action == .failed && recipient.status == EnhancedStatusCode(5, 1, 1))
        #expect(recipient.diagnostic == "550 5.1.1 no such user [2J")
    }

    @Test("an encoded status part is decoded", arguments: ["base64", "quoted-printable"])
    func encoded(encoding: String) throws {
        let body =
            encoding == "base64"
            ? Data(Self.status.utf8).base64EncodedString(options: .lineLength76Characters)
            : Self.status.replacing("Action: failed", with: "Action=3A fai=\nled")
        let header = "Content-Type: message/delivery-status\nContent-Transfer-Encoding: \(encoding)"
        let report = try DeliveryStatusReport(parsing: Self.report(body, statusHeader: header))
        #expect(report.recipients.map(\.action) == [.failed])
    }

    @Test("an international report has its address decoded (RFC 6533)")
    func international() throws {
        let status = Self.status.replacing("rfc822; ann@", with: "utf-8; \\x{4E2D}\\x{110000}@")
        let header = "Content-Type: message/global-delivery-status"
        let report = try DeliveryStatusReport(parsing: Self.report(status, statusHeader: header))
        #expect(report.recipients.first?.finalRecipient == "中\\x{110000}@example.com")
    }

    @Test("one that was cut off before its last boundary is still a report")
    func cutOff() throws {
        #expect(try DeliveryStatusReport(parsing: Self.report(Self.status, end: "")).recipients.count == 1)
    }

    @Test(
        "other mails are told apart",
        arguments: [
            "", "\n\n\n", "Subject: Out of office\n\nI am away.", "\u{0}\u{0}\u{0}", "From \n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--",
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b--",
            "Content-Type: multipart/report; boundary=b\n\n--b--", "Content-Type: ((((((((((",
            "Content-Type: multipart/report; report-type", "Content-Type: multipart/report; =;=;=;;;",
        ]
    )
    func otherMails(text: String) {
        guard case .notAReport = failure(Array(text.utf8)) else {
            Issue.record("\(String(describing: failure(Array(text.utf8))))")
            return
        }
    }

    @Test("what claims to be a report and isn't complete says what is missing")
    func malformed() throws {
        let cases: [([UInt8], String)] = [
            (Self.report(Self.status, type: "multipart/report; report-type=delivery-status"), "names no boundary"),
            (
                Self.report(
                    Self.status,
                    type: "multipart/report; report-type=delivery-status; boundary=\(String(repeating: "b", count: 71))"
                ), "1 to 70 characters"
            ),
            (
                Self.report(Self.status, type: "multipart/report; report-type=delivery-status; boundary=other"),
                "no part message/delivery-status"
            ),
            (Self.report(Self.status, statusHeader: "Content-Type: text/plain"), "no part message/delivery-status"),
            (Self.report(""), "status part is empty"), (Self.report("Reporting-MTA: dns; x\n"), "names no recipient"),
            (Self.report(Self.status.replacing("failed", with: "exploded")), "an Action is none of"),
            (Self.report(Self.status.replacing("Action: failed\n", with: "")), "an Action is none of"),
            (
                Self.report(
                    "",
                    statusHeader: "Content-Type: message/delivery-status\nContent-Transfer-Encoding: uuencode"
                ), "unknown transfer encoding"
            ),
        ]
        for (bytes, expected) in cases {
            let error = try #require(failure(bytes))
            #expect(error.description.contains(expected))
        }
    }

    @Test("deep nesting, endless headers and countless parts cost no more than their size")
    func bombs() throws {
        var deep = "To: a@b\n"
        for level in 0..<10_000 { deep += "Content-Type: multipart/report; boundary=b\(level)\n\n--b\(level)\n" }
        #expect(failure(Array(deep.utf8)) != nil)
        let comment = "Content-Type: multipart/report" + String(repeating: "(", count: 900_000) + "\n\n"
        #expect(failure(Array(comment.utf8)) != nil)
        let folds = "Content-Type: multipart/report;" + String(repeating: "\n x=y;", count: 100_000) + "\n\n"
        #expect(failure(Array(folds.utf8)) != nil)
        let headers = String(repeating: "X: y\n", count: 200_000)
        #expect(failure(Array(headers.utf8)) != nil)
        let parts = String(repeating: "--b\n\n", count: 100_000)
        let error = try #require(failure(Self.report(Self.status, before: parts)))
        #expect(error.description.contains("more than 20 parts"))
        let recipients = Self.status + String(repeating: "\nAction: failed\n", count: 20_000)
        #expect(try DeliveryStatusReport(parsing: Self.report(recipients)).recipients.count == 100)
        let diagnostic = "Diagnostic-Code: \(String(repeating: "x", count: 90_000))\n"
        let long = Self.status.replacing("5.1.1\n", with: "5.1.1\n\(diagnostic)")
        #expect(try DeliveryStatusReport(parsing: Self.report(long)).recipients.first?.diagnostic?.count == 1000)
    }

    @Test("a mail of 200 MB is read to its end, and refused")
    func tooLarge() async throws {
        let pipe = Pipe()
        let writer = Task.detached {
            let chunk = Data(repeating: UInt8(ascii: "x"), count: 1 << 20)
            for _ in 1...200 { try pipe.fileHandleForWriting.write(contentsOf: chunk) }
            try pipe.fileHandleForWriting.close()
        }
        let expected = ReportError.tooLarge(limit: DeliveryStatusReport.sizeLimit)
        #expect(throws: expected) { try DeliveryStatusReport.read(from: pipe.fileHandleForReading) }
        // A reader that goes early would make the writer fail.
        try await writer.value
        #expect(throws: expected) {
            try DeliveryStatusReport(parsing: [UInt8](repeating: 0, count: DeliveryStatusReport.sizeLimit + 1))
        }
    }

    @Test("broken bytes anywhere give a report or an error, never a trap", arguments: 1...6)
    func mutations(seed: Int) throws {
        let names = [
            "postfix-unknown-local", "postfix-delayed", "exim-unknown-remote", "exim-delayed", "exim-unknown-local",
            "postfix-unknown-remote",
        ]
        let original = try resource(names[seed - 1])
        var random = SplitMix(seed: UInt64(seed))
        var outcomes: Set<Bool> = []
        for _ in 1...300 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: index)
                case 2: bytes.insert(contentsOf: bytes.suffix(Int.random(in: 1...40, using: &random)), at: index)
                default: bytes.removeLast(min(bytes.count - 1, Int.random(in: 1...400, using: &random)))
                }
            }
            outcomes.insert(failure(bytes) == nil)
        }
        #expect(outcomes == [true, false])
    }
}
