// A body part: a template whose literal lines are encoded once. Writes no header field except its encoding.

import InternetMessage
import MailTemplates

/// A body whose literal text is encoded in advance. For each message, only lines with values are broken into lines of
/// quoted-printable.
///
/// Quoted-printable and MIME line ends start anew with every line, so that encoding line by line gives the same result
/// as encoding the whole.
struct BodyTemplate: Sendable {
    /// Where the octets of an array have the encoding of a text. Has only numbers, because an array in each of the
    /// template's literals would be retained and released for each message.
    private struct Literal {
        /// The text before the first line break, with escapes: it belongs to the line that begins before the text.
        let head: Range<Int>
        /// `nil` for a text without a line break.
        let rest: Rest?
        /// The length of the text with CRLF line ends.
        let length: Int

        /// From the first line break on.
        struct Rest {
            /// The whole lines, and of the line after them what no following text can change.
            let encoded: Range<Int>
            /// The same with the line before them, for a text that begins a line.
            let withHead: Range<Int>
            /// The column after it.
            let column: Int
            /// The end of that line, with escapes.
            let end: Range<Int>
        }

        init(_ text: [UInt8], octets: inout [UInt8]) {
            var normalized: [UInt8] = []
            TransferEncoding.appendNormalized(text, to: &normalized)
            length = normalized.count
            let first = text.firstIndex(where: Self.isLineBreak)
            var start = octets.count
            TransferEncoding.appendEscaped(text.span.extracting(..<(first ?? text.count)), to: &octets)
            head = start..<octets.count
            guard let first, let last = text.lastIndex(where: Self.isLineBreak) else {
                rest = nil
                return
            }
            var line = Array(octets[head])
            let headStart = octets.count
            TransferEncoding.appendFolded(&line, column: 0, to: &octets)
            start = octets.count
            TransferEncoding.appendQuotedPrintable(Array(text[first...last]), to: &octets)
            line = Array(text[(last + 1)...])
            let (count, _, column) = TransferEncoding.appendBeginning(of: line, to: &octets)
            let end = octets.count
            TransferEncoding.appendEscaped(line.span.extracting(count...), to: &octets)
            rest = Rest(encoded: start..<end, withHead: headStart..<end, column: column, end: end..<octets.count)
        }

        private static func isLineBreak(_ byte: UInt8) -> Bool { byte == 0x0D || byte == 0x0A }
    }

    let template: Template
    /// `nil` if a literal ends within what may be one line break with the text behind it: a CR.
    private let literals: [Literal]?
    private let octets: [UInt8]

    init(_ template: Template) {
        self.template = template
        var octets: [UInt8] = []
        let endsWithCR = template.literals.contains { $0.last == UInt8(ascii: "\r") }
        literals = endsWithCR ? nil : template.literals.map { Literal($0, octets: &octets) }
        self.octets = octets
    }

    /// Appends the field Content-Transfer-Encoding, the empty line that ends the part's header, and the body in the
    /// shorter of quoted-printable and base64. Line breaks of every kind become CRLF.
    func append(_ pieces: [Template.Piece], to bytes: inout [UInt8]) {
        bytes.append("Content-Transfer-Encoding: ")
        let field = bytes.count
        bytes.append("quoted-printable\r\n\r\n")
        let body = bytes.count
        var length = appendPrepared(pieces, to: &bytes)
        if length == nil {
            bytes.removeSubrange(body...)
            length = TransferEncoding.appendQuotedPrintable(template.bytes(of: pieces), to: &bytes)
        }
        guard let length, bytes.count - body > TransferEncoding.base64Length(of: length) else { return }

        bytes.removeSubrange(field...)
        bytes.append("base64\r\n\r\n")
        var text: [UInt8] = []
        TransferEncoding.appendNormalized(template.bytes(of: pieces), to: &text)
        TransferEncoding.appendBase64(text, to: &bytes)
    }

    /// Appends the body with the literals that are encoded already.
    ///
    /// - Returns: the length of the text with CRLF line ends; `nil` if that is not possible, because a value or a literal
    ///   ends with a CR.
    func appendPrepared(_ pieces: [Template.Piece], to bytes: inout [UInt8]) -> Int? {
        guard let literals else { return nil }
        let encoded = octets.span
        var length = 0
        var line = Line()
        for piece in pieces {
            switch piece {
            case .literal(let number):
                line.append(literals[number], encoded, to: &bytes)
                length += literals[number].length
            case .value(let text):
                let octets = text.utf8Span.span
                let end = line.octets.count
                if TransferEncoding.appendEscaped(octets, to: &line.octets) {
                    length += octets.count
                } else {
                    // The value has a line break.
                    guard text.utf8.last != UInt8(ascii: "\r") else { return nil }
                    line.octets.removeSubrange(end...)
                    var encoded: [UInt8] = []
                    let lines = Literal(Array(text.utf8), octets: &encoded)
                    line.append(lines, encoded.span, to: &bytes)
                    length += lines.length
                }
            }
        }
        TransferEncoding.appendFolded(&line.octets, column: line.column, to: &bytes)
        return length
    }

    /// The part of a line with values that isn't encoded yet.
    private struct Line {
        /// With escapes.
        var octets: [UInt8] = []
        /// The column where that part begins.
        private(set) var column = 0

        /// Nearly all lines with values are at most this long.
        private static let usualLength = 500

        init() { octets.reserveCapacity(Self.usualLength) }

        /// Appends a text to the line, and all lines that are whole then to the body.
        mutating func append(_ text: Literal, _ encoded: Span<UInt8>, to bytes: inout [UInt8]) {
            guard let rest = text.rest else {
                octets.append(encoded.extracting(text.head))
                return
            }
            if octets.isEmpty, column == 0 {
                bytes.append(encoded.extracting(rest.withHead))
            } else {
                octets.append(encoded.extracting(text.head))
                TransferEncoding.appendFolded(&octets, column: column, to: &bytes)
                bytes.append(encoded.extracting(rest.encoded))
                octets.removeAll(keepingCapacity: true)
            }
            if !rest.end.isEmpty { octets.append(encoded.extracting(rest.end)) }
            column = rest.column
        }
    }
}
