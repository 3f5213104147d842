// Keeps a value of one direction from changing the order of the text around it. Knows nothing of templates.

/// Unicode's isolates (UAX #9, section 2.4) around a value whose direction differs from the text's.
///
/// Only such a value gets them, so that a plain subject stays in ASCII.
package enum Isolation {
    private static let first = "\u{2068}"
    private static let last = "\u{2069}"

    /// The value, isolated if a letter or digit of it runs against the direction of the text.
    package static func isolated(_ text: String, inRightToLeft: Bool) -> String {
        if !inRightToLeft, text.utf8Span.isKnownASCII { return text }
        let isNeeded = text.unicodeScalars.contains { scalar in
            inRightToLeft ? isLeftToRight(scalar) : isRightToLeft(scalar)
        }
        return isNeeded ? first + text + last : text
    }

    /// The value without isolates: an attribute shows them in some programs.
    static func removed(from text: String) -> String {
        text.utf8Span.isKnownASCII ? text : text.replacing(first, with: "").replacing(last, with: "")
    }

    /// The blocks of scripts that are written from right to left (Unicode 15, Bidi_Class R, AL and AN).
    private static func isRightToLeft(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x05BE...0x05FF, 0x0600...0x06EF, 0x06FA...0x08FF, 0xFB1D...0xFDFF, 0xFE70...0xFEFE, 0x10800...0x10FFF,
            0x1E800...0x1EFFF:
            return true
        default: return false
        }
    }

    /// A letter or digit of any other script.
    private static func isLeftToRight(_ scalar: Unicode.Scalar) -> Bool {
        guard !isRightToLeft(scalar) else { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber:
            return true
        default: return false
        }
    }
}
