// Makes a text harmless that somebody outside the application wrote. Knows nothing of templates.

/// A value of the row's variables, which may come from a stranger's form: a name, a comment.
///
/// The person gets the mail in any case. Nothing in the value becomes a link, a paragraph or a change of direction, and
/// a reader still recognises it. `names.tsv` in the tests shows what becomes of which value.
package struct StrangersText {
    /// In Unicode scalars.
    package static let usualLimit = 200
    /// A letter with more marks paints over the lines above it.
    private static let markLimit = 4
    /// In Unicode scalars (RFC 1035 §2.3.4, with room).
    private static let longestHost = 300

    private let limit: Int
    private let allowsLines: Bool

    package init(limit: Int = usualLimit, allowsLines: Bool = false) {
        self.limit = limit
        self.allowsLines = allowsLines
    }

    /// The value for a mail.
    package func cleaned(_ text: String) -> String {
        if isHarmless(text) { return text }
        var kept: [Unicode.Scalar] = []
        var marks = 0
        for scalar in text.replacing("\r\n", with: "\n").unicodeScalars {
            var scalar = scalar
            if scalar.isLineBreak { scalar = allowsLines ? "\n" : " " } else if scalar == "\t" { scalar = " " }
            if scalar != "\n", scalar.isInvisible { continue }
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .enclosingMark: marks += 1
            default: marks = 0
            }
            if marks > Self.markLimit || scalar == " " && kept.last == " " { continue }
            kept.append(scalar)
        }
        let joined = kept.indices.filter { !kept[$0].isJoiner || Self.joins(kept, at: $0) }.map { kept[$0] }
        let isSpace = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
        let trimmed = joined.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        // Breaking links only adds to a text, so nothing behind this is shown. It looks at a whole host name at a time.
        return cut(LinkBreaker(Array(trimmed.prefix(limit + Self.longestHost))).broken())
    }

    /// Nearly all values are a name in ASCII letters with spaces.
    private func isHarmless(_ text: String) -> Bool {
        text.utf8.count <= limit && text.utf8.first != 0x20 && text.utf8.last != 0x20
            && text.utf8.allSatisfy { $0.isLetterDigitOrHyphen || $0 == 0x20 } && !text.contains("  ")
    }

    /// Ends a text that is too long in "…".
    private func cut(_ scalars: [Unicode.Scalar]) -> String {
        var scalars = scalars
        if scalars.count > limit {
            scalars.removeLast(scalars.count - limit + 1)
            while let last = scalars.last, last == " " || last.isJoiner || last.isMark { scalars.removeLast() }
            scalars.append("…")
        }
        return String(String.UnicodeScalarView(scalars))
    }

    /// Whether a joiner at this place changes what a reader sees: between letters of a script that joins them, or within
    /// an emoji.
    private static func joins(_ scalars: [Unicode.Scalar], at index: Int) -> Bool {
        guard index > 0, index + 1 < scalars.count else { return false }
        return [scalars[index - 1], scalars[index + 1]].allSatisfy { scalar in
            guard !scalar.isASCII else { return false }
            switch scalar.properties.generalCategory {
            case .otherLetter, .modifierLetter, .nonspacingMark, .spacingMark, .otherSymbol, .modifierSymbol:
                return true
            default: return false
            }
        }
    }
}

extension UInt8 {
    fileprivate var isLetterDigitOrHyphen: Bool {
        switch self {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D: true
        default: false
        }
    }
}

extension Unicode.Scalar {
    /// The line breaks of Unicode's standard annex 14.
    fileprivate var isLineBreak: Bool {
        switch value {
        case 0x0A...0x0D, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    var isJoiner: Bool { value == 0x200C || value == 0x200D }

    fileprivate var isMark: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: true
        default: false
        }
    }

    /// Control characters, marks of direction, and characters without a glyph, which hide a link from a filter.
    fileprivate var isInvisible: Bool {
        switch value {
        case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: return true
        case 0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x200B, 0x2060...0x2064, 0x206A...0x206F, 0xFEFF,
            0x3164, 0xFFA0, 0xFFF9...0xFFFB:
            return true
        default: break
        }
        switch properties.generalCategory {
        case .control, .surrogate, .unassigned, .privateUse: return true
        default: return false
        }
    }
}
