// Escapes text for HTML. Knows nothing of templates.

import InternetMessage

/// Text for the content of an element or a quoted attribute.
enum HTMLText {
    /// Escapes byte by byte. A quotation mark and a combining accent after it form one grapheme cluster; a comparison
    /// of clusters would not find the mark, and it would end an attribute.
    static func escaped(_ text: String) -> String {
        let octets = text.utf8Span.span
        var escaped: [UInt8] = []
        var start = 0
        for index in octets.indices {
            guard let reference = reference(for: octets[index]) else { continue }
            if escaped.isEmpty { escaped.reserveCapacity(octets.count + 32) }
            escaped.append(octets.extracting(start..<index))
            escaped.append(reference)
            start = index + 1
        }
        if start == 0 { return text }
        escaped.append(octets.extracting(start...))
        return String(decoding: escaped, as: UTF8.self)
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
