// The words of a text, independent of wrapping, quoting and punctuation. Never judges what they mean.

import InternetMessage

/// The words of a reply or of a report, in lower case.
///
/// Parts that say nothing about a failure's cause are left out, because names mislead: `spam@quota.example` is neither
/// spam nor a quota. Addresses become ``address``, host names ``host``; web addresses, reply codes and other numbers
/// are removed.
struct WordText: Sendable {
    /// Stands for any mail address.
    static let address = "@"
    /// Stands for any host name.
    static let host = "§"
    /// Stands for the end of a sentence.
    static let end = "."

    /// The words in their order, with these marks.
    let words: [String]
    /// The text in lower case without white space, for languages without spaces between words, and for words that a
    /// mail system broke in the middle.
    let unspaced: String

    /// Maximum number of characters (Unicode scalars) and of words evaluated: reasons stand at the beginning, and a
    /// text from outside may have any length.
    static let limit = 6000
    private static let wordLimit = 500

    init(_ text: String) {
        // Postfix adds the refused command to a reply: "(in reply to RCPT TO command)". That is not a recipient.
        let text = text.limited(to: Self.limit)
            .replacing(#/\(in\s+reply\s+to\s[\sA-Za-z]{2,40}\scommand\)/#, with: "")
        var words: [String] = []
        for chunk in text.split(whereSeparator: \.isWhitespace) where words.count < Self.wordLimit {
            Self.append(chunk, to: &words)
        }
        self.words = Array(words.prefix(Self.wordLimit))
        unspaced = text.lowercased().filter { !$0.isWhitespace }
    }

    private static func append(_ chunk: Substring, to words: inout [String]) {
        var chunk = chunk
        while let first = chunk.first, !first.isLetter, !first.isNumber { chunk.removeFirst() }
        var tail = ""
        while let last = chunk.last, !last.isLetter, !last.isNumber {
            tail.append(last)
            chunk.removeLast()
        }
        // "…" and "..." don't end the sentence, as in Sendmail's "<ann@example.org>... User unknown".
        let marks = tail.filter { ".;!?".contains($0) }
        defer { if marks.count == 1 { words.append(end) } }
        // In "<ann@example.org>: host mx.example.org said: 550 …" the reply is not a statement about the address before
        // it.
        if tail == ":", chunk.lowercased() == "said" {
            words += ["said", end]
            return
        }
        // "550-5.1.1": the beginning of a reply line.
        if let dash = chunk.firstIndex(of: "-"), chunk[..<dash].count == 3, chunk[..<dash].allSatisfy(\.isASCIIDigit) {
            chunk = chunk[chunk.index(after: dash)...]
        }
        if chunk.isEmpty || chunk.contains("://") || chunk.lowercased().hasPrefix("www.") { return }
        if chunk.contains("@") {
            words.append(address)
            return
        }
        if isHostName(chunk) {
            words.append(host)
            return
        }
        for word in chunk.split(whereSeparator: { !$0.isLetter && !$0.isNumber && !"'’".contains($0) }) {
            for part in word.splitAtCapitals where !part.allSatisfy(\.isNumber) {
                words.append(part.filter { !"'’".contains($0) }.lowercased())
            }
        }
    }

    /// Labels joined by dots. Exchange's `RESOLVER.ADR.RecipientNotFound` and a "sentence.Another" are not host names.
    private static func isHostName(_ chunk: Substring) -> Bool {
        // Postfix puts the address behind the name: `mx.example.org[192.0.2.25]`.
        let name = chunk.prefix { $0 != "[" && $0 != "(" && $0 != ":" }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count > 1, let last = labels.last, last.count > 1, last.allSatisfy(\.isLetter) else {
            return false
        }
        guard last.lowercased() == last || last.uppercased() == last else { return false }
        return labels.allSatisfy { label in
            !label.isEmpty && label.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
        }
    }
}

extension Substring {
    /// `RecipientNotFound` is three words.
    fileprivate var splitAtCapitals: [Substring] {
        var parts: [Substring] = []
        var start = startIndex
        var isBehindSmallLetter = false
        for index in indices {
            if self[index].isUppercase, isBehindSmallLetter {
                parts.append(self[start..<index])
                start = index
            }
            isBehindSmallLetter = self[index].isLowercase
        }
        parts.append(self[start...])
        return parts
    }
}
