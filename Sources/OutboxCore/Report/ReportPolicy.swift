// Why an accepted mail came back: judges other mail systems' reports. Pure. FailurePolicy's table judges a relay's own
// replies.

package import InternetMessage

/// The parts of a report about one recipient that help to find out why the mail did not arrive.
package struct ReportEvidence: Sendable, Hashable {
    /// The mail system is still trying: a delay.
    package var isDelay = false
    /// The mail system has given up after trying (`Action: expired`).
    package var hasGivenUp = false
    /// The field Status (RFC 3464 §2.3.4).
    package var status: EnhancedStatusCode?
    /// The words of the mail system that refused the mail (RFC 3464 §2.3.6); several texts where the words have several
    /// readings, such as a line that may have been broken in the middle of a word.
    package var diagnostics: [String] = []
    /// The passages of the human-readable text about this recipient, in their order.
    package var passages: [String] = []
    /// The whole human-readable text, without the returned mail.
    package var text = ""

    package init() {}
}

extension FailurePolicy {
    /// Why a mail was reported as undeliverable, or as late.
    ///
    /// A wrong "this address is dead" locks a person out; a missed one costs a mail. So if there are two readings, the
    /// more harmless one wins, in this order:
    /// 1. words about something other than the address: time, rate, quota, size, the sender, a policy, the content, a
    ///    problem of the mail system's own;
    /// 2. words that say that mailbox or domain does not exist or is disabled;
    /// 3. words that refuse the mail without mentioning the address;
    /// 4. codes, again the harmless ones first. A status code without an exact meaning (x.0.0, x.2.0, 5.4.3xx of
    ///    Exchange) is ignored. If the words are not understood, a code blames an address only where the words mention
    ///    an address and no other subject: mail systems use 5.1.1 for any refusal at RCPT TO.
    ///
    /// The quoted reply is evaluated first, then the passages about the recipient, then the codes, then the whole text.
    /// The table of replies takes part: refusals that its rules consider temporary or about us never blame an address.
    /// If a mail system has given up on a temporary refusal, the refusal says nothing about the address, except that
    /// DNS has no such domain.
    ///
    /// - Parameter texts: the texts already analysed, where the evidence of several recipients shares texts.
    package static func reason(of evidence: ReportEvidence, texts: ReportTexts = ReportTexts()) -> FailureReason {
        let diagnostics = evidence.diagnostics.map { innermostReply(in: $0) }
        let hasWordsAlone = diagnostics.isEmpty && evidence.status == nil
        let passages = hasWordsAlone && evidence.passages.isEmpty ? [evidence.text] : evidence.passages
        let quotedTexts = diagnostics.isEmpty ? passages : [diagnostics[0]]
        let quoted = QuotedCodes(quotedTexts)
        let statements =
            (diagnostics.isEmpty ? [] : [Statement(diagnostics)])
            + passages.prefix(passageLimit).map { texts.statement($0) }
        let isTemporary =
            quoted.replyCode.map { $0 < 500 } ?? ((evidence.status ?? quoted.statuses.first)?.statusClass == 4)
        if evidence.isDelay || evidence.hasGivenUp || isTemporary {
            return reasonOfTemporary(evidence, statements + [texts.statement(evidence.text)])
        }
        let codes =
            (quoted.statuses + [evidence.status].compactMap(\.self)).compactMap { known($0) }
            + (quoted.replyCode == 556 ? [.badDomain] : [])
        let isFromEdge = (quoted.statuses + [evidence.status]).contains(EnhancedStatusCode(5, 4, 1))
        for statement in statements {
            guard let reason = statement.reason(codes: codes, isFromEdge: isFromEdge) else { continue }
            return reason.suppressesAddress
                ? innocentByTable(quoted, evidence.status, namesAddress: true) ?? reason
                : reason
        }
        if let innocent = innocentByTable(quoted, evidence.status) { return innocent }
        if let reason = codes.mostInnocent {
            let isQuoted = !diagnostics.isEmpty || evidence.status == nil
            let isClear = !reason.suppressesAddress || !isQuoted || quoted.words.mayCondemn(by: reason)
            return isClear ? reason : .recipientRefused
        }
        return texts.statement(evidence.text).exactReason ?? .recipientRefused
    }

    /// The reason that the table of replies finds in the quoted reply, if it doesn't blame the address.
    /// - Parameter namesAddress: other words say that the address is dead. Then a disabled mailbox may not count as
    ///   temporary.
    private static func innocentByTable(
        _ quoted: QuotedCodes,
        _ status: EnhancedStatusCode?,
        namesAddress: Bool = false
    ) -> FailureReason? {
        guard !quoted.words.isEmpty else { return nil }
        let reply = SMTPReply(
            code: quoted.replyCode ?? 550,
            enhancedStatus: quoted.statuses.first ?? status,
            text: quoted.words.text
        )
        let failure = TransmissionFailure(stage: .rcpt, cause: .reply(reply), detail: reply.text)
        let verdict = verdict(for: failure)
        // 500 to 504 beside words that name a mailbox are a mail system's unusual choice of code.
        guard verdict.reason != .protocolError, !verdict.reason.suppressesAddress else { return nil }
        switch verdict.fault {
        case .relay, .configuration: return verdict.reason
        case .recipient, .message:
            if [.rateLimited, .quotaExceeded, .greylisted, .mailboxFull].contains(verdict.reason) {
                return verdict.reason
            }
            return verdict.disposition == .again && !namesAddress ? verdict.reason : nil
        }
    }

    /// The reason according to a report's two fields alone.
    package static func reason(ofReport status: EnhancedStatusCode?, diagnostic: String?) -> FailureReason {
        var evidence = ReportEvidence()
        evidence.status = status
        evidence.diagnostics = [diagnostic].compactMap(\.self)
        return reason(of: evidence)
    }

    /// The outcome according to the human-readable text, where no field states it; `nil` where the text is unclear.
    package static func outcome(in evidence: ReportEvidence, texts: ReportTexts = ReportTexts()) -> ReportedAction? {
        let whole = WordText(evidence.text)
        let isPermanent = ReportWords.permanent.isSaid(in: whole)
        if ReportWords.delayed.isSaid(in: whole), !isPermanent { return .delayed }
        if isPermanent || ReportWords.undelivered.isSaid(in: whole) { return .failed }
        let quoted = QuotedCodes(evidence.passages.isEmpty ? [evidence.text] : evidence.passages)
        if quoted.replyCode.map({ $0 >= 500 }) ?? quoted.statuses.contains(where: { $0.statusClass == 5 }) {
            return .failed
        }
        let isDead = (evidence.passages.isEmpty ? [evidence.text] : evidence.passages).contains {
            texts.statement($0).isAboutDeadAddress
        }
        return isDead ? .failed : nil
    }

    /// Whether a text gives a reason for the failure.
    package static func saysReason(_ text: String, texts: ReportTexts = ReportTexts()) -> Bool {
        texts.statement(text).exactReason != nil
    }

    /// Whether a program answered in the recipient's name: an absence notice, or a request for confirmation.
    package static func isAutomaticAnswer(subject: String, text: String) -> Bool {
        ReportWords.absent.isSaid(in: WordText(subject))
            || ReportWords.challenge.isSaid(in: WordText(subject + ".\n" + text))
    }

    /// Amazon SES and Cisco's gateways put a sentence of their own before the reply: `5.1.0 - Unknown address error
    /// 550-'5.7.1 …'`. The other side's reply stands between the quotation marks.
    private static func innermostReply(in diagnostic: String) -> String {
        guard diagnostic.contains(#/^\W*[245]\.\d{1,3}\.\d{1,3}\s*-\s*/#),
            let reply = diagnostic.firstMatch(of: /[245]\d\d[- ]['"].*/.dotMatchesNewlines())
        else { return diagnostic }
        return String(reply.0)
    }

    /// Maximum number of passages evaluated: a report names a recipient in a few places.
    private static let passageLimit = 5

    private static func reasonOfTemporary(_ evidence: ReportEvidence, _ texts: [Statement]) -> FailureReason {
        let said = texts.first { $0.exactReason != nil }?.exactReason
        if evidence.isDelay { return said.flatMap { $0.suppressesAddress ? nil : $0 } ?? .recipientDeferred }
        return said == .badDomain ? .badDomain : .expired
    }

    /// The exact meaning of a status code (RFC 3463 §3, https://www.iana.org/assignments/smtp-enhanced-status-codes).
    private static func known(_ status: EnhancedStatusCode) -> FailureReason? {
        switch (status.subject, status.detail) {
        // 5.1.10 means a domain that takes no mail in RFC 7505, and an unknown recipient in Exchange, whose words say
        // so.
        case (1, 1), (1, 3), (1, 6), (1, 10): .unknownRecipient
        case (1, 2), (4, 4), (4, 310): .badDomain
        case (1, 7), (1, 8): .senderRefused
        case (2, 1): .mailboxDisabled
        case (2, 2): .mailboxFull
        case (2, 3), (3, 4): .messageTooBig
        case (3, 1): .relayFull
        case (4, 1), (4, 2), (4, 7), (4, 316): .expired
        case (6, _): .contentRefused
        case (7, _): .policyRefusal
        default: nil
        }
    }
}

/// The codes quoted in a text.
private struct QuotedCodes {
    /// The first reply code (RFC 5321 §4.2).
    let replyCode: Int?
    /// All enhanced status codes (RFC 3463 §2).
    let statuses: [EnhancedStatusCode]
    /// The words beside the codes.
    let words: QuotedWords

    init(_ texts: [String]) {
        let text = texts.joined(separator: "\n").limited(to: WordText.limit)
        let code = text.firstMatch(of: /(?:^|[\s:'"(\[>-])([45][0-5]\d)(?=[\s'"-]|$|\])/)
        replyCode = code.flatMap { Int($0.1) }
        // The text before the code is the reporter's own: "host mx.example.org[192.0.2.1] said: 550 …".
        let said = code.map { text[$0.1.endIndex...] } ?? text.firstRange(of: " said: ").map { text[$0.upperBound...] }
        words = QuotedWords(String(said ?? text[...]))
        statuses = text.matches(of: /(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/)
            .compactMap { EnhancedStatusCode($0.1) }
    }
}

/// The words of a quoted reply, without its codes.
private struct QuotedWords {
    let text: String
    private let words: Set<String>

    init(_ text: String) {
        self.text = text
        words = Set(WordText(text).words).subtracting([WordText.end, WordText.address, WordText.host])
    }

    var isEmpty: Bool { words.isEmpty }

    /// Whether a code may blame the address beside these words, none of which is understood.
    func mayCondemn(by code: FailureReason) -> Bool {
        if words.isEmpty { return true }
        let isAboutAddress =
            !words.isDisjoint(with: ReportWords.addressees) || (code == .badDomain && words.contains("domain"))
        return isAboutAddress && words.isDisjoint(with: ReportWords.others)
    }
}

/// The analysed texts of one report. Each text is analysed once, even if several recipients' evidence contains it.
package final class ReportTexts {
    private var statements: [String: Statement] = [:]

    package init() {}

    fileprivate func statement(_ text: String) -> Statement {
        let text = text.limited(to: WordText.limit)
        if let statement = statements[text] { return statement }
        let statement = Statement([text])
        statements[text] = statement
        return statement
    }
}

/// One text and its analysis.
private final class Statement {
    private let readings: [WordText]
    private var said: [ReportWords: Bool] = [:]

    init(_ texts: [String]) { readings = texts.map { WordText($0) } }

    private func says(_ words: ReportWords) -> Bool {
        if let isSaid = said[words] { return isSaid }
        let isSaid = readings.contains { words.isSaid(in: $0) }
        said[words] = isSaid
        return isSaid
    }

    /// The text says that an address takes no mail, whatever else it says.
    var isAboutDeadAddress: Bool { dead != nil }

    /// The reason that the words state explicitly.
    var exactReason: FailureReason? { innocent ?? dead }

    /// The reason according to the words and the accompanying codes.
    func reason(codes: [FailureReason], isFromEdge: Bool) -> FailureReason? {
        // Exchange Online's edge refuses addresses that the organisation does not have
        // (learn.microsoft.com/exchange/mail-flow-best-practices/use-directory-based-edge-blocking).
        if isFromEdge, says(.accessDenied) { return .unknownRecipient }
        if let innocent { return innocent }
        let innocentCode = codes.first { !$0.suppressesAddress }
        if let dead { return innocentCode.flatMap { $0 == .policyRefusal ? nil : $0 } ?? dead }
        if says(.refused) || says(.accessDenied) { return innocentCode ?? .messageRefused }
        if says(.mailboxUnavailable) { return innocentCode ?? codes.first ?? .unknownRecipient }
        return nil
    }

    private var innocent: FailureReason? {
        if says(.expired) { return .expired }
        if says(.rateLimited) { return .rateLimited }
        if says(.mailboxFull) { return .mailboxFull }
        if says(.messageTooBig) { return .messageTooBig }
        if says(.senderRefused) { return .senderRefused }
        // "Blocked for inactivity" is not a policy refusal, unless it is temporary.
        if says(.disused) { return says(.disabledForNow) ? .recipientRefused : nil }
        if says(.policyRefusal) { return .policyRefusal }
        if says(.contentRefused) { return .contentRefused }
        if says(.systemTrouble) || says(.disabledForNow) { return .recipientRefused }
        return nil
    }

    private var dead: FailureReason? {
        if says(.badDomain) { return .badDomain }
        if says(.unknownRecipient) { return .unknownRecipient }
        if says(.mailboxDisabled) || says(.disused) { return .mailboxDisabled }
        return nil
    }
}

extension [FailureReason] {
    fileprivate var mostInnocent: FailureReason? { first { !$0.suppressesAddress } ?? first }
}
