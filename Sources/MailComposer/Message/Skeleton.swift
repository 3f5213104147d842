// What a template says to every message whose values have the same shape. Never renders anything: the library did.

/// A rendered template with places for one message's own texts.
///
/// To a template, a text is something to put in or not, never something to look at: messages whose values have the same
/// shape (`TemplateValues.shape`) get the same mail but for their texts. So a template is rendered once for a shape, with
/// marks instead of texts, and the marks are replaced for each message.
struct Skeleton: Sendable {
    enum Piece: Sendable {
        case fixed([UInt8])
        /// The text at this place of `TemplateValues.texts`.
        case text(Int)
    }

    let pieces: [Piece]

    /// U+FFFF is no character and never will be (Unicode 16 §23.7); `Template` refuses a source that has it.
    static let delimiter: Unicode.Scalar = "\u{FFFF}"

    /// What stands in a rendered template for a text.
    static func mark(_ place: Int) -> String { "\(delimiter)\(place)\(delimiter)" }

    /// - Parameter rendered: from values with marks.
    init(rendered: String) {
        let parts = rendered.unicodeScalars.split(separator: Self.delimiter, omittingEmptySubsequences: false)
        pieces = parts.enumerated().compactMap { index, part in
            if index.isMultiple(of: 2) { return part.isEmpty ? nil : .fixed(Array(String(part).utf8)) }
            guard let place = Int(String(part)) else { preconditionFailure("a mark without its number") }
            return .text(place)
        }
    }

    init(pieces: [Piece]) { self.pieces = pieces }

    /// The pieces of each line, its line feed included.
    var lines: [Skeleton] {
        var lines: [Skeleton] = []
        var line: [Piece] = []
        for piece in pieces {
            guard case .fixed(let bytes) = piece else {
                line.append(piece)
                continue
            }
            var rest = bytes[...]
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(Skeleton(pieces: line + [.fixed(Array(rest[...end]))]))
                line = []
                rest = rest[(end + 1)...]
            }
            if !rest.isEmpty { line.append(.fixed(Array(rest))) }
        }
        return line.isEmpty ? lines : lines + [Skeleton(pieces: line)]
    }

    /// The bytes, where there is no place for a text in them.
    var fixed: [UInt8]? {
        var all: [UInt8] = []
        for piece in pieces {
            guard case .fixed(let bytes) = piece else { return nil }
            all += bytes
        }
        return all
    }

    /// Appends the template's text with a message's own texts in their places, as UTF-8.
    func append(_ texts: [String], escapingHTML: Bool, to bytes: inout [UInt8]) {
        for piece in pieces {
            switch piece {
            case .fixed(let fixed): bytes += fixed
            case .text(let place):
                if escapingHTML {
                    HTMLText.appendEscaped(texts[place], to: &bytes)
                } else {
                    bytes += texts[place].utf8
                }
            }
        }
    }
}
