// One rendering of one template: escapes its values and collects its faults. Knows nothing of tags and lookups.

/// One rendering of one template: how its values are escaped, and what was wrong with them.
final class Rendering {
    enum Fault: Hashable {
        case missing
        case unprintable
    }

    private let escapesHTML: Bool
    private(set) var faults: [(fault: Fault, name: String, line: Int?)] = []

    init(escapesHTML: Bool) {
        self.escapesHTML = escapesHTML
    }

    /// Notes a fault of a variable tag; what the tag renders as is thrown away with the rest.
    func fail(_ fault: Fault, name: String, line: Int?) -> String {
        faults.append((fault, name, line))
        return ""
    }

    /// A value as it stands in the template's kind of text.
    ///
    /// Escapes byte by byte. The library's own escaping compares grapheme clusters, and a quotation mark with a
    /// combining accent after it, which is one cluster, would leave an attribute.
    func escaped(_ text: String) -> String {
        guard escapesHTML, text.utf8.contains(where: { Self.entity(for: $0) != nil }) else { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count + 32)
        for byte in text.utf8 {
            if let entity = Self.entity(for: byte) {
                bytes.append(contentsOf: entity.utf8)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func entity(for byte: UInt8) -> String? {
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
