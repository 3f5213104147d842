// Writes a mail's content in the form that follows DATA on the wire. Pure.

import Glibc

/// A mail's content in pieces, dot-stuffed (RFC 5321 §4.5.2) and ended by the final dot.
struct StuffedContent {
    /// The maximum number of content octets per piece.
    static let pieceSize = 64 * 1024

    private let content: [UInt8]
    private var position = 0
    private(set) var isAtEnd = false

    init(_ content: [UInt8]) { self.content = content }

    /// Whether no octet has been requested yet.
    var isUntouched: Bool { position == 0 && !isAtEnd }

    /// The next piece; the last piece ends with the final dot.
    mutating func next() -> [UInt8] {
        precondition(!isAtEnd, "nothing comes after the final dot")
        let end = min(position + Self.pieceSize, content.count)
        var piece: [UInt8] = []
        piece.reserveCapacity(end - position + 64)
        content.withUnsafeBufferPointer { content in
            var start = position
            var from = position
            while let dot = Self.nextDot(in: content, from: from, to: end) {
                from = dot + 1
                let isAtLineStart =
                    dot == 0
                    || dot >= 2 && content[dot - 1] == UInt8(ascii: "\n") && content[dot - 2] == UInt8(ascii: "\r")
                guard isAtLineStart else { continue }
                piece.append(contentsOf: content[start..<dot])
                piece.append(UInt8(ascii: "."))
                start = dot
            }
            piece.append(contentsOf: content[start..<end])
        }
        position = end
        if position == content.count {
            isAtEnd = true
            piece.append(contentsOf: content.isEmpty || endsLine ? ".\r\n".utf8 : "\r\n.\r\n".utf8)
        }
        return piece
    }

    private var endsLine: Bool {
        content.count >= 2 && content[content.count - 2] == UInt8(ascii: "\r") && content.last == UInt8(ascii: "\n")
    }

    private static func nextDot(in content: UnsafeBufferPointer<UInt8>, from: Int, to end: Int) -> Int? {
        guard from < end, let base = content.baseAddress, let found = memchr(base + from, 0x2E, end - from) else {
            return nil
        }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }
}
