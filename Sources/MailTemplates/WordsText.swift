// Text of a file of words, as HTML. Knows nothing of tags.

/// The text between two tags in a file of words, which serves the subject, the text part and the HTML part.
///
/// The text part shows it as it is. In HTML it is escaped, and its lines are joined: with a space, or without one beside
/// Chinese and Japanese characters, which are written without spaces.
struct WordsText {
    private let text: String

    init(_ text: ArraySlice<UInt8>) {
        self.text = String(decoding: text, as: UTF8.self)
    }

    /// HTML in the text, which would be shown as it is written; `nil` if there is none.
    var markup: Substring? {
        if text.contains("<") { return "<" }
        // A regular expression is compiled at each use, which was half of the time that loading all templates took.
        guard text.utf8.contains(UInt8(ascii: "&")) else { return nil }
        return text.firstMatch(of: /&(?:#?[0-9A-Za-z]+);/)?.output
    }

    var html: [UInt8] {
        var html: [UInt8] = []
        var rest = Substring(text)
        while let lineBreak = rest.firstIndex(where: \.isNewline) {
            let line = rest[..<lineBreak]
            let next = rest[lineBreak...].drop { $0.isWhitespace }
            let before = line.last { !$0.isWhitespace }
            html += HTMLText.escaped(String(line.trimmingSuffix { $0.isWhitespace })).utf8
            if !Self.isWithoutSpaces(before), !Self.isWithoutSpaces(next.first) { html.append(0x20) }
            rest = next
        }
        return html + HTMLText.escaped(String(rest)).utf8
    }

    /// Whether the character belongs to a script without spaces between words: kana, Han, their punctuation and
    /// full-width forms.
    private static func isWithoutSpaces(_ character: Character?) -> Bool {
        guard let scalar = character?.unicodeScalars.first?.value else { return false }
        switch scalar {
        case 0x2E80...0x312F, 0x31A0...0x9FFF, 0xF900...0xFAFF, 0xFF00...0xFF60, 0x20000...0x3FFFF: return true
        default: return false
        }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while isTrimmed: (Character) -> Bool) -> Substring {
        var trimmed = self
        while let last = trimmed.last, isTrimmed(last) { trimmed.removeLast() }
        return trimmed
    }
}
