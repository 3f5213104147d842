// Determines the kind of a returned mail. Never decides what follows from it, and never throws for a mere oddity.

import InternetMessage
package import OutboxCore

/// A mail that was sent to the address for reports.
///
/// No Swift library for MIME is available, so this code reads just the parts that such mails consist of, in time and
/// memory linear in the mail's size. It is lenient, because half of the world's mail systems follow no standard here.
package enum ReturnedMail: Sendable, Hashable {
    /// A mail system's report.
    case report(DeliveryStatusReport)
    /// An answer by a program (RFC 3834), or a complaint passed on by a mailbox provider (RFC 5965): the mail did
    /// arrive.
    case automatic(AutomaticMail)

    /// Size limit in octets; longer mails are not read. Reports return a mail of some kilobytes, or its header.
    package static let sizeLimit = 1 << 20

    /// Reads a mail.
    ///
    /// - Parameter bytes: the mail as it was received, at most ``sizeLimit`` octets.
    /// - Throws: `ReportError` for a mail by a person, and for a mail that claims to be a report but is empty.
    package init(parsing bytes: [UInt8]) throws(ReportError) {
        guard bytes.count <= Self.sizeLimit else { throw .tooLarge(limit: Self.sizeLimit) }
        var body = MailLines(bytes)
        let header = body.takeHeader()
        self = try MailReading(header: header, parts: MailPart.parts(of: header, body)).mail()
    }
}

/// A mail that a program sent automatically, and that is not a report.
package struct AutomaticMail: Sendable, Hashable {
    /// `answered` or `complained`.
    package let action: ReportedAction
    /// The ids and addresses that may link it to a mail of ours.
    package let traces: MailTraces
    /// Its field Subject, at most 200 Unicode scalars.
    package let subject: String?
}

/// A mail as far as it has been parsed.
private struct MailReading {
    let header: HeaderFields
    let parts: [MailPart]
    /// The blocks of fields about the mail, from the parts that hold them.
    let blocks: [HeaderFields]
    let text: ReportText
    let subject: String
    let sender: MailSender

    init(header: HeaderFields, parts: [MailPart]) {
        self.header = header
        self.parts = parts
        sender = MailSender(header)
        subject = (header["subject"] ?? "").limited.decodingWords
        let plain = parts.filter { !$0.isHTML }.compactMap(\.text)
        let isEmpty = plain.allSatisfy { $0.allSatisfy(\.isWhitespace) }
        let texts = isEmpty ? parts.compactMap(\.text) : plain
        text = ReportText(texts.joined(separator: "\n\n"))
        let named = parts.filter { $0.contentType.mediaType.hasSuffix("delivery-status") }
        let fields = named.flatMap { $0.lines.blocks }
        blocks = fields.contains(where: \.isAboutRecipient) ? fields : parts.flatMap(\.statusInText)
    }

    func mail() throws(ReportError) -> ReturnedMail {
        if let automatic = automaticByType { return automatic }
        let contentType = ContentType(header["content-type"])
        let isReport = contentType.mediaType == "multipart/report"
        let hasFields = blocks.contains(where: \.isAboutRecipient)
        if isReport || sender.isMailSystem || (hasFields && !sender.isPerson && blocksArePart) {
            guard hasFields || !text.isEmpty || !subject.isEmpty else {
                throw .malformed("it has neither a part message/delivery-status nor a text")
            }
            if isReport || hasFields || isFailureText { return .report(report) }
        }
        if isAutomatic || sender.isMailSystem { return automatic(.answered) }
        throw .notAReport("a person seems to have sent it")
    }

    /// The result, if the media type alone determines it.
    private var automaticByType: ReturnedMail? {
        let type = ContentType(header["content-type"])
        let reportType = type["report-type"]?.lowercased() ?? ""
        func has(_ mediaType: String) -> Bool { parts.contains { $0.contentType.mediaType == mediaType } }
        if reportType == "feedback-report" || has("message/feedback-report") { return automatic(.complained) }
        if blocks.contains(where: \.isAboutRecipient) { return nil }
        // A recipient's filter refuses a mail by a receipt that says "deleted" (RFC 5429 §2.1.2).
        if parts.contains(where: \.isReceiptOfRefusal) { return nil }
        // Receipts (RFC 8098), reports on TLS (RFC 8460), and other report types.
        let isOther =
            type.mediaType == "multipart/report" && !reportType.isEmpty && !reportType.hasSuffix("delivery-status")
        return isOther || has("message/disposition-notification") ? automatic(.answered) : nil
    }

    /// Whether the fields are in a part of their own, and not in a text that somebody may have quoted.
    private var blocksArePart: Bool { parts.contains { $0.contentType.mediaType.hasSuffix("delivery-status") } }

    /// Whether a text without fields reports a failure or a delay, and is not an answer.
    private var isFailureText: Bool {
        if header["x-failed-recipients"] != nil || sender.isCertainlyMailSystem { return true }
        if isAutomatic, !sender.isDaemon { return false }
        var evidence = ReportEvidence()
        evidence.text = subject + ".\n" + text.whole
        return FailurePolicy.outcome(in: evidence) != nil
    }

    /// Whether RFC 3834 §5, or a field that programs use instead, marks the mail as automatic. Words count only if they
    /// are unambiguous.
    private var isAutomatic: Bool {
        if let submitted = header["auto-submitted"]?.lowercased(), !submitted.hasPrefix("no") { return true }
        let fields = [
            "x-autoreply", "x-autorespond", "x-auto-reply-from", "x-mail-autoreply",
            "x-ms-exchange-inbox-rules-loop",
        ]
        if fields.contains(where: { header[$0] != nil }) { return true }
        if let precedence = header["precedence"]?.lowercased(), precedence.contains("auto") || precedence == "junk" {
            return true
        }
        return FailurePolicy.isAutomaticAnswer(subject: subject, text: text.whole)
    }

    private var report: DeliveryStatusReport {
        DeliveryStatusReport(blocks: blocks, text: text, subject: subject, traces: traces)
    }

    private func automatic(_ action: ReportedAction) -> ReturnedMail {
        let subject = SecretMask.none.masked(subject.limited(to: 200))
        return .automatic(
            AutomaticMail(action: action, traces: traces, subject: subject.isEmpty ? nil : subject)
        )
    }

    private var traces: MailTraces {
        let returned = parts.filter(\.isReturnedMail).map { part in
            var lines = part.lines
            return lines.takeHeader()
        }
        let feedback = parts.filter { $0.contentType.mediaType == "message/feedback-report" }.flatMap {
            $0.lines.blocks
        }
        return MailTraces(
            header: header,
            parts: parts,
            statusFields: blocks + feedback,
            returned: returned + [text.returned],
            texts: header.values + parts.compactMap(\.text)
        )
    }
}

/// The sender of a mail, by its envelope and its field From.
private struct MailSender {
    private enum ReturnPath {
        case absent, empty, address(String)
    }

    private let path: ReturnPath
    /// Whether the field From names a mail system.
    let isDaemon: Bool

    init(_ header: HeaderFields) {
        let from = (header["from"] ?? "").limited.decodingWords
        isDaemon =
            Self.namesDaemon(from.bare)
            || from.contains(/(?i)mail delivery|mailer.?daemon|postmaster|mail system|(system|mail) administrator/)
            || from.bare.isEmpty && header["from"] != nil
        if let field = header["return-path"] {
            let address = field.bare
            path = address.isEmpty || address == "<>" ? .empty : .address(address)
        } else {
            path = .absent
        }
    }

    /// Whether a mail system sent it: reports have an empty return path (RFC 5321 §4.5.5). Older systems use their own
    /// address.
    var isMailSystem: Bool {
        switch path {
        case .empty: true
        case .absent: isDaemon
        case .address(let address): Self.namesDaemon(address) || isDaemon
        }
    }

    /// Whether the return path is empty or missing, and the field From names a mail system.
    var isCertainlyMailSystem: Bool {
        switch path {
        case .empty, .absent: isDaemon
        case .address: false
        }
    }

    /// Whether a person sent it, or a program in a person's name.
    var isPerson: Bool {
        switch path {
        case .empty: false
        case .absent: !isDaemon
        case .address(let address): !Self.namesDaemon(address) && !isDaemon
        }
    }

    private static func namesDaemon(_ address: String) -> Bool {
        let local = address.lowercased().prefix { $0 != "@" }
        return local.contains("mailer-daemon") || local.contains("postmaster")
            || ["post_master", "mailerdaemon", "mail-daemon", "maildaemon", "mdaemon", "mailadm", "mailsystem"]
                .contains(String(local))
    }
}

extension HeaderFields {
    /// Whether these are the fields of a recipient in a status part (RFC 3464 §2.3).
    fileprivate var isAboutRecipient: Bool {
        self["action"] != nil || self["status"] != nil
            || (self["final-recipient"] != nil && (self["diagnostic-code"] != nil || self["original-recipient"] != nil))
    }
}

extension MailPart {
    fileprivate var isReceiptOfRefusal: Bool {
        contentType.mediaType == "message/disposition-notification"
            && lines.blocks.contains { $0["disposition"]?.lowercased().hasSuffix("deleted") ?? false }
    }

    /// The fields of a status part that is within a text, or in a part of an unknown type.
    fileprivate var statusInText: [HeaderFields] {
        guard !isReturnedMail, !isHTML else { return [] }
        let lines = lines
        let start = lines.lines.firstIndex { line in
            let name = String(decoding: line.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self).lowercased()
            return ["reporting-mta", "final-recipient", "original-recipient"].contains(name)
        }
        guard let start else { return [] }
        let blocks = MailLines(lines.lines[start...]).blocks
        return blocks.contains(where: \.isAboutRecipient) ? blocks : []
    }
}
