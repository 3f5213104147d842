// A text as the words that it says, however it is wrapped, quoted or punctuated. Never judges what they mean.

import InternetMessage

/// The words of a reply or of a report, in lower case.
///
/// What says nothing about a failure's cause is left out, because names deceive: `spam@quota.example` is neither spam nor
/// a quota. Addresses become ``address``, hosts' names ``host``; web addresses, reply codes and other numbers go.
struct WordText: Sendable {
    /// Stands for any mail address.
    static let address = "@"
    /// Stands for any host's name.
    static let host = "§"
    /// Stands for the end of a sentence.
    static let end = "."

    /// The words in their order, with these marks.
    let words: [String]
    /// The text in lower case without any white space, for languages that put none between words, and for words that a
    /// mail system broke in the middle.
    let unspaced: String

    /// So many characters are looked at, in Unicode scalars, and so many words: reasons stand at the beginning, and a
    /// stranger's text may have any length.
    static let limit = 6000
    private static let wordLimit = 500

    init(_ text: String) {
        // Postfix says behind a reply to what command it was: "(in reply to RCPT TO command)". That is no recipient.
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
        // "…" and "..." go on with the sentence, as Sendmail's "<ann@example.org>... User unknown" does.
        let marks = tail.filter { ".;!?".contains($0) }
        defer { if marks.count == 1 { words.append(end) } }
        // "<ann@example.org>: host mx.example.org said: 550 …": what is said is not said of the address before it.
        if tail == ":", chunk.lowercased() == "said" {
            words += ["said", end]
            return
        }
        // "550-5.1.1": the beginning of a reply's line.
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

    /// Labels with dots between. Exchange's `RESOLVER.ADR.RecipientNotFound` and a "sentence.Another" are none.
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
