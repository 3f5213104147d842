// What a relay said, as values. Parses what RFC 5321 §4.2 and RFC 3463 define; never judges it (see FailurePolicy).

/// One complete reply of an SMTP server: its code, and the text of its lines (RFC 5321 §4.2).
package struct SMTPReply: Hashable, Sendable, CustomStringConvertible {
    /// The three-digit reply code.
    package let code: Int
    /// The enhanced status code that the text begins with, where there is one (RFC 2034).
    package let enhancedStatus: EnhancedStatusCode?
    /// The text of all lines, without reply and enhanced status codes, joined by a space.
    package let text: String

    /// The longest text that is kept of a reply, in characters. RFC 5321 §4.5.3.1.5 allows 512 octets a line, and a
    /// hostile server may send lines without end.
    package static let textLimit = 1000

    /// Makes a reply from its parts.
    package init(code: Int, enhancedStatus: EnhancedStatusCode? = nil, text: String) {
        self.code = code
        self.enhancedStatus = enhancedStatus
        self.text = String(text.prefix(Self.textLimit))
    }

    /// Makes a reply from the lines the server sent, each `250-text` or `250 text`, with or without its line end.
    ///
    /// - Returns: `nil` where the last line has no reply code: the server doesn't speak SMTP.
    package init?(lines: [String]) {
        guard let code = lines.last.flatMap({ Int($0.prefix(3)) }), (200...599).contains(code) else { return nil }
        var status: EnhancedStatusCode?
        var texts: [Substring] = []
        for line in lines {
            var text = line.dropFirst(4)[...].drop(while: \.isWhitespace)
            if let end = text.firstIndex(where: \.isWhitespace) ?? (text.isEmpty ? nil : text.endIndex),
                let found = EnhancedStatusCode(text[..<end])
            {
                status = status ?? found
                text = text[end...].drop(while: \.isWhitespace)
            }
            while text.last?.isWhitespace == true { text.removeLast() }
            if !text.isEmpty { texts.append(text) }
        }
        self.init(code: code, enhancedStatus: status, text: texts.joined(separator: " "))
    }

    /// The queue id by which the relay's administrator finds the mail: the last word after "queued as" or "id", as
    /// Postfix, Exim and Sendmail's descendants write it. There is no standard for it.
    package var queueID: String? {
        let words = text.split(whereSeparator: \.isWhitespace)
        for (index, word) in words.enumerated() {
            if let id = word.wholeMatchOfIDAssignment { return id }
            guard index + 1 < words.count else { continue }
            let marker = word.lowercased()
            let isQueuedAs = marker == "as" && index > 0 && words[index - 1].lowercased() == "queued"
            if isQueuedAs || marker == "id" {
                return words[index + 1].trimmedOfPunctuation
            }
        }
        return nil
    }

    /// The reply as a server would have sent it, on one line.
    package var description: String {
        [String(code), enhancedStatus?.description, text.isEmpty ? nil : text].compactMap(\.self).joined(separator: " ")
    }
}

extension Substring {
    /// `id=1abc-000` as Exim writes it.
    fileprivate var wholeMatchOfIDAssignment: String? {
        guard lowercased().hasPrefix("id=") else { return nil }
        return dropFirst(3).trimmedOfPunctuation
    }

    fileprivate var trimmedOfPunctuation: String? {
        let trimmed = drop(while: { "<([".contains($0) })
        let end = trimmed.lastIndex(where: { !">)].,;".contains($0) })
        return end.map { String(trimmed[...$0]) }
    }
}
