// Traces that may link a returned mail to a mail of ours. Never looks anything up.

import InternetMessage
import OutboxCore

/// The addresses and ids that a mail names, each list with the most trustworthy first.
package struct MailTraces: Sendable, Hashable {
    /// The addressees of this mail, and the sender of the original mail: our return path contains the envelope id.
    package let addresses: [String]
    /// Envelope ids given with MAIL FROM (RFC 3461 §4.4), without the angle brackets that some systems add.
    package let envelopeIDs: [String]
    /// The Message-IDs of the returned mail, without angle brackets: ours, or the one with which a relay replaced it.
    package let messageIDs: [String]
    /// Words anywhere in the mail that have the form of an envelope id.
    package let words: [String]

    private static let limit = 50

    init(
        header: HeaderFields,
        parts: [MailPart],
        statusFields: [HeaderFields],
        returned: [HeaderFields],
        texts: [String]
    ) {
        let named = ["delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-apparently-to", "to", "cc"]
        var addresses = named.flatMap { header.all($0) }
        // A complaint names the return path in a field (RFC 5965 §3.2), a report in a field of the mail system's own
        // (X-Postfix-Sender), and the returned mail in the first field of its header.
        for fields in statusFields {
            addresses += fields.names.filter { $0 == "original-mail-from" || $0.hasSuffix("-sender") }
                .uniqued(Self.limit).flatMap { fields.all($0) }
        }
        addresses += returned.flatMap { $0.all("return-path") + $0.all("x-envelope-from") }
        // The list is cut first: reading an address costs more than counting it, and a stranger may write any number.
        var pieces: [Substring] = []
        for field in addresses where pieces.count < Self.limit {
            pieces += field.split(separator: ",", maxSplits: Self.limit).prefix(Self.limit)
                .filter { $0.utf8.contains(UInt8(ascii: "@")) }
        }
        self.addresses = pieces.prefix(Self.limit).map { String($0).withoutType.bare }.filter { $0.contains("@") }
            .uniqued(Self.limit)
        envelopeIDs = statusFields.flatMap { $0.all("original-envelope-id") }.map(\.bare).uniqued(Self.limit)
        let ids =
            returned.flatMap { $0.all("message-id") }
            + statusFields.flatMap { $0.all("x-original-message-id") + $0.all("original-message-id") }
            + header.all("in-reply-to")
            + header.all("references").flatMap {
                $0.split(separator: " ").suffix(Self.limit).reversed().map(String.init)
            }
            + header.all("x-original-message-id")
        messageIDs = ids.prefix(Self.limit).map(\.bare).uniqued(Self.limit)
        words = texts.flatMap { $0.idWords(Self.limit) }.uniqued(Self.limit)
    }
}

extension String {
    fileprivate static let textLimit = 1000

    /// At most 1,000 characters, each a Unicode scalar.
    var limited: String { limited(to: Self.textLimit) }

    /// `dns; mail.example.com` and `smtp; 550 …` without the type before the semicolon (RFC 3464 §2.1.2).
    var withoutType: String {
        guard let semicolon = firstIndex(of: ";") else { return self }
        let type = self[..<semicolon].trimmingSpaces
        guard !type.isEmpty, type.count <= 30, type.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" }),
            type.contains(where: \.isLetter)
        else { return self }
        return self[index(after: semicolon)...].trimmingSpaces
    }

    /// The text between the last angle brackets, or else the whole text.
    var bare: String {
        guard let start = lastIndex(of: "<"), let end = self[start...].firstIndex(of: ">") else {
            return limited.collapsingSpace
        }
        return String(self[index(after: start)..<end]).limited
    }

    /// Words of 32 letters and digits, the form of outboxd's envelope ids.
    fileprivate func idWords(_ limit: Int) -> [String] {
        utf8.split { !$0.isASCIILetterOrDigit }.lazy.filter { $0.count == 32 }.prefix(limit)
            .map { String(decoding: $0, as: UTF8.self).lowercased() }
    }
}

extension Substring {
    var trimmingSpaces: String {
        var text = self
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

extension [String] {
    fileprivate func uniqued(_ limit: Int) -> [String] {
        var seen: Set<String> = []
        return Array(filter { !$0.isEmpty && seen.insert($0).inserted }.prefix(limit))
    }
}
