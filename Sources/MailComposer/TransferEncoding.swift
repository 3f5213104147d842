// Bodies as bytes that every relay takes: quoted-printable and base64 (RFC 2045). Knows nothing of headers and
// templates.

import Foundation

/// The two encodings of a text part's body.
enum TransferEncoding {
    /// RFC 2045 §6.7 (5), and §6.8.
    private static let lineLength = 76

    /// How long a body of so many bytes is in base64, its line ends included.
    static func base64Length(of count: Int) -> Int { (count + 2) / 3 * 4 * (lineLength + 2) / lineLength }

    static func appendBase64(_ body: [UInt8], to bytes: inout [UInt8]) {
        bytes += Data(body).base64EncodedData(options: [
            .lineLength76Characters, .endLineWithCarriageReturn, .endLineWithLineFeed,
        ])
    }

    /// Appends a text with CRLF for each CRLF, CR and LF (RFC 2046 §4.1.1).
    static func appendNormalized(_ source: [UInt8], to bytes: inout [UInt8]) {
        var start = 0
        var index = 0
        while index < source.count {
            let byte = source[index]
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
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

    /// RFC 2045 §6.7, for a text with CRLF line ends.
    ///
    /// Space and tab are encoded at the end of a line (3), and so is the F of a line that begins with "From ", which
    /// some mail stores would change. A line that begins with a dot stays: the SMTP client stuffs it.
    /// - Returns: `false` as soon as `bytes` is longer than `limit`.
    static func appendQuotedPrintable(
        _ text: ArraySlice<UInt8>,
        limit: Int = .max,
        to bytes: inout [UInt8]
    ) -> Bool {
        let softBreak = "=\r\n".utf8
        let isLiteral = Self.isLiteral
        var column = 0
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            if byte == UInt8(ascii: "\r") {
                // `appendNormalized` leaves no CR without its LF.
                bytes += "\r\n".utf8
                column = 0
                index += 2
                if bytes.count > limit { return false }
                continue
            }
            // The last column is kept for the "=" of a soft line break.
            let room = lineLength - 1 - column
            if room > 0, isLiteral[Int(byte)], !(column == 0 && text[index...].starts(with: "From ".utf8)) {
                var end = index + 1
                let runLimit = min(text.endIndex, index + room)
                while end < runLimit, isLiteral[Int(text[end])] { end += 1 }
                // A space that ends a line, or the text, is not literal after all.
                if isSpace(text[end - 1]), end == text.endIndex || text[end] == UInt8(ascii: "\r") { end -= 1 }
                if end > index {
                    bytes += text[index..<end]
                    column += end - index
                    index = end
                    continue
                }
            }
            if room < 3 {
                bytes += softBreak
                column = 0
                if bytes.count > limit { return false }
                continue
            }
            bytes.append(UInt8(ascii: "="))
            bytes.appendHexadecimal(byte)
            column += 3
            index += 1
        }
        return bytes.count <= limit
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private static let isLiteral: [Bool] = (0...255).map { byte in
        (0x20...0x7E).contains(byte) && byte != Int(UInt8(ascii: "=")) || byte == 0x09
    }
}
