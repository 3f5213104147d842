// Encoded words in header fields (RFC 2047). Never interprets a field.

extension String {
    /// The text with its encoded words decoded, and without the space between two of them (RFC 2047 §6.2).
    package var decodingWords: String {
        guard contains("=?") else { return self }
        var decoded = ""
        var rest = self[...]
        var isBehindWord = false
        while let start = rest.firstRange(of: "=?") {
            let between = rest[..<start.lowerBound]
            guard let word = EncodedWord(rest[start.upperBound...]) else {
                decoded += rest[..<start.upperBound]
                rest = rest[start.upperBound...]
                isBehindWord = false
                continue
            }
            if !isBehindWord || between.contains(where: { !$0.isWhitespace }) { decoded += between }
            decoded += word.text
            rest = word.rest
            isBehindWord = true
        }
        return decoded + rest
    }
}

/// One encoded word.
private struct EncodedWord {
    let text: String
    /// The text after the word.
    let rest: Substring

    /// RFC 2047 §2: a word has at most 75 characters; some mail systems write longer ones.
    private static let limit = 1000

    /// - Parameter text: the text behind `=?`.
    init?(_ text: Substring) {
        let head = text.prefix(Self.limit)
        guard let afterCharset = head.firstIndex(of: "?") else { return nil }
        let encodingStart = head.index(after: afterCharset)
        guard encodingStart < head.endIndex,
            let afterEncoding = head[encodingStart...].firstIndex(of: "?"),
            let end = head[head.index(after: afterEncoding)...].firstRange(of: "?=")
        else { return nil }
        // RFC 2231 §5: a language may follow the character set.
        let charset = head[..<afterCharset].prefix { $0 != "*" }
        let octets = Array(head[head.index(after: afterEncoding)..<end.lowerBound].utf8)
        switch head[encodingStart..<afterEncoding].lowercased() {
        case "b": self.text = Charset.text(TransferDecoding.base64(octets), in: String(charset))
        case "q":
            let spaced = octets.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: " ") : $0 }
            self.text = Charset.text(TransferDecoding.quotedPrintable(spaced), in: String(charset))
        default: return nil
        }
        rest = text[end.upperBound...]
    }
}
