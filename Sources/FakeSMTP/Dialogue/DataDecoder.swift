// Decodes the bytes between DATA and the final dot: finds the end and undoes dot-stuffing. Never looks at headers.

import NIOCore

/// An incremental decoder of mail data (RFC 5321 §4.5.2).
///
/// Only CRLF ends a line and only `<CRLF>.<CRLF>` ends the data; a bare LF or CR is a byte like any other, so nothing
/// can be smuggled behind `<LF>.<LF>` or `<LF>.<CRLF>`.
struct DataDecoder {
    /// Why complete data can't be accepted.
    enum Problem: Equatable {
        case tooLarge
        case lineTooLong
    }

    /// RFC 5321 §4.5.3.1.6: 1,000 octets with CRLF, not counting a dot that was added for transparency.
    static let longestLine = 1_000

    private let sizeLimit: Int
    private(set) var body = ByteBuffer()
    private(set) var problem: Problem?
    private var isAtLineStart = true
    private var endedInCR = false
    private var lineLength = 0

    /// A decoder that keeps at most `sizeLimit` octets.
    init(sizeLimit: Int) {
        self.sizeLimit = sizeLimit
    }

    /// Consumes decodable bytes from the front of `input`. True once the end of the data was consumed; later bytes
    /// remain.
    mutating func decode(_ input: inout ByteBuffer) -> Bool {
        let view = input.readableBytesView
        var index = view.startIndex
        var copied = view.startIndex
        var isFinished = false

        scan: while index < view.endIndex {
            if isAtLineStart, view[index] == UInt8(ascii: ".") {
                switch Self.endOfData(in: view, at: index) {
                case .undecided:
                    break scan
                case .end:
                    keep(view[copied..<index])
                    copied = index + 3
                    index = copied
                    isFinished = true
                    break scan
                case .stuffedDot:
                    keep(view[copied..<index])
                    index += 1
                    copied = index
                    isAtLineStart = false
                    continue scan
                }
            }
            isAtLineStart = false
            guard let lineFeed = view[index...].firstIndex(of: UInt8(ascii: "\n")) else {
                lineLength += view.endIndex - index
                endedInCR = view[view.endIndex - 1] == UInt8(ascii: "\r")
                index = view.endIndex
                break scan
            }
            let followsCR = lineFeed > index ? view[lineFeed - 1] == UInt8(ascii: "\r") : endedInCR
            endedInCR = false
            lineLength += lineFeed + 1 - index
            index = lineFeed + 1
            if followsCR {
                checkLineLength()
                isAtLineStart = true
                lineLength = 0
            }
        }

        if !isFinished {
            keep(view[copied..<index])
            checkLineLength()
        }
        input.moveReaderIndex(to: input.readerIndex + (index - view.startIndex))
        return isFinished
    }

    private enum LeadingDot {
        case end, stuffedDot, undecided
    }

    /// The meaning of a dot at the start of a line; `undecided` while the two octets after it have not arrived.
    private static func endOfData(in view: ByteBufferView, at dot: Int) -> LeadingDot {
        guard dot + 1 < view.endIndex else { return .undecided }
        guard view[dot + 1] == UInt8(ascii: "\r") else { return .stuffedDot }
        guard dot + 2 < view.endIndex else { return .undecided }
        return view[dot + 2] == UInt8(ascii: "\n") ? .end : .stuffedDot
    }

    private mutating func checkLineLength() {
        if lineLength > Self.longestLine, problem == nil {
            problem = .lineTooLong
        }
    }

    private mutating func keep(_ bytes: ByteBufferView) {
        guard problem != .tooLarge, body.readableBytes + bytes.count <= sizeLimit else {
            problem = .tooLarge
            return
        }
        body.writeBytes(bytes)
    }
}
