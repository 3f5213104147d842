// One part's body, as far as it is the same for every message of a shape. Writes no header but its own encoding.

import InternetMessage

/// A body whose fixed lines are encoded already. Only lines with a message's own texts are encoded for each message.
///
/// Quoted-printable and the line ends of MIME start anew with every line, so encoding line by line gives what encoding
/// the whole gives.
struct BodySkeleton: Sendable {
    /// Lines that are the same for every message; there may be none.
    private struct FixedLines {
        var text: [UInt8] = []
        var quotedPrintable: [UInt8] = []
        /// How long the text is with CRLF line ends.
        var length = 0
    }

    /// A line with texts, and the fixed ones before it.
    private struct FilledLine {
        let preceding: FixedLines
        let line: Skeleton
    }

    private let filledLines: [FilledLine]
    private let lastLines: FixedLines
    private let fixedLength: Int
    private let escapesHTML: Bool

    /// What a line with texts takes at most, nearly always.
    private static let usualLineLength = 500

    init(_ skeleton: Skeleton, escapingHTML: Bool) {
        var filledLines: [FilledLine] = []
        var fixed = FixedLines()
        func encodeFixed() {
            fixed.length = TransferEncoding.appendQuotedPrintable(fixed.text, to: &fixed.quotedPrintable)
        }
        for line in skeleton.lines {
            if let text = line.fixed {
                fixed.text += text
            } else {
                encodeFixed()
                filledLines.append(FilledLine(preceding: fixed, line: line))
                fixed = FixedLines()
            }
        }
        encodeFixed()
        self.filledLines = filledLines
        lastLines = fixed
        fixedLength = filledLines.reduce(fixed.length) { $0 + $1.preceding.length }
        escapesHTML = escapingHTML
    }

    /// Appends the field Content-Transfer-Encoding, the empty line that ends the part's header, and the body in
    /// quoted-printable or base64, whichever is shorter. Line breaks of every kind become CRLF.
    func append(_ texts: [String], to bytes: inout [UInt8]) {
        bytes += "Content-Transfer-Encoding: ".utf8
        let field = bytes.count
        bytes += "quoted-printable\r\n\r\n".utf8
        let body = bytes.count
        var length = fixedLength
        var line: [UInt8] = []
        line.reserveCapacity(Self.usualLineLength)
        for filled in filledLines {
            bytes += filled.preceding.quotedPrintable
            line.removeAll(keepingCapacity: true)
            filled.line.append(texts, escapingHTML: escapesHTML, to: &line)
            length += TransferEncoding.appendQuotedPrintable(line, to: &bytes)
        }
        bytes += lastLines.quotedPrintable
        guard bytes.count - body > TransferEncoding.base64Length(of: length) else { return }

        bytes.removeSubrange(field...)
        bytes += "base64\r\n\r\n".utf8
        TransferEncoding.appendBase64(text(texts), to: &bytes)
    }

    /// The whole text, with CRLF line ends.
    private func text(_ texts: [String]) -> [UInt8] {
        var text: [UInt8] = []
        for filled in filledLines {
            text += filled.preceding.text
            filled.line.append(texts, escapingHTML: escapesHTML, to: &text)
        }
        text += lastLines.text
        var normalized: [UInt8] = []
        TransferEncoding.appendNormalized(text, to: &normalized)
        return normalized
    }
}
