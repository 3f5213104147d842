// Phrases to search for in a text, in a readable notation. Never knows what a phrase means.

/// A phrase in the words of ``WordText``.
///
/// - Words must appear in this order. `user/mailbox` is any of them, `exceed*` any word with that beginning.
/// - `~` stands for up to four words, none of them the end of a sentence.
/// - `{who}` is any phrase of a list (`lists`), each of one or more words.
/// - `@` is a mail address, `§` a host name.
///
/// A phrase in a script without spaces between words begins with `=`, and is searched for in the text without spaces.
struct ReportPattern: Sendable {
    fileprivate enum Piece: Sendable {
        case phrases(Phrases)
        case gap
    }

    /// Phrases that can stand in the same place, by their first words: a list of a hundred costs one look-up.
    fileprivate struct Phrases: Sendable {
        private var words: Set<String> = []
        private var longer: [String: [[Word]]] = [:]
        /// The phrases that begin with the beginning of a word.
        private var open: [[Word]] = []
        let firstWords: [Word]

        init(_ phrases: [[Word]]) {
            firstWords = phrases.compactMap(\.first)
            for phrase in phrases {
                guard let first = phrase.first else { continue }
                if first.isBeginning {
                    open.append(phrase)
                } else if phrase.count == 1 {
                    words.insert(first.text)
                } else {
                    longer[first.text, default: []].append(phrase)
                }
            }
        }

        /// The lengths in words of the phrases that the given words begin with.
        func lengths(in text: ArraySlice<String>) -> Set<Int> {
            guard let first = text.first else { return [] }
            var lengths: Set<Int> = words.contains(first) ? [1] : []
            for phrase in (longer[first] ?? []) + open where text.count >= phrase.count {
                if zip(phrase, text).allSatisfy({ $0.matches($1) }) { lengths.insert(phrase.count) }
            }
            return lengths
        }
    }

    fileprivate struct Word: Sendable {
        let text: String
        let isBeginning: Bool

        init(_ text: Substring) {
            isBeginning = text.last == "*"
            self.text = String(isBeginning ? text.dropLast() : text)
        }

        func matches(_ word: String) -> Bool { isBeginning ? word.hasPrefix(text) : word == text }
    }

    fileprivate let pieces: [Piece]
    fileprivate let unspaced: String?
    private static let longestGap = 4

    /// - Parameters:
    ///   - text: the phrase.
    ///   - lists: the phrases that `{name}` stands for, separated by commas.
    init(_ text: String, lists: [String: String] = [:]) {
        if text.hasPrefix("=") {
            unspaced = String(text.dropFirst())
            pieces = []
            return
        }
        unspaced = nil
        pieces = text.split(separator: " ").map { piece in
            if piece == "~" { return .gap }
            guard piece.hasPrefix("{") else { return .phrases(Phrases(piece.split(separator: "/").map { [Word($0)] })) }
            guard let list = lists[String(piece.dropFirst().dropLast())] else {
                preconditionFailure("the phrase '\(text)' names a list that does not exist")
            }
            return .phrases(Phrases(list.split(separator: ",").map { $0.split(separator: " ").map { Word($0) } }))
        }
    }

    /// The possible first words of the phrase.
    fileprivate var firstWords: [Word] {
        guard case .phrases(let phrases) = pieces.first else { return [] }
        return phrases.firstWords
    }

    /// Whether the words begin with the phrase.
    fileprivate func begins(_ words: ArraySlice<String>) -> Bool { Self.match(pieces[...], words) }

    private static func match(_ pieces: ArraySlice<Piece>, _ words: ArraySlice<String>) -> Bool {
        guard let piece = pieces.first else { return true }
        let further = pieces.dropFirst()
        switch piece {
        case .phrases(let phrases):
            return phrases.lengths(in: words).contains { match(further, words.dropFirst($0)) }
        case .gap:
            var rest = words
            for _ in 0...longestGap {
                if match(further, rest) { return true }
                guard let next = rest.popFirst(), next != WordText.end else { return false }
            }
            return false
        }
    }
}

/// Phrases of the same meaning, found in time linear in the text's length.
struct ReportPatterns: Sendable {
    private let patterns: [ReportPattern]
    private let unspaced: [String]
    private var byFirstWord: [String: Set<Int>] = [:]
    private var byBeginning: [(beginning: String, pattern: Int)] = []

    init(_ patterns: [ReportPattern]) {
        self.patterns = patterns
        unspaced = patterns.compactMap(\.unspaced)
        for (index, pattern) in patterns.enumerated() {
            for word in pattern.firstWords {
                if word.isBeginning {
                    byBeginning.append((word.text, index))
                } else {
                    byFirstWord[word.text, default: []].insert(index)
                }
            }
        }
    }

    /// Whether the text contains one of the phrases.
    func isSaid(in text: WordText) -> Bool {
        for (position, word) in text.words.enumerated() {
            let rest = text.words[position...]
            if let indices = byFirstWord[word], indices.contains(where: { patterns[$0].begins(rest) }) { return true }
            if byBeginning.contains(where: { word.hasPrefix($0.beginning) && patterns[$0.pattern].begins(rest) }) {
                return true
            }
        }
        return unspaced.contains { text.unspaced.contains($0) }
    }
}
