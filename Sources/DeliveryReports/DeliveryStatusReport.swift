// A mail system's report about a mail that it could or could not deliver. Never decides what follows from it.

package import InternetMessage
package import OutboxCore

/// The statement of a mail system about a mail that it had taken responsibility for: as fields (RFC 3464), or only in
/// words.
package struct DeliveryStatusReport: Sendable, Hashable {
    /// The statement about one recipient.
    package struct Recipient: Sendable, Hashable {
        /// The last address that was tried.
        package let finalRecipient: String?
        /// The address that the mail was sent to.
        package let originalRecipient: String?
        /// What happened; `nil` if the field is missing or has an unknown value.
        package let action: ReportedAction?
        /// The status code of the reason (RFC 3463).
        package var status: EnhancedStatusCode? { evidence.status }
        /// The reply of the mail system that refused it, at most 1,000 characters.
        package let diagnostic: String?
        /// The mail system that gave this reply.
        package let remoteMTA: String?
        /// The fields in the form that the failure policy judges.
        package let evidence: ReportEvidence
    }

    /// The mail system that made the report.
    package let reportingMTA: String?
    /// The ids and addresses that may link the report to a mail of ours.
    package let traces: MailTraces
    /// Empty if the report has only words.
    package let recipients: [Recipient]
    /// The lines of the text for people.
    private let lines: [Substring]
    private let subject: String

    /// How many recipients are read; our mails have one.
    private static let recipientLimit = 100

    init(blocks: [HeaderFields], text: ReportText, subject: String, traces: MailTraces) {
        let groups = RecipientGroups(blocks)
        reportingMTA = groups.message.compactMap { $0["reporting-mta"] }.first
            .map { SecretMask.none.masked($0.withoutType.limited) }
        recipients = groups.recipients.prefix(Self.recipientLimit).map { Recipient($0) }
        self.traces = traces
        lines = text.lines
        self.subject = subject
    }

    /// The report's statement about the address that the mail was sent to.
    ///
    /// A mail of ours has one recipient. A system on the way may have forwarded it to others; then one of these counts,
    /// preferably one whose failure does not blame the address. If the report names only other recipients, none of them
    /// condemns our address, and the mail was delivered if it reached one of them.
    /// - Parameters:
    ///   - address: as it stands in RCPT TO.
    ///   - isRecipient: whether another spelling means the same address.
    package func finding(for address: String, isRecipient: (String) -> Bool) -> ReportFinding {
        let account = Account(ReportText(lines: lines), subject: subject, address: address)
        let named = recipients.filter { $0.addresses.contains(where: isRecipient) }
        let isOfOthers = named.isEmpty && (recipients.count > 1 || recipients.contains { !$0.addresses.isEmpty })
        if isOfOthers, let delivered = recipients.first(where: \.isDelivered) { return finding(of: delivered, account) }
        let chosen = named.isEmpty ? recipients : named
        let findings = chosen.prefix(Self.judgedLimit).map { finding(of: $0, account) }
        let failed = findings.filter { $0.action == .failed }
        if let finding = failed.first(where: { $0.reason?.suppressesAddress != true }) ?? failed.first ?? findings.first
        {
            return isOfOthers ? finding.withoutBlame : finding
        }
        let evidence = account.evidence(ReportEvidence())
        let action = FailurePolicy.outcome(in: evidence, texts: account.texts)
        return finding(evidence, action: action, detail: account.detail, account.texts)
    }

    /// How many recipients are judged.
    private static let judgedLimit = 10

    private func finding(of recipient: Recipient, _ account: Account) -> ReportFinding {
        let evidence = account.evidence(recipient.evidence)
        let action: ReportedAction? =
            if let action = recipient.action {
                action
            } else {
                switch evidence.status?.statusClass {
                case 2: .delivered
                case 4: .delayed
                case 5: .failed
                default: FailurePolicy.outcome(in: evidence, texts: account.texts)
                }
            }
        return finding(evidence, action: action, detail: recipient.diagnostic ?? account.detail, account.texts)
    }

    private func finding(_ evidence: ReportEvidence, action: ReportedAction?, detail: String?, _ texts: ReportTexts)
        -> ReportFinding
    {
        var evidence = evidence
        evidence.isDelay = action == .delayed
        let hasReason = action == .failed || action == .delayed
        return ReportFinding(
            action: action ?? .returned,
            status: evidence.status,
            reason: hasReason ? FailurePolicy.reason(of: evidence, texts: texts) : nil,
            detail: detail.map { SecretMask.none.masked($0.limited) }
        )
    }
}

/// The text of a report for people, read once for all recipients.
private struct Account {
    private let text: String
    private let passages: [String]
    /// The passage that explains the failure, or else the whole text.
    let detail: String?
    let texts: ReportTexts

    init(_ text: ReportText, subject: String, address: String) {
        let (whole, passages, texts) = (text.whole, text.passages(about: address), ReportTexts())
        self.text = subject + ".\n" + whole
        self.passages = passages
        self.texts = texts
        let words = passages.first { FailurePolicy.saysReason($0, texts: texts) } ?? whole
        detail = words.isEmpty ? nil : words.collapsingSpace
    }

    /// The fields of a recipient, combined with this text.
    func evidence(_ fields: ReportEvidence) -> ReportEvidence {
        var evidence = fields
        evidence.passages = passages
        evidence.text = text
        return evidence
    }
}

/// The result of a report for one mail.
package struct ReportFinding: Sendable, Hashable {
    /// What happened to it.
    package let action: ReportedAction
    /// The enhanced status code.
    package let status: EnhancedStatusCode?
    /// Why it failed or is late.
    package let reason: FailureReason?
    /// The mail system's text, at most 1,000 characters.
    package let detail: String?

    /// The same finding for an address that is not ours.
    fileprivate var withoutBlame: ReportFinding {
        guard reason?.suppressesAddress == true else { return self }
        return ReportFinding(action: action, status: status, reason: .recipientRefused, detail: detail)
    }
}

/// The blocks of a status part, sorted into those of the mail and those of its recipients (RFC 3464 §2.1).
private struct RecipientGroups {
    private(set) var message: [HeaderFields] = []
    private(set) var recipients: [HeaderFields] = []

    /// Whether two blocks share no recipient field, and one of them lacks a field that the other has.
    private static func isComplementary(_ first: HeaderFields, _ second: HeaderFields) -> Bool {
        let fields = addresses + facts
        func isWhole(_ block: HeaderFields) -> Bool {
            block["action"] != nil && addresses.contains { block[$0] != nil }
        }
        return !isWhole(first) && !isWhole(second) && fields.allSatisfy { first[$0] == nil || second[$0] == nil }
            || isWhole(first) && addresses.allSatisfy { second[$0] == nil } && second["action"] == nil
                && facts.allSatisfy { first[$0] == nil || second[$0] == nil }
    }

    private static let addresses = ["final-recipient", "original-recipient"]
    private static let facts = ["action", "status", "diagnostic-code"]

    init(_ blocks: [HeaderFields]) {
        for block in blocks {
            let hasAddress = Self.addresses.contains { block[$0] != nil }
            let hasFact = Self.facts.contains { block[$0] != nil }
            // Some mail systems put an empty line between the fields of one recipient, or after each field.
            if hasFact || hasAddress, let last = recipients.last, Self.isComplementary(last, block) {
                recipients[recipients.count - 1] = last.joined(with: block)
                continue
            }
            if hasAddress || hasFact { recipients.append(block) }
            if block["reporting-mta"] != nil || !(hasAddress || hasFact) { message.append(block) }
        }
    }
}

extension DeliveryStatusReport.Recipient {
    fileprivate var addresses: [String] { [originalRecipient, finalRecipient].compactMap(\.self) }

    fileprivate var isDelivered: Bool {
        action == .delivered || action == nil && evidence.status?.statusClass == 2
    }

    fileprivate init(_ fields: HeaderFields) {
        let word = fields["action"].flatMap { $0.lowercased().split(whereSeparator: { !$0.isLetter }).first } ?? ""
        var evidence = ReportEvidence()
        switch word {
        case "failed", "failure", "fail", "bounced", "undeliverable": action = .failed
        case "expired":
            action = .failed
            evidence.hasGivenUp = true
        case "delayed", "delay", "deferred": action = .delayed
        case "delivered", "success", "deliver": action = .delivered
        case "relayed", "relay": action = .relayed
        case "expanded": action = .expanded
        default: action = nil
        }
        finalRecipient = fields["final-recipient"].map(Self.address)
        originalRecipient = fields["original-recipient"].map(Self.address)
        remoteMTA = fields["remote-mta"].map { SecretMask.none.masked($0.withoutType.limited) }
        let status = (fields["status"] ?? "").limited
        evidence.status = status.firstMatch(of: /(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?!\d)/)
            .flatMap { EnhancedStatusCode($0.1) }
        let names = ["diagnostic-code", "x-supplementary-info"]
        // The text may quote the link of a refused mail, and its token is not available any more to be masked.
        var readings = [
            names.flatMap { fields.all($0) }.map(\.withoutType.limited).joined(separator: " "),
            names.flatMap { fields.allJoined($0) }.map(\.withoutType.limited).joined(separator: " "),
        ].map { SecretMask.none.masked($0.decodingWords.collapsingSpace) }.filter { !$0.isEmpty }
        // Some systems put the whole reply into the field Status. A comment there only repeats the code in words.
        let reply = status.replacing(/\([^)]*\)/, with: "")
        if readings.isEmpty, reply.contains(where: \.isLetter) { readings = [reply] }
        evidence.diagnostics = readings
        self.evidence = evidence
        diagnostic = readings.first?.limited
    }

    /// `rfc822; ann@example.com`; the type `utf-8` escapes characters other than printable ASCII (RFC 6533 §3).
    private static func address(_ field: String) -> String {
        let bare = SecretMask.none.masked(field.withoutType.limited).bare
        return bare.replacing(/\\x\{([0-9A-Fa-f]{1,6})\}/) { match in
            UInt32(match.1, radix: 16).flatMap { Unicode.Scalar($0) }.map { String($0) } ?? String(match.0)
        }
    }
}
