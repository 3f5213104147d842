// A pattern of words that a rule searches for in a reply, as printable data. Never matches anything (see WordMatcher).

/// A meaning, written as a small pattern over the words of one sentence of a reply (see ``FoldedText``).
///
/// | in a pattern | stands for |
/// |---|---|
/// | `quota` | that word, and nothing longer |
/// | `exceed*` | a word that begins so |
/// | `mail/message` | one of them |
/// | `{limit}` | one of a list's entries (``WordList``) |
/// | `sender … rejected` | up to four further words between the two |
/// | `{limit} & {exceeded}` | both, anywhere in one sentence |
package struct WordPattern: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The pattern as written.
    package let description: String

    package init(stringLiteral text: String) { description = text }

    init(_ text: String) { description = text }

    /// The parts, all of which must match.
    var groups: [[Element]] {
        description.split(separator: "&").map { Element.sequence(in: $0) }
    }

    /// One place in a sequence of words.
    indirect enum Element: Hashable, Sendable {
        /// Up to four words of any kind.
        case gap
        /// One of several sequences of words.
        case choice([[Element]])
        /// One word.
        case word(String, isPrefix: Bool)

        /// - Precondition: every list that the text names exists.
        static func sequence(in text: Substring) -> [Element] { sequence(in: text, lists) }

        private static func sequence(in text: Substring, _ lists: [String: [[Element]]]) -> [Element] {
            text.split(separator: " ").map { place in
                place == "…" ? .gap : .choice(place.split(separator: "/").flatMap { alternatives(in: $0, lists) })
            }
        }

        private static func alternatives(in text: Substring, _ lists: [String: [[Element]]]) -> [[Element]] {
            guard text.hasPrefix("{") else {
                let isPrefix = text.hasSuffix("*")
                return [[.word(String(isPrefix ? text.dropLast() : text), isPrefix: isPrefix)]]
            }
            guard let list = lists[String(text.dropFirst().dropLast())] else {
                preconditionFailure("there is no list of words \(text) above the place that names it")
            }
            return list
        }

        /// The entries of each list, read once.
        private static let lists = WordList.all.reduce(into: [String: [[Element]]]()) { lists, list in
            lists[list.name] = list.entries.map { sequence(in: $0[...], lists) }
        }
    }
}

/// A named list of words and short phrases with the same meaning in relays' replies.
package struct WordList: Sendable {
    /// The name that patterns use, between braces.
    package let name: String
    /// The entries, in the language of ``WordPattern`` without `&`; each may refer to an earlier list.
    package let entries: [String]

    init(_ name: String, _ entries: String) {
        self.name = name
        self.entries = entries.split(separator: ",").map { $0.trimming }
    }

    /// The list as a row of a Markdown table.
    package var tableRow: String { "| `{\(name)}` | \(entries.map { "`\($0)`" }.joined(separator: ", ")) |" }
}

extension Substring {
    fileprivate var trimming: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
