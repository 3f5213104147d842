// Encodes bodies for every relay: quoted-printable and base64 (RFC 2045). Knows nothing of headers and templates.

import Foundation

/// The two encodings of a text part's body.
package enum TransferEncoding {
    /// RFC 2045 §6.7 (5), and §6.8.
    private static let lineLength = 76

    /// The length in base64 of a body with `count` bytes, including line ends.
    package static func base64Length(of count: Int) -> Int { (count + 2) / 3 * 4 * (lineLength + 2) / lineLength }

    package static func appendBase64(_ body: [UInt8], to bytes: inout [UInt8]) {
        bytes += Data(body).base64EncodedData(options: [
            .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
        ])
    }

    /// Appends a text, with CRLF in place of each CRLF, CR and LF (RFC 2046 §4.1.1).
    package static func appendNormalized(_ source: [UInt8], to bytes: inout [UInt8]) {
        var start = 0
        var index = 0
        while index < source.count {
            let byte = source[index]
            if isLineBreak(byte) {
                bytes += source[start..<index]
                bytes += "\r\n".utf8
                if byte == UInt8(ascii: "\r"), index + 1 < source.count, source[index + 1] == UInt8(ascii: "\n") {
                    index += 1
                }
                start = index + 1
            }
            index += 1
        }
        bytes += source[start...]
    }

    /// RFC 2045 §6.7, with CRLF in place of each CRLF, CR and LF.
    ///
    /// Space and tab are encoded at the end of a line (3). So is the F of a line that begins with "From ", which some
    /// mail stores would change. A leading dot stays: the SMTP client stuffs it.
    /// - Parameter column: the column of the encoded line at which the text continues.
    /// - Returns: the length of the text in bytes before encoding, with CRLF line ends.
    @discardableResult
    package static func appendQuotedPrintable(_ text: [UInt8], column: Int = 0, to bytes: inout [UInt8]) -> Int {
        var column = column
        return text.withUnsafeBufferPointer {
            appendQuotedPrintable($0, upTo: text.count, column: &column, to: &bytes)
        }
    }

    /// Encodes the part of a text whose encoding doesn't depend on the text behind it.
    ///
    /// - Returns: the length of that part in bytes, its length with CRLF line ends, and the column after it.
    package static func appendBeginning(of text: [UInt8], to bytes: inout [UInt8]) -> (
        count: Int, length: Int, column: Int
    ) {
        // The encoding of a byte depends on the next four bytes, which may make it the F of "From ".
        let count = max(0, text.count - 4)
        var column = 0
        let length = text.withUnsafeBufferPointer {
            appendQuotedPrintable($0, upTo: count, column: &column, to: &bytes)
        }
        return (count, length, column)
    }

    /// Works on a buffer, because half of the composing time is spent here.
    private static func appendQuotedPrintable(
        _ text: UnsafeBufferPointer<UInt8>,
        upTo limit: Int,
        column: inout Int,
        to bytes: inout [UInt8]
    ) -> Int {
        var length = limit
        var index = 0
        while index < limit {
            let byte = text[index]
            if isLineBreak(byte) {
                bytes.append(UInt8(ascii: "\r"))
                bytes.append(UInt8(ascii: "\n"))
                column = 0
                index += 1
                if byte == UInt8(ascii: "\r"), index < text.count, text[index] == UInt8(ascii: "\n") {
                    index += 1
                } else {
                    length += 1
                }
                continue
            }
            // The last column is reserved for the "=" of a soft line break.
            let room = lineLength - 1 - column
            if room > 0, isLiteral(byte), !(column == 0 && beginsWithFrom(text, at: index)) {
                var end = index + 1
                let runLimit = min(limit, index + room)
                while end < runLimit, isLiteral(text[end]) { end += 1 }
                // A space at the end of a line, or of the text, must be encoded after all.
                if isSpace(text[end - 1]), end == text.count || isLineBreak(text[end]) { end -= 1 }
                if end > index {
                    bytes += UnsafeBufferPointer(rebasing: text[index..<end])
                    column += end - index
                    index = end
                    continue
                }
            }
            if room < 3 {
                bytes += "=\r\n".utf8
                column = 0
                continue
            }
            bytes.append(UInt8(ascii: "="))
            bytes.appendHexadecimal(byte)
            column += 3
            index += 1
        }
        return length
    }

    /// The first of two steps that together are `appendQuotedPrintable`, for a text on one line: appends the text with
    /// its escapes, except for those that depend on the line's end and breaks.
    ///
    /// - Returns: false if the text has a line break; then only a part of it was appended.
    @discardableResult
    package static func appendEscaped(_ text: Span<UInt8>, to line: inout [UInt8]) -> Bool {
        var start = 0
        for index in text.indices {
            let byte = text[index]
            if isLiteral(byte) { continue }
            if isLineBreak(byte) { return false }
            if index > start { line.append(text.extracting(start..<index)) }
            start = index + 1
            line.append(UInt8(ascii: "="))
            line.appendHexadecimal(byte)
        }
        if start < text.count { line.append(text.extracting(start...)) }
        return true
    }

    /// The second step: escapes a space or tab at the line's end and the F of "From " at the start of an encoded line,
    /// and appends the line with soft line breaks, without a line end.
    ///
    /// - Parameter column: the column at which the line continues.
    package static func appendFolded(_ line: inout [UInt8], column: Int, to bytes: inout [UInt8]) {
        if let last = line.last, isSpace(last) {
            line.removeLast()
            line.append(UInt8(ascii: "="))
            line.appendHexadecimal(last)
        }
        let text = line.span
        var start = 0
        var column = column
        while true {
            if column == 0, beginsWithFrom(text, at: start) {
                bytes.append("=46")
                column = 3
                start += 1
            }
            var end = start + lineLength - 1 - column
            if text.count <= end { break }
            // An escape stays whole. A "=" is always the beginning of one.
            if end > start, text[end - 1] == UInt8(ascii: "=") {
                end -= 1
            } else if end > start + 1, text[end - 2] == UInt8(ascii: "=") {
                end -= 2
            }
            bytes.append(text.extracting(start..<end))
            bytes.append(UInt8(ascii: "="))
            bytes.append(UInt8(ascii: "\r"))
            bytes.append(UInt8(ascii: "\n"))
            column = 0
            start = end
        }
        bytes.append(text.extracting(start...))
    }

    /// In a text with escapes, where the space at the end of a line is one.
    private static func beginsWithFrom(_ text: Span<UInt8>, at index: Int) -> Bool {
        guard index < text.count, text[index] == UInt8(ascii: "F") else { return false }
        return text.extracting(index...).begins(with: "From ") || text.extracting(index...).begins(with: "From=20")
    }

    private static func beginsWithFrom(_ text: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
        text[index] == UInt8(ascii: "F") && text[index...].starts(with: "From ".utf8)
    }

    private static func isLineBreak(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n")
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private static func isLiteral(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "=") || byte == UInt8(ascii: "\t")
    }
}

extension Span<UInt8> {
    fileprivate func begins(with text: String) -> Bool {
        let octets = text.utf8Span.span
        return count >= octets.count && octets.indices.allSatisfy { self[$0] == octets[$0] }
    }
}
