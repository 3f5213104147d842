// Splits the client's bytes into command lines. Knows nothing of their meaning.

import NIOCore

/// Finds the next line of the dialogue and rejects invalid lines.
struct LineFramer {
    /// A line, or the reason why it is invalid.
    enum Line: Equatable {
        /// The line without CRLF.
        case text(String)
        /// More octets than RFC 5321 §4.5.3.1.4 and the extensions allow; they are discarded.
        case tooLong
        /// A line that ends in a bare LF or has a control character (RFC 5321 §2.3.8, §4.1.2).
        case malformed
    }

    /// RFC 4954 §4: the longest base64 line of an AUTH exchange, CRLF included.
    static let longestLine = 12_288

    private var isDiscarding = false

    /// Removes the next line from `input`; `nil` while it is incomplete.
    mutating func nextLine(from input: inout ByteBuffer) -> Line? {
        guard let lineFeed = input.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else {
            if input.readableBytes > Self.longestLine {
                isDiscarding = true
                input.clear()
            }
            return nil
        }
        let length = lineFeed + 1 - input.readerIndex
        guard !isDiscarding, length <= Self.longestLine, let line = input.readSlice(length: length) else {
            isDiscarding = false
            input.moveReaderIndex(to: lineFeed + 1)
            return .tooLong
        }
        let view = line.readableBytesView
        guard view.dropLast().last == UInt8(ascii: "\r") else { return .malformed }
        let content = view.dropLast(2)
        guard !content.contains(where: { $0 < 0x20 || $0 == 0x7F }),
            let text = String(validating: content, as: UTF8.self)
        else { return .malformed }
        return .text(text)
    }

    /// Forgets an incomplete line, such as after STARTTLS (RFC 3207 §4.2).
    mutating func reset() {
        isDiscarding = false
    }
}
