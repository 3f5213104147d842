// Escapes text for HTML. Knows nothing of templates.

/// Text for the content of an element or a quoted attribute.
enum HTMLText {
    /// Escapes byte by byte. A quotation mark and a combining accent after it form one grapheme cluster; a comparison
    /// of clusters would not find the mark, and it would end an attribute.
    static func escaped(_ text: String) -> String {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.contains(where: { reference(for: $0) != nil }) else { return nil }
            var escaped: [UInt8] = []
            escaped.reserveCapacity(bytes.count + 32)
            var start = 0
            for (index, byte) in bytes.enumerated() {
                guard let reference = reference(for: byte) else { continue }
                escaped += bytes[start..<index]
                escaped += reference.utf8
                start = index + 1
            }
            escaped += bytes[start...]
            return String(decoding: escaped, as: UTF8.self)
        } ?? text
    }

    /// The character reference that replaces the byte; `nil` if the byte needs no escape.
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
}
