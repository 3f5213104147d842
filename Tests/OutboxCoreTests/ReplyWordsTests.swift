// Replies of real relays and their verdicts: tables of replies with their source, and paraphrases.

import Foundation
import InternetMessage
import Testing

@testable import OutboxCore

/// One line of a table of replies in Resources.
struct QuotedReply: Sendable, CustomTestStringConvertible {
    let stage: SMTPStage
    let lines: [String]
    let fault: String
    let disposition: String
    /// `nil`: any reason that is about us.
    let reason: String?
    let pause: Duration?
    let source: String

    var testDescription: String { lines.joined(separator: " / ") }

    var verdict: Verdict? {
        SMTPReply(lines: lines).map {
            FailurePolicy.verdict(for: TransmissionFailure(stage: stage, cause: .reply($0), detail: ""))
        }
    }

    /// The difference between the verdict and the table; `nil` where there is none.
    var mistake: String? {
        guard let verdict else { return "no reply" }
        let got = [verdict.fault.rawValue, verdict.disposition.rawValue, verdict.reason.rawValue]
        let isAboutUs = verdict.fault == .relay || verdict.fault == .configuration
        guard let reason else { return isAboutUs ? nil : "\(got), and not about us" }
        let isRight = got == [fault, disposition, reason] && verdict.pause == pause
        return isRight ? nil : "\(got) \(verdict.pause.map { "\($0)" } ?? "no pause")"
    }

    static func table(_ name: String) -> [QuotedReply] {
        guard let url = Bundle.module.url(forResource: name, withExtension: "tsv", subdirectory: "Resources"),
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { preconditionFailure("Resources/\(name).tsv can't be read") }
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map { String($0) }
            guard fields.count == 7, let stage = SMTPStage(rawValue: fields[0]) else {
                preconditionFailure("not a line of a table of replies: \(line)")
            }
            return QuotedReply(
                stage: stage,
                lines: fields[1].components(separatedBy: "\\n"),
                fault: fields[2],
                disposition: fields[3],
                reason: fields[4] == "*" ? nil : fields[4],
                pause: Int(fields[5]).map { .seconds($0) },
                source: fields[6]
            )
        }
    }
}

@Suite("The words of a reply") struct ReplyWordsTests {
    static let replies = QuotedReply.table("replies")

    @Test("real replies are understood", arguments: replies)
    func real(reply: QuotedReply) {
        #expect(reply.mistake == nil)
    }

    @Test("paraphrases are understood", arguments: QuotedReply.table("paraphrases"))
    func paraphrase(reply: QuotedReply) {
        #expect(reply.mistake == nil)
    }

    /// Punctuation, case and line breaks that carry no meaning; an odd reply is not judged by its typography.
    private static let dressings: [@Sendable (QuotedReply) -> [String]] = [
        { $0.lines.map { $0.uppercasedWords } },
        { $0.lines.map { $0.replacing("'", with: "\u{2019}").replacing(" ", with: "  ") } },
        { reply in
            // One long line becomes many short ones.
            guard reply.lines.count == 1, let line = reply.lines.first else { return reply.lines }
            let head = line.prefix(3)
            let words = line.dropFirst(4).split(separator: " ")
            return words.enumerated().map { index, word in
                "\(head)\(index + 1 == words.count ? " " : "-")\(word)"
            }
        },
    ]

    @Test("letter case, apostrophes and line breaks change nothing", arguments: replies)
    func dressed(reply: QuotedReply) {
        for dress in Self.dressings {
            let lines = dress(reply)
            let dressed = QuotedReply(
                stage: reply.stage,
                lines: lines,
                fault: reply.fault,
                disposition: reply.disposition,
                reason: reply.reason,
                pause: reply.pause,
                source: reply.source
            )
            #expect(dressed.mistake == nil, "\(lines)")
        }
    }

    private static let aboutUs = replies.filter {
        $0.reason == nil || $0.fault == "relay" || $0.fault == "configuration"
    }

    @Test("a reply about us is recognised at every later stage and code, and ends no message", arguments: aboutUs)
    func everyCode(reply: QuotedReply) throws {
        // The code or the stage decides these as well.
        let byCode: Set<String> = ["relaying-denied", "sender-deferred", "relay-full", "authentication-required"]
        guard !byCode.contains(reply.reason ?? "*") else { return }
        let original = try #require(SMTPReply(lines: reply.lines))
        for code in [421, 450, 454, 501, 530, 550, 552, 554] {
            for status in [nil, original.enhancedStatus, EnhancedStatusCode(code / 100, 1, 1), .init(code / 100, 2, 1)]
            {
                for stage in [SMTPStage.mail, .rcpt, .finalDot] {
                    let dressed = SMTPReply(code: code, enhancedStatus: status, text: original.text)
                    // In Microsoft's 5.7.515 and some of Google's refusals, only the code says what is missing.
                    if status != original.enhancedStatus && reply.saysItByCode { continue }
                    let verdict = FailurePolicy.verdict(
                        for: TransmissionFailure(stage: stage, cause: .reply(dressed), detail: "")
                    )
                    #expect(verdict.disposition == .again, "\(code) \(stage) \(verdict)")
                    #expect([.relay, .configuration].contains(verdict.fault), "\(dressed) \(stage) \(verdict)")
                    #expect(!verdict.reason.suppressesAddress)
                }
            }
        }
    }

    @Test("a relay that only needs time gets a pause; a problem that must be fixed doesn't")
    func pauses() {
        #expect(FailurePolicy.ratePause < FailurePolicy.minutePause)
        #expect(FailurePolicy.minutePause < FailurePolicy.hourPause)
        #expect(FailurePolicy.hourPause < FailurePolicy.dayPause)
        #expect(FailurePolicy.dayPause < FailurePolicy.monthPause)
        for rule in FailurePolicy.rules {
            let isOurs = [.quotaExceeded, .rateLimited].contains(rule.reason) && rule.fault == .relay
            #expect((rule.pause != nil) == isOurs, "\(rule.tableRow)")
        }
    }

    @Test("a delay that a relay names in words is passed on beside the pause")
    func retryAfter() throws {
        let reply = try #require(SMTPReply(lines: ["550 Too many messages. Try again in 92 seconds."]))
        let verdict = FailurePolicy.verdict(for: TransmissionFailure(stage: .auth, cause: .reply(reply), detail: ""))
        #expect(verdict == Verdict(.relay, .again, .rateLimited, retryAfter: .seconds(92), pause: .seconds(1)))
    }

    @Test(
        "a text is reduced to its words",
        arguments: [
            ("Over-quota, over_quota; OverQuota", "over quota over quota . over quota"),
            ("can't  CAN\u{2019}T\tcan\u{2018}t", "cant cant cant"),
            ("STOREDRV.Submission.Exception:SendAsDenied", "storedrv . submission . exception send as denied"),
            ("<no-such-user@unknown.example>: Rejected", "@ rejected"),
            ("see https://no-such-user.example/unknown?user=unknown now", "see %host now"),
            ("support.example.com/mail/?p=OverQuotaPerm", "%host"),
            ("[192.0.2.1] listed at zen.spamhaus.org.", "%ip listed at %list ."),
            ("(#5.1.1) 24-hour 21.99 100%", "24 hour 21 100"),
            ("Empfänger unbekannt: é Ł ß", "empfanger unbekannt e l s"),
            ("LÍMITE DÉPASSÉE Éte", "limite depassee ete"),
            ("host mx.example.com[192.0.2.1] said: 550 no", "host %host %ip said . 550 no"),
            ("exceeded.Please wait!", "exceeded . please wait ."),
            ("Spf= Fail , Dkim=Pass", "spf fail dkim pass"),
            ("ＱＵＯＴＡ\u{200B} 宛先 quo\u{AD}ta", "quota \u{FFFD}\u{FFFD} quota"),
            ("", ""), ("....", ""), ("@", "@"), ("=", ""), ("http://", "%host"),
        ]
    )
    func folding(text: String, words: String) {
        #expect(FoldedText(text).description == words)
    }

    @Test("a pattern spans four words, stops at a sentence's end, and never matches part of a word")
    func patterns() {
        func has(_ pattern: WordPattern, _ text: String) -> Bool {
            var matcher = WordMatcher()
            let compiled = matcher.add(pattern)
            return matcher.reading(of: FoldedText(text)).has(compiled)
        }
        #expect(has("quota", "over quota"))
        #expect(!has("quota", "quotas"))
        #expect(!has("quota", "overquota"))
        #expect(has("quota*", "quotas"))
        #expect(has("sender … rejected", "sender rejected"))
        #expect(has("sender … rejected", "sender a b c d rejected"))
        #expect(!has("sender … rejected", "sender a b c d e rejected"))
        #expect(!has("sender … rejected", "sender. rejected"))
        #expect(has("quota & daily", "daily x x x x x x x x quota"))
        #expect(!has("quota & daily", "daily. quota"))
        #expect(has("{not} allowed", "this isn't allowed"))
        #expect(has("{refused}", "You do not have the necessary permissions"))
        #expect(has("# messages", "only 10 messages"))
        #expect(!has("# messages", "10x messages"))
        #expect(has("24 hours", "24 hours"))
        // Words beyond the limit are ignored, without an error.
        let long = String(repeating: "word. ", count: 400)
        #expect(!has("quota", long + "quota"))
        #expect(has("word & word", long))
    }

    @Test("every list is named by a rule or another list")
    func lists() {
        let texts = FailurePolicy.rules.map(\.tableRow) + WordList.all.flatMap(\.entries)
        for list in WordList.all {
            #expect(texts.contains { $0.contains("{\(list.name)}") }, "\(list.name)")
        }
    }

    @Test("docs/failures.md shows the lists")
    func document() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/failures.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let rows = WordList.all.map(\.tableRow).joined(separator: "\n")
        #expect(text.contains("\n\(rows)\n"), "docs/failures.md should hold these rows:\n\(rows)")
    }
}

extension QuotedReply {
    fileprivate var saysItByCode: Bool {
        ["5.7.515", "5.7.508"].contains { status in lines.contains { $0.contains(status) } }
    }
}

extension String {
    /// In upper case, except addresses, URLs, and words that capitals split into parts.
    fileprivate var uppercasedWords: String {
        split(separator: " ", omittingEmptySubsequences: false).map { word in
            let isPlain = word.allSatisfy { $0.isLetter && $0.isLowercase || ".,;:".contains($0) }
            return isPlain ? word.uppercased() : String(word)
        }.joined(separator: " ")
    }
}
