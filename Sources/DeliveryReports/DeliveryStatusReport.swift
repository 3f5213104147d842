// A delivery status notification (RFC 3464) as values. Never decides what follows from it.

package import OutboxCore

/// What a mail system says of a mail that it had taken responsibility for.
///
/// There is no Swift library for MIME to be had, so this reads just what a report consists of (RFC 6522: one level of
/// parts, the second one a list of fields), in time and memory linear in its size.
package struct DeliveryStatusReport: Sendable, Hashable {
    /// What happened to a mail (RFC 3464 §2.3.3).
    package enum Action: String, CaseIterable, Sendable {
        case failed, delayed, delivered, relayed, expanded
    }

    /// What is said of one recipient.
    package struct Recipient: Sendable, Hashable {
        /// The address that was tried last.
        package let finalRecipient: String?
        /// The address that the mail was sent to.
        package let originalRecipient: String?
        /// What happened.
        package let action: Action
        /// Why (RFC 3463).
        package let status: EnhancedStatusCode?
        /// The words of the mail system that refused it, at most 1,000 characters.
        package let diagnostic: String?
        /// The mail system that said them.
        package let remoteMTA: String?
    }

    /// The mail system that made the report.
    package let reportingMTA: String?
    /// The envelope id given with MAIL FROM (RFC 3461 §4.4).
    package let originalEnvelopeID: String?
    /// The Message-ID of the returned mail, without angle brackets.
    package let originalMessageID: String?
    /// The addresses that the report was sent to, the most trustworthy first: what the mail system that delivered it
    /// wrote down, then the field To.
    package let addressedTo: [String]
    /// At least one.
    package let recipients: [Recipient]

    /// A longer mail is not read, in octets: reports return a mail of some kilobytes, or its header.
    package static let sizeLimit = 1 << 20

    /// So many recipients are looked at; ours have one.
    private static let recipientLimit = 100
    private static let textLimit = 1000

    /// Reads a report.
    ///
    /// - Parameter bytes: the mail as it was received, at most ``sizeLimit`` octets.
    /// - Throws: `ReportError` for everything that isn't a complete report.
    package init(parsing bytes: [UInt8]) throws(ReportError) {
        guard bytes.count <= Self.sizeLimit else { throw .tooLarge(limit: Self.sizeLimit) }
        var mail = MailLines(bytes)
        let header = mail.takeHeader()
        let contentType = ContentType(header["content-type"])
        guard contentType.mediaType == "multipart/report" else {
            throw .notAReport("its content type is not multipart/report")
        }
        guard let kind = contentType["report-type"]?.lowercased(), kind == "delivery-status" else {
            throw .notAReport("its report type is not delivery-status")
        }
        guard let boundary = contentType["boundary"] else { throw .malformed("it names no boundary") }
        let parts = try MultipartBody(mail, boundary: boundary).parts
        let status = parts.first { Self.statusTypes.contains($0.contentType.mediaType) }
        guard let status else { throw .malformed("it has no part message/delivery-status") }
        let decoded = try TransferDecoding.decoded(
            status.body,
            encoding: status.header["content-transfer-encoding"]
        )
        let blocks = decoded.blocks
        guard let perMessage = blocks.first else { throw .malformed("its status part is empty") }
        // The fields of the message come first; some mail systems leave them out.
        let hasMessageFields = perMessage["action"] == nil
        var recipients: [Recipient] = []
        for fields in blocks.dropFirst(hasMessageFields ? 1 : 0).prefix(Self.recipientLimit) {
            recipients.append(try Recipient(fields))
        }
        guard !recipients.isEmpty else { throw .malformed("it names no recipient") }
        self.recipients = recipients
        reportingMTA = perMessage["reporting-mta"].map(Self.untyped)
        originalEnvelopeID = perMessage["original-envelope-id"].map(Self.limited)
        originalMessageID = parts.first { Self.originalTypes.contains($0.contentType.mediaType) }
            .flatMap { part in
                var original = part.body
                return original.takeHeader()["message-id"].map(Self.bare)
            }
        addressedTo = ["delivered-to", "x-original-to", "envelope-to", "to"].flatMap { name in
            header.all(name).flatMap {
                $0.split(separator: ",").prefix(Self.recipientLimit).map { Self.bare(String($0)) }
            }
        }.filter { $0.contains("@") }
    }

    private static let statusTypes = ["message/delivery-status", "message/global-delivery-status"]
    private static let originalTypes = [
        "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers",
    ]

    fileprivate static func limited(_ text: String) -> String { String(text.prefix(textLimit)) }

    /// `dns; mail.example.com` and `smtp; 550 …` without what stands before the semicolon, and without the paths of web
    /// addresses: a refused mail's link may be quoted there, and nobody knows its token any more to look for it.
    fileprivate static func untyped(_ text: String) -> String {
        guard let semicolon = text.firstIndex(of: ";") else { return limited(SecretMask.none.masked(text)) }
        return limited(SecretMask.none.masked(text[text.index(after: semicolon)...].description.collapsingSpace))
    }

    /// What stands between the last angle brackets, or else the text.
    fileprivate static func bare(_ text: String) -> String {
        guard let start = text.lastIndex(of: "<"), let end = text[start...].firstIndex(of: ">") else {
            return limited(text.collapsingSpace)
        }
        return limited(String(text[text.index(after: start)..<end]))
    }
}

extension DeliveryStatusReport.Recipient {
    fileprivate init(_ fields: HeaderFields) throws(ReportError) {
        // A comment may stand behind the word (RFC 3464 §2.1.1).
        let word = fields["action"]?.lowercased().prefix { $0.isLetter } ?? ""
        guard let action = DeliveryStatusReport.Action(rawValue: String(word)) else {
            throw .malformed("an Action is none of failed, delayed, delivered, relayed, expanded")
        }
        self.action = action
        status = fields["status"].flatMap { EnhancedStatusCode($0.prefix { $0.isNumber || $0 == "." }) }
        finalRecipient = fields["final-recipient"].map(Self.address)
        originalRecipient = fields["original-recipient"].map(Self.address)
        diagnostic = fields["diagnostic-code"].map(DeliveryStatusReport.untyped)
        remoteMTA = fields["remote-mta"].map(DeliveryStatusReport.untyped)
    }

    /// `rfc822; ann@example.com`; `utf-8; …` has escapes for what isn't printable ASCII (RFC 6533 §3).
    private static func address(_ field: String) -> String {
        let bare = DeliveryStatusReport.bare(DeliveryStatusReport.untyped(field))
        return bare.replacing(/\\x\{([0-9A-Fa-f]{1,6})\}/) { match in
            UInt32(match.1, radix: 16).flatMap { Unicode.Scalar($0) }.map { String($0) } ?? String(match.0)
        }
    }
}
