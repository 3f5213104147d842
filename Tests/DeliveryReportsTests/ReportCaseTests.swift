// Mails with the structure and the defects of real mail systems' reports, and the expected outcome of each: unchanged,
// and as other systems would have passed them on.

import DeliveryReports
import Foundation
import OutboxCore
import Testing

/// A row of Resources/cases/expected.tsv.
struct ReportCase: Sendable, CustomTestStringConvertible {
    let file: String
    /// Whether it is a report: `yes`, `note` (only by its words) or `no`.
    let read: String
    let outcome: String
    let isDead: Bool
    let reason: String
    let why: String

    var testDescription: String { file }
    var isReport: Bool { read != "no" }

    static let all: [ReportCase] = {
        guard
            let url = Bundle.module.url(forResource: "expected", withExtension: "tsv", subdirectory: "Resources/cases"),
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { return [] }
        return text.split(separator: "\n").dropFirst().map { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            return ReportCase(
                file: fields[0],
                read: fields[1],
                outcome: fields[2],
                isDead: fields[3] == "yes",
                reason: fields[4],
                why: fields[5]
            )
        }
    }()

    static let id = "a0000000000000000000000000000042"

    func text() throws -> String {
        let name = file.replacing(".eml", with: "")
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "eml", subdirectory: "Resources/cases")
        )
        return try String(contentsOf: url, encoding: .utf8).replacing("ENVELOPEID", with: Self.id)
    }

    /// Compares the outcome with the row of the table.
    func expect(_ mail: ReturnedMail?, _ dress: String = "as it is") throws {
        guard isReport else {
            if case .report(let report) = mail { Issue.record("\(file), \(dress), is no report: \(report)") }
            return
        }
        guard case .report(let report) = mail else {
            Issue.record("\(file), \(dress), is a report: \(String(describing: mail))")
            return
        }
        let finding = report.finding(for: "ann@example.org") { $0.lowercased() == "ann@example.org" }
        let actions = ["bounced": ReportedAction.failed, "delayed": .delayed, "delivered": .delivered]
        #expect(finding.action == actions[outcome], "\(dress): \(why)")
        let isDead = finding.action == .failed && finding.reason?.suppressesAddress == true
        #expect(isDead == self.isDead, "\(dress): \(why): \(finding)")
        let expected = reason == "other" ? nil : reason
        #expect(finding.reason?.rawValue == expected, "\(dress): \(why): \(finding)")
        let traces = report.traces
        let names = traces.addresses + traces.messageIDs + traces.envelopeIDs + traces.words
        #expect(names.contains { $0.contains(Self.id) }, "\(dress): its mail must be found")
    }
}

@Suite("Reports with the defects of real ones") struct ReportCaseTests {
    private func read(_ text: String) -> ReturnedMail? { try? ReturnedMail(parsing: Array(text.utf8)) }

    @Test("each has its outcome", arguments: ReportCase.all)
    func outcome(sample: ReportCase) throws { try sample.expect(read(try sample.text())) }

    @Test("the table has all cases")
    func count() { #expect(ReportCase.all.count == 20) }

    @Test("only a person's mail is refused, since a mail system bounces what is refused")
    func automaticAnswers() throws {
        for sample in ReportCase.all where !sample.isReport {
            let mail = read(try sample.text())
            switch sample.file {
            case "17-arf-complaint.eml":
                guard case .automatic(let answer) = mail else {
                    Issue.record("\(String(describing: mail))")
                    continue
                }
                #expect(answer.action == .complained && answer.traces.addresses.contains { $0.contains(ReportCase.id) })
            case "20-discussion-quotes-bounce.eml":
                #expect(mail == nil)
            default:
                guard case .automatic(let answer) = mail else {
                    Issue.record("\(String(describing: mail))")
                    continue
                }
                #expect(answer.action == .answered && answer.traces.addresses.contains { $0.contains(ReportCase.id) })
            }
        }
    }

    /// A change of the mail, as another system would have passed it on.
    struct Dress: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let change: @Sendable (String) -> String?
    }

    static let dresses: [Dress] = [
        Dress(testDescription: "with CRLF") { $0.replacing("\n", with: "\r\n") },
        Dress(testDescription: "with CR alone") { $0.replacing("\n", with: "\r") },
        Dress(testDescription: "behind the line of an mbox file") {
            "From MAILER-DAEMON Tue Nov 24 08:14:52 2026\n" + $0
        },
        Dress(testDescription: "names of fields in capitals") { text in
            text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                guard let colon = line.firstIndex(of: ":"), line[..<colon].allSatisfy({ $0.isLetter || $0 == "-" })
                else {
                    return String(line)
                }
                return line[..<colon].uppercased() + line[colon...]
            }.joined(separator: "\n")
        },
        Dress(testDescription: "inside of multipart/mixed, with a footer") { text in
            let (header, body) = Self.parts(of: text)
            let inner = header.filter { $0.lowercased().hasPrefix("content-") }
            let outer = header.filter { !$0.lowercased().hasPrefix("content-") }
            return """
                \(outer.joined(separator: "\n"))
                Content-Type: multipart/mixed; boundary="outermost"

                --outermost
                \((inner.isEmpty ? ["Content-Type: text/plain"] : inner).joined(separator: "\n"))

                \(body)
                --outermost
                Content-Type: text/plain

                This mail was scanned for viruses, spam and other content.
                --outermost--
                """
        },
        Dress(testDescription: "the status part in base64") { encoded($0, as: "base64") },
        Dress(testDescription: "the status part in quoted-printable") { encoded($0, as: "quoted-printable") },
        Dress(testDescription: "the status part under another name") {
            $0.replacing(/message\/(global-)?delivery-status/, with: "message/x-delivery-status")
        },
        Dress(testDescription: "the status part as plain text") {
            $0.replacing(/Content-Type: message\/(global-)?delivery-status/, with: "Content-Type: text/plain")
        },
        Dress(testDescription: "without report-type") { $0.replacing(#/ ?report-type="?[a-z-]*status"?;?/#, with: "") },
        Dress(testDescription: "the boundary in pieces (RFC 2231)") { text in
            let boundary = text.firstMatch(of: /boundary="?([^"\n;]+)"?/)
            guard let boundary, boundary.1.count > 4 else { return text }
            let half = boundary.1.index(boundary.1.startIndex, offsetBy: 3)
            let (head, tail) = (boundary.1[..<half], boundary.1[half...])
            let encoded = tail.utf8.map { "%" + String($0, radix: 16) }.joined()
            return text.replacing(
                boundary.0,
                with: "boundary*0=\"\(head)\";\n boundary*1*=\(encoded)",
                maxReplacements: 1
            )
        },
        Dress(testDescription: "Action in capitals, with a comment") {
            $0.replacing(/(?m)^(Action:) *([A-Za-z]+)/) { "\($0.1) \($0.2.uppercased()) (as it says)" }
        },
        Dress(testDescription: "an empty line between the fields of a recipient") {
            $0.replacing(/(?m)^(Final-Recipient:.*)\n(?=Action)/) { "\($0.1)\n\n" }
        },
        Dress(testDescription: "cut off after the status part") { text in
            let last = text.ranges(of: /\nContent-Type: (message|text)\/(rfc822|global)/).last
            return last.map { String(text[..<$0.lowerBound]) }
        },
    ]

    private static func parts(of text: String) -> (header: [String], body: String) {
        let header = text.prefix { _ in true }.split(separator: "\n\n", maxSplits: 1)[0]
        var fields: [String] = []
        for line in header.split(separator: "\n") where !line.hasPrefix("From ") {
            if line.first?.isWhitespace == true, let last = fields.last {
                fields[fields.count - 1] = last + "\n" + line
            } else {
                fields.append(String(line))
            }
        }
        return (fields, String(text[header.endIndex...].dropFirst(2)))
    }

    /// The status part in a transfer encoding, unless it has one already.
    private static func encoded(_ text: String, as encoding: String) -> String? {
        let part = /(?s)(Content-Type: message\/(?:global-)?delivery-status\n)((?:[A-Za-z-]+:[^\n]*\n)*)\n(.*?)\n(?=--)/
        guard let match = text.firstMatch(of: part), !match.2.contains("base64") else { return nil }
        let octets = Array(match.3.utf8)
        let body =
            encoding == "base64"
            ? Data(octets).base64EncodedString(options: .lineLength64Characters)
            : octets.map { octet in
                octet == UInt8(ascii: "\n")
                    ? "\n"
                    : octet.isMultiple(of: 3)
                        ? "=" + String(octet, radix: 16, uppercase: true).padded : String(UnicodeScalar(octet))
            }.joined()
        let header = match.2.replacing(/Content-Transfer-Encoding:[^\n]*\n/, with: "")
        return text.replacing(
            match.0,
            with: "\(match.1)\(header)Content-Transfer-Encoding: \(encoding)\n\n\(body)\n",
            maxReplacements: 1
        )
    }

    @Test("the outcome is the same after changes by another system", arguments: dresses)
    func dressed(dress: Dress) throws {
        var count = 0
        for sample in ReportCase.all {
            guard let text = dress.change(try sample.text()) else { continue }
            count += 1
            try sample.expect(read(text), dress.testDescription)
        }
        #expect(count >= 10)
    }
}

extension String {
    fileprivate var padded: String { count == 1 ? "0" + self : self }
}
