// Looks through the text of a row's variables before a decoder does. Never recurses, never decodes a value.

/// A text whose size and depth are bounded, so that decoding it can't use up a lane's stack, whatever a row says.
///
/// As far as a strict JSON decoder would follow the text, the scan tells strings from structure as the decoder does; a
/// decoder stops at the first octet that is no JSON, so it never sees a bracket that the scan has not counted.
struct JSONScan {
    /// `{}` is one level deep, `{"a": [1]}` two.
    static let depthLimit = 32
    /// In octets of UTF-8.
    static let sizeLimit = 65_536

    /// The text, with U+FFFD for each half of a surrogate pair that stands alone: `\ud83d` is valid by the grammar
    /// (RFC 8259 §8.2), names no character, and would make a decoder refuse the whole text.
    private(set) var bytes: [UInt8]

    /// - Throws: `variablesTooLarge` or `variablesTooDeep`.
    init(_ text: String) throws(CompositionError) {
        guard text.utf8.count <= Self.sizeLimit else { throw .variablesTooLarge }
        bytes = Array(text.utf8)
        var depth = 0
        var isInString = false
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                isInString.toggle()
            case UInt8(ascii: "\\") where isInString:
                index += escapeLength(at: index)
                continue
            case UInt8(ascii: "{") where !isInString, UInt8(ascii: "[") where !isInString:
                depth += 1
                guard depth <= Self.depthLimit else { throw .variablesTooDeep }
            case UInt8(ascii: "}") where !isInString, UInt8(ascii: "]") where !isInString:
                depth -= 1
            default:
                break
            }
            index += 1
        }
    }

    /// Mends a lone surrogate that the escape at a place stands for.
    ///
    /// - Returns: how many octets the escape has; for a pair of surrogates both escapes together.
    private mutating func escapeLength(at index: Int) -> Int {
        guard let unit = unicodeEscape(at: index) else { return 2 }
        guard (0xD800...0xDFFF).contains(unit) else { return 6 }
        if unit < 0xDC00, let low = unicodeEscape(at: index + 6), (0xDC00...0xDFFF).contains(low) { return 12 }
        bytes.replaceSubrange(index..<index + 6, with: "\\uFFFD".utf8)
        return 6
    }

    /// The UTF-16 code unit that `\uXXXX` at a place stands for, if one does.
    private func unicodeEscape(at index: Int) -> UInt32? {
        guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
            return nil
        }
        var unit: UInt32 = 0
        for byte in bytes[index + 2..<index + 6] {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else { return nil }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
}
