// A relay's replies, as values. Parses the syntax of RFC 5321 §4.2 and RFC 3463; never judges it (see FailurePolicy).

/// The meaning of reply codes for a conversation (RFC 5321 §4.2.1 and §4.3.2, which lets a client decide by the first
/// digit). The failure policy decides whose fault a refusal is.
package protocol ReplyCoded {
    /// The three-digit reply code.
    var code: Int { get }
}

extension ReplyCoded {
    /// 2yz: the command was carried out.
    package var isPositive: Bool { (200...299).contains(code) }
    /// 220 after STARTTLS: the handshake may begin (RFC 3207 §4).
    package var isReadyForTLS: Bool { code == 220 }
    /// 354 after DATA: the content may follow.
    package var asksForContent: Bool { code == 354 }
    /// 4yz or 5yz.
    package var isRefusal: Bool { code >= 400 }
    /// 5yz: a permanent refusal.
    package var isPermanent: Bool { code >= 500 }
    /// 421: the relay closes the connection, whatever the command was (RFC 5321 §3.8).
    package var closesConnection: Bool { code == 421 }
}

/// One complete reply of an SMTP server: its code, and the text of its lines (RFC 5321 §4.2).
package struct SMTPReply: ReplyCoded, Hashable, Sendable, CustomStringConvertible {
    /// The three-digit reply code.
    package let code: Int
    /// The enhanced status code that the text begins with, where there is one (RFC 2034).
    package let enhancedStatus: EnhancedStatusCode?
    /// The text of all lines, without reply and enhanced status codes, joined by a space.
    package let text: String

    /// The maximum length of the text, in Unicode scalars. RFC 5321 §4.5.3.1.5 allows 512 octets per line, and a
    /// hostile server may send endless lines.
    package static let textLimit = 1000

    /// Creates a reply from its parts.
    package init(code: Int, enhancedStatus: EnhancedStatusCode? = nil, text: String) {
        self.code = code
        self.enhancedStatus = enhancedStatus
        self.text = text.limited(to: Self.textLimit)
    }

    /// Creates a reply from the server's lines, each `250-text` or `250 text`, with or without its line end.
    ///
    /// - Returns: `nil` where the last line has no reply code: the server doesn't speak SMTP.
    package init?(lines: [String]) {
        guard let code = lines.last.flatMap(\.replyCode), (200...599).contains(code) else { return nil }
        var status: EnhancedStatusCode?
        var texts: [Substring] = []
        for line in lines {
            var text = Substring(line.utf8.dropFirst(4)).trimmingASCIISpace
            let end = text.utf8.firstIndex { $0.isASCIISpace } ?? text.endIndex
            if let found = EnhancedStatusCode(text[..<end]) {
                status = status ?? found
                text = text[end...].trimmingASCIISpace
            }
            if !text.isEmpty { texts.append(text) }
        }
        let text = texts.count == 1 ? String(texts[0]) : texts.joined(separator: " ")
        self.init(code: code, enhancedStatus: status, text: text)
    }

    /// The queue id by which the relay's administrator finds the mail: the last word after "queued as" or "id", as in
    /// Postfix, Exim and Sendmail's descendants; or the single long word after "Ok", as in Amazon SES, which uses this
    /// id in the Message-ID. There is no standard for it.
    package var queueID: String? {
        let words = text.utf8.split { $0.isASCIISpace }.map { Substring($0) }
        if words.count == 2, words[0].is("ok"), words[1].utf8.count >= 20 { return words[1].trimmedOfPunctuation }
        for (index, word) in words.enumerated() {
            if let id = word.idAssigned { return id }
            guard index + 1 < words.count else { continue }
            let isQueuedAs = word.is("as") && index > 0 && words[index - 1].is("queued")
            if isQueuedAs || word.is("id") { return words[index + 1].trimmedOfPunctuation }
        }
        return nil
    }

    /// The reply in a server's form, on one line.
    package var description: String {
        var words = String(code)
        if let enhancedStatus {
            words += " "
            words += enhancedStatus.description
        }
        if !text.isEmpty {
            words += " "
            words += text
        }
        return words
    }
}

extension String {
    /// The number in the first three characters; `nil` where they are no number.
    fileprivate var replyCode: Int? {
        var bytes = utf8.makeIterator()
        var code = 0
        for _ in 1...3 {
            guard let byte = bytes.next(), byte.isASCIIDigit else { return Int(prefix(3)) }
            code = code * 10 + Int(byte - UInt8(ascii: "0"))
        }
        // An octet of ASCII behind the digits can't join the last of them, as an accent would.
        guard let next = bytes.next(), next < 0x80 else { return Int(prefix(3)) }
        return code
    }
}

extension Substring {
    fileprivate var trimmingASCIISpace: Substring {
        if let first = utf8.first, let last = utf8.last, !first.isASCIISpace, !last.isASCIISpace { return self }
        let start = utf8.firstIndex { !$0.isASCIISpace } ?? endIndex
        guard let last = utf8.lastIndex(where: { !$0.isASCIISpace }) else { return self[start...] }
        return self[start...last]
    }

    /// Whether the text equals this lower-case word, in any case.
    fileprivate func `is`(_ word: String) -> Bool { utf8.count == word.utf8.count && lowercased() == word }

    /// `id=1abc-000` as Exim writes it.
    fileprivate var idAssigned: String? {
        guard let mark = utf8.firstIndex(of: UInt8(ascii: "=")), self[..<mark].is("id") else { return nil }
        return self[utf8.index(after: mark)...].trimmedOfPunctuation
    }

    fileprivate var trimmedOfPunctuation: String? {
        let trimmed = drop(while: { "<([".contains($0) })
        let end = trimmed.lastIndex(where: { !">)].,;".contains($0) })
        return end.map { String(trimmed[...$0]) }
    }
}
