// Header fields as bytes: folding (RFC 5322 §2.2.3) and encoded-words (RFC 2047). Never writes a line break from a
// value: the callers refuse control characters, and this file checks again.

import Foundation

/// Writes header fields.
package enum HeaderField {
    /// The recommended length of a line, without its CRLF (RFC 5322 §2.1.1).
    private static let lineLength = 78
    /// The maximum length of a line with an encoded-word, and of the encoded-word itself (RFC 2047 §2).
    private static let encodedLineLength = 76
    private static let encodedWordLength = 75

    /// A field whose value is text for people, such as Subject. ASCII text that folds well is written unchanged, other
    /// text in encoded-words.
    package static func appendText(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        bytes.append(name)
        bytes.append(": ")
        let column = name.utf8.count + 2
        if isPlain(value), column + value.utf8.count <= lineLength {
            bytes.append(value)
        } else if isPlain(value), let folded = folded(value, column: column) {
            bytes += folded.utf8
        } else {
            appendEncodedWords(Array(value.utf8), column: column, to: &bytes)
        }
        bytes.append("\r\n")
    }

    /// A field whose value consists of tokens and fits its line, such as Date.
    package static func append(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        bytes.append(name)
        bytes.append(": ")
        appendValue(value, to: &bytes)
        bytes.append("\r\n")
    }

    /// Only the value of such a field, for a caller that has the name and the line end among other octets.
    package static func appendValue(_ value: String, to bytes: inout [UInt8]) {
        let octets = value.utf8Span.span
        for index in octets.indices {
            precondition(octets[index] >= 0x20, "a control character in a header field")
        }
        bytes.append(octets)
    }

    /// A field with one mailbox, such as From.
    package static func appendMailbox(_ name: String, displayName: String?, address: String, to bytes: inout [UInt8]) {
        guard let displayName else { return append(name, address, to: &bytes) }
        let start = bytes.count
        bytes += name.utf8
        bytes += ": ".utf8
        let column = name.utf8.count + 2
        if isPlain(displayName), column + displayName.utf8.count + 2 <= lineLength {
            bytes += quoted(displayName).utf8
        } else {
            appendEncodedWords(Array(displayName.utf8), column: column, to: &bytes)
        }
        let lineStart = bytes.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let currentColumn = bytes.count - max(start, lineStart)
        bytes += (currentColumn + address.utf8.count + 3 <= encodedLineLength ? " <" : "\r\n <").utf8
        bytes += address.utf8
        bytes += ">\r\n".utf8
    }

    /// Printable ASCII that no decoder mistakes for an encoded-word, without white space at its ends.
    private static func isPlain(_ value: String) -> Bool {
        let octets = value.utf8Span.span
        var previous: UInt8 = 0
        for index in octets.indices {
            let byte = octets[index]
            let beginsEncodedWord = previous == UInt8(ascii: "=") && byte == UInt8(ascii: "?")
            guard (0x20...0x7E).contains(byte), !beginsEncodedWord else { return false }
            previous = byte
        }
        return octets.isEmpty || octets[0] != 0x20 && previous != 0x20
    }

    /// The text folded before single spaces; `nil` if a word is too long for a line or if spaces follow each other,
    /// which not all readers of folded lines preserve.
    private static func folded(_ value: String, column: Int) -> String? {
        var folded = ""
        var column = column
        for (index, word) in value.split(separator: " ", omittingEmptySubsequences: false).enumerated() {
            let length = word.utf8.count
            guard length > 0, length < lineLength else { return nil }
            if index > 0 {
                let fits = column + 1 + length <= lineLength
                folded += fits ? " " : "\r\n "
                column = fits ? column + 1 : 1
            } else if column + length > lineLength {
                return nil
            }
            folded += word
            column += length
        }
        return folded
    }

    /// A quoted-string (RFC 5322 §3.2.4).
    private static func quoted(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
        return "\"\(escaped)\""
    }

    /// RFC 2047 §2 and §5: words of at most 75 characters, one per line, none of which splits a character. Uses "B" or
    /// "Q", whichever is shorter for the whole text; "Q" uses only the few characters that are safe in a phrase as
    /// well.
    private static func appendEncodedWords(_ text: [UInt8], column: Int, to bytes: inout [UInt8]) {
        let escaped = text.count { !isLiteralInQ($0) && $0 != 0x20 }
        let usesQ = text.count + 2 * escaped < (text.count + 2) / 3 * 4
        let overhead = "=?utf-8?B??=".utf8.count
        var room = min(encodedWordLength, encodedLineLength - column) - overhead
        var start = 0
        while start < text.count {
            var end = start
            var used = 0
            while end < text.count {
                let next = endOfCharacter(at: end, in: text)
                let width =
                    usesQ
                    ? used + text[end..<next].reduce(0) { $0 + (isLiteralInQ($1) || $1 == 0x20 ? 1 : 3) }
                    : (next - start + 2) / 3 * 4
                if width > room { break }
                used = width
                end = next
            }
            if start > 0 { bytes += "\r\n ".utf8 }
            bytes += usesQ ? "=?utf-8?Q?".utf8 : "=?utf-8?B?".utf8
            if usesQ {
                for byte in text[start..<end] { appendQ(byte, to: &bytes) }
            } else {
                bytes += Data(text[start..<end]).base64EncodedData()
            }
            bytes += "?=".utf8
            start = end
            room = encodedWordLength - overhead
        }
    }

    /// The index after the UTF-8 sequence that begins at `index`.
    private static func endOfCharacter(at index: Int, in text: [UInt8]) -> Int {
        var end = index + 1
        while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
        return end
    }

    private static func appendQ(_ byte: UInt8, to bytes: inout [UInt8]) {
        if byte == 0x20 {
            bytes.append(UInt8(ascii: "_"))
        } else if isLiteralInQ(byte) {
            bytes.append(byte)
        } else {
            bytes.append(UInt8(ascii: "="))
            bytes.appendHexadecimal(byte)
        }
    }

    /// RFC 2047 §5 (3): the characters permitted in a "Q" word within a phrase.
    private static func isLiteralInQ(_ byte: UInt8) -> Bool {
        byte.isASCIILetterOrDigit || "!*+-/".utf8.contains(byte)
    }
}

extension [UInt8] {
    /// Two upper-case hexadecimal digits (RFC 2045 §6.7 (1), RFC 3986 §2.1).
    package mutating func appendHexadecimal(_ byte: UInt8) {
        append(Self.hexadecimalDigit(byte >> 4))
        append(Self.hexadecimalDigit(byte & 0x0F))
    }

    private static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
    }
}
