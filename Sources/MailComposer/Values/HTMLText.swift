// How a text stands in HTML. Knows nothing of templates.

/// Text for the content of an element or a quoted attribute.
enum HTMLText {
    /// Escapes byte by byte. The library's own escaping compares grapheme clusters, and a quotation mark with a
    /// combining accent after it, which is one cluster, would leave an attribute.
    static func appendEscaped(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { text in
            var start = 0
            for (index, byte) in text.enumerated() {
                guard let reference = reference(for: byte) else { continue }
                bytes += text[start..<index]
                bytes += reference.utf8
                start = index + 1
            }
            bytes += text[start...]
        }
    }

    /// The character reference that must stand for the byte, if it may not stand for itself.
    private static func reference(for byte: UInt8) -> String? {
        switch byte {
        case UInt8(ascii: "&"): "&amp;"
        case UInt8(ascii: "<"): "&lt;"
        case UInt8(ascii: ">"): "&gt;"
        case UInt8(ascii: "\""): "&quot;"
        case UInt8(ascii: "'"): "&#39;"
        default: nil
        }
    }

    static func escaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 32)
        appendEscaped(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
