// A body part: a template whose literal lines are encoded once. Writes no header field except its encoding.

import InternetMessage
import MailTemplates

/// A body whose literal lines are encoded in advance. Only lines with values are encoded for each message.
///
/// Quoted-printable and MIME line ends start anew with every line, so that encoding line by line gives the same result
/// as encoding the whole.
struct BodyTemplate: Sendable {
    /// The whole lines of a text.
    private struct Lines {
        let text: [UInt8]
        let quotedPrintable: [UInt8]
        /// The length of the text with CRLF line ends.
        let length: Int

        init(_ text: ArraySlice<UInt8>) {
            self.text = Array(text)
            var quotedPrintable: [UInt8] = []
            length = TransferEncoding.appendQuotedPrintable(self.text, to: &quotedPrintable)
            self.quotedPrintable = quotedPrintable
        }
    }

    /// A literal with a line break. A class, because it is passed on for each message.
    private final class Literal: Sendable {
        /// The end of the line before it.
        let first: Lines
        let whole: Lines
        /// The beginning of the line after it: the encoded part that no following text can change, and the rest.
        let beginning: [UInt8]
        let beginningLength: Int
        let column: Int
        let rest: ArraySlice<UInt8>

        init?(_ text: [UInt8]) {
            let newline = UInt8(ascii: "\n")
            guard let first = text.firstIndex(of: newline), let last = text.lastIndex(of: newline) else { return nil }
            self.first = Lines(text[...first])
            whole = Lines(text[(first + 1)..<max(first + 1, last + 1)])
            let line = Array(text[(last + 1)...])
            var beginning: [UInt8] = []
            let (count, length, column) = TransferEncoding.appendBeginning(of: line, to: &beginning)
            self.beginning = beginning
            beginningLength = length
            self.column = column
            rest = line[count...]
        }
    }

    let template: Template
    private let literals: [Literal?]

    init(_ template: Template) {
        self.template = template
        literals = template.literals.map { Literal($0) }
    }

    /// Appends the field Content-Transfer-Encoding, the empty line that ends the part's header, and the body in the
    /// shorter of quoted-printable and base64. Line breaks of every kind become CRLF.
    func append(_ pieces: [Template.Piece], to bytes: inout [UInt8]) {
        bytes += "Content-Transfer-Encoding: ".utf8
        let field = bytes.count
        bytes += "quoted-printable\r\n\r\n".utf8
        let body = bytes.count
        let length = appendQuotedPrintable(pieces, to: &bytes)
        guard bytes.count - body > TransferEncoding.base64Length(of: length) else { return }

        bytes.removeSubrange(field...)
        bytes += "base64\r\n\r\n".utf8
        var text: [UInt8] = []
        TransferEncoding.appendNormalized(template.bytes(of: pieces), to: &text)
        TransferEncoding.appendBase64(text, to: &bytes)
    }

    /// - Returns: the length of the text with CRLF line ends.
    private func appendQuotedPrintable(_ pieces: [Template.Piece], to bytes: inout [UInt8]) -> Int {
        var length = 0
        /// The part of a line with values that isn't encoded yet, and the column where that part begins.
        var line: [UInt8] = []
        var column = 0
        line.reserveCapacity(Self.usualLineLength)
        for piece in pieces {
            switch piece {
            case .value(let text):
                line += text.utf8
            case .literal(let number):
                guard let literal = literals[number] else {
                    line += template.literals[number]
                    continue
                }
                if line.isEmpty {
                    bytes += literal.first.quotedPrintable
                    length += literal.first.length
                } else {
                    line += literal.first.text
                    length += TransferEncoding.appendQuotedPrintable(line, column: column, to: &bytes)
                    line.removeAll(keepingCapacity: true)
                }
                bytes += literal.whole.quotedPrintable
                bytes += literal.beginning
                length += literal.whole.length + literal.beginningLength
                line += literal.rest
                column = literal.column
            }
        }
        return length + TransferEncoding.appendQuotedPrintable(line, column: column, to: &bytes)
    }

    /// Nearly all lines with values are at most this long.
    private static let usualLineLength = 500
}
