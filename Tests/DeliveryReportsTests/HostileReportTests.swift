// Mails that are not reports, broken ones and malicious ones: each gives a clear error and never a trap.

import DeliveryReports
import Foundation
import InternetMessage
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

    /// Builds a report around a status part.
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

    private func read(_ bytes: [UInt8]) throws -> DeliveryStatusReport { try DeliveryReportsTests.report(bytes) }

    private func failure(_ bytes: [UInt8]) -> ReportError? {
        do {
            _ = try ReturnedMail(parsing: bytes)
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
        let report = try read(Self.report(status))
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
        let report = try read(bytes)
        #expect(report.reportingMTA == "mail.example.com" && report.traces.envelopeIDs == ["a01"])
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
        let report = try read(Self.report(body, statusHeader: header))
        #expect(report.recipients.map(\.action) == [.failed])
    }

    @Test("an international report has its address decoded (RFC 6533)")
    func international() throws {
        let status = Self.status.replacing("rfc822; ann@", with: "utf-8; \\x{4E2D}\\x{110000}@")
        let header = "Content-Type: message/global-delivery-status"
        let report = try read(Self.report(status, statusHeader: header))
        #expect(report.recipients.first?.finalRecipient == "中\\x{110000}@example.com")
    }

    @Test("a report that was cut off before its last boundary is still a report")
    func cutOff() throws {
        #expect(try read(Self.report(Self.status, end: "")).recipients.count == 1)
    }

    @Test(
        "a person's mail, and one that holds nothing, is told apart",
        arguments: [
            "", "\n\n\n", "Subject: A question\n\nHow are you?", "\u{0}\u{0}\u{0}", "From \n",
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--", "Content-Type: ((((((((((",
            "Return-Path: <ann@example.com>\nFrom: ann@example.com\nSubject: Fwd: Undelivered mail\n\n550 5.1.1 unknown user",
        ]
    )
    func otherMails(text: String) {
        guard case .notAReport = failure(Array(text.utf8)) else {
            Issue.record("\(String(describing: failure(Array(text.utf8))))")
            return
        }
    }

    @Test(
        "a report without fields and without words is not complete",
        arguments: [
            "Content-Type: multipart/report; boundary=b\n\n--b\n\n--b--", "Content-Type: multipart/report; report-type",
            "Content-Type: multipart/report; =;=;=;;;",
        ]
    )
    func empty(text: String) {
        guard case .malformed = failure(Array(text.utf8)) else {
            Issue.record("\(String(describing: failure(Array(text.utf8))))")
            return
        }
    }

    @Test("an incomplete report is read as far as possible")
    func incomplete() throws {
        let long = String(repeating: "b", count: 71)
        let unknown = FailureReason.unknownRecipient
        let cases: [([UInt8], ReportedAction, FailureReason?)] = [
            (Self.report(Self.status, type: "multipart/report; report-type=delivery-status"), .failed, unknown),
            (Self.report(Self.status, type: "multipart/report; boundary=\(long)"), .failed, unknown),
            (Self.report(Self.status, type: "multipart/report; boundary=other"), .failed, unknown),
            (Self.report(Self.status, statusHeader: "Content-Type: text/plain"), .failed, unknown),
            (Self.report(Self.status.replacing("failed", with: "exploded")), .failed, unknown),
            (Self.report(Self.status.replacing("Action: failed\n", with: "")), .failed, unknown),
            (Self.report(Self.status.replacing("Status: 5.1.1", with: "")), .failed, .recipientRefused),
            (Self.report(Self.status, statusHeader: Self.uuencoded), .failed, unknown),
            (Self.report(""), .returned, nil), (Self.report("Reporting-MTA: dns; x\n"), .returned, nil),
        ]
        for (bytes, action, reason) in cases {
            let finding = try read(bytes).finding(for: "ann@example.com") { $0 == "ann@example.com" }
            #expect(finding.action == action && finding.reason == reason, "\(String(decoding: bytes, as: UTF8.self))")
        }
    }

    private static let uuencoded = "Content-Type: message/delivery-status\nContent-Transfer-Encoding: uuencode"

    @Test("of several recipients our own counts; of strangers preferably one whose address is good")
    func severalRecipients() throws {
        let status = Self.status + "\nFinal-Recipient: rfc822; ben@example.com\nAction: failed\nStatus: 5.2.2\n"
        let report = try read(Self.report(status))
        func reason(_ address: String) -> FailureReason? { report.finding(for: address) { $0 == address }.reason }
        #expect(reason("ann@example.com") == .unknownRecipient)
        #expect(reason("ben@example.com") == .mailboxFull && reason("eve@example.com") == .mailboxFull)
    }

    @Test("a report about other recipients never condemns our address, and a delivery to one of them counts")
    func forwarded() throws {
        let report = try read(Self.report(Self.status))
        let failed = report.finding(for: "eve@example.com") { $0 == "eve@example.com" }
        #expect(failed.action == .failed && failed.reason == .recipientRefused)
        let both = Self.status + "\nFinal-Recipient: rfc822; ben@example.com\nAction: delivered\nStatus: 2.0.0\n"
        let finding = try read(Self.report(both)).finding(for: "eve@example.com") { $0 == "eve@example.com" }
        #expect(finding.action == .delivered && finding.reason == nil)
    }

    @Test("the stored part of a text is short, whatever its characters are")
    func combiningMarks() throws {
        let marks = String(repeating: "\u{301}", count: 500_000)
        let status = Self.status.replacing("5.1.1\n", with: "5.1.1\nDiagnostic-Code: 550 e\(marks)\n")
        let report = try read(Self.report(status))
        let finding = report.finding(for: "ann@example.com") { $0 == "ann@example.com" }
        #expect(try #require(report.recipients.first?.diagnostic).utf8.count <= 4000)
        #expect(try #require(finding.detail).utf8.count <= 4000)
        let answer = "Return-Path: <>\nAuto-Submitted: auto-replied\nFrom: a@b\nSubject: e\(marks)\n\nx"
        guard case .automatic(let mail) = try ReturnedMail(parsing: Array(answer.utf8)) else {
            Issue.record("it is an automatic answer")
            return
        }
        #expect(try #require(mail.subject).utf8.count <= 800)
    }

    @Test("only a few of countless addresses, passages and recipients are read")
    func countless() throws {
        let to = String(repeating: "To: " + String(repeating: "a@b<,", count: 500) + "\n", count: 400)
        let status = (0..<100).map { "\nFinal-Recipient: rfc822; ann@example.com\nAction: failed\nStatus: 5.1.\($0)\n" }
        let text = "--b\n\n" + String(repeating: "ann@example.com user mailbox account\n\n", count: 1000) + "\n"
        let bytes = Array(to.utf8).prefix(900_000) + Self.report(status.joined(), before: text)
        let report = try read(Array(bytes))
        #expect(report.traces.addresses.count <= 50 && report.recipients.count == 100)
        #expect(report.finding(for: "ann@example.com") { $0 == "ann@example.com" }.action == .failed)
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
        let words = "Subject: =?" + String(repeating: "=?", count: 400_000) + "\n\n"
        #expect(failure(Array(words.utf8)) != nil)
        let opened = Self.report(Self.status.replacing("5.1.1", with: String(repeating: "(", count: 500_000)))
        #expect(try read(opened).recipients.count == 1)
        let starts = Self.report("", before: "--b\n\n" + String(repeating: "a: b\nc\n", count: 100_000) + "\n")
        #expect(try read(starts).recipients.isEmpty)
        let parts = String(repeating: "--b\n\n", count: 100_000)
        let error = try #require(failure(Self.report(Self.status, before: parts)))
        #expect(error.description.contains("more than 100 parts"))
        let recipients = Self.status + String(repeating: "\nAction: failed\n", count: 20_000)
        #expect(try read(Self.report(recipients)).recipients.count == 100)
        let diagnostic = "Diagnostic-Code: \(String(repeating: "x", count: 90_000))\n"
        let long = Self.status.replacing("5.1.1\n", with: "5.1.1\n\(diagnostic)")
        #expect(try read(Self.report(long)).recipients.first?.diagnostic?.count == 1000)
    }

    @Test("a mail of 200 MB is read to its end, and refused")
    func tooLarge() async throws {
        let pipe = Pipe()
        let writer = Task.detached {
            let chunk = Data(repeating: UInt8(ascii: "x"), count: 1 << 20)
            for _ in 1...200 { try pipe.fileHandleForWriting.write(contentsOf: chunk) }
            try pipe.fileHandleForWriting.close()
        }
        let expected = ReportError.tooLarge(limit: ReturnedMail.sizeLimit)
        #expect(throws: expected) { try ReturnedMail.read(from: pipe.fileHandleForReading) }
        // The writer would fail if the reader closed early.
        try await writer.value
        #expect(throws: expected) {
            try ReturnedMail(parsing: [UInt8](repeating: 0, count: ReturnedMail.sizeLimit + 1))
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
        #expect(outcomes.contains(true))
    }
}
