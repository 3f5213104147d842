// Splits a relay's output into replies. Pure; never judges a reply.

import InternetMessage
import OutboxCore

/// Reads replies (RFC 5321 §4.2) from bytes that arrive in pieces of any size.
///
/// Empty lines are ignored everywhere, and so are replies of the class 1yz, which SMTP doesn't use. Memory is bounded
/// for any input.
struct ReplyParser {
    /// A parsed element.
    enum Element: Equatable {
        case reply(RelayReply)
        /// A line that is not part of a reply, or an endless reply.
        case garbled
    }

    /// The rest of a longer line is discarded; RFC 5321 §4.5.3.1.5 allows 512 octets.
    static let lineLimit = 4096
    /// A longer reply keeps these lines and its last one; RFC 5321 has no limit of lines.
    static let lineCountLimit = 100
    /// Nor is a line dropped before so many octets: a secret that goes on in a dropped line would not be recognised, and
    /// what is shown or stored of a reply ends before (``SMTPReply/textLimit``).
    static let keptOctets = 8192
    /// A longer reply counts as endless.
    static let replyLimit = 1 << 20

    private var unread: [UInt8] = []
    private var position = 0
    private var lines: [String] = []
    /// The octets of these lines, without white space.
    private var keptOctets = 0
    private var octets = 0

    /// Appends bytes.
    mutating func append(_ bytes: some Collection<UInt8>) {
        unread.append(contentsOf: bytes)
    }

    /// The next complete reply.
    mutating func next() -> Element? {
        while let line = nextLine() {
            octets += line.count
            if octets > Self.replyLimit { return garbled() }
            guard let head = ReplyHead(line) else {
                if line.allSatisfy(\.isBlank) { continue }
                return garbled()
            }
            // Of a reply with one line, as nearly all have, nothing more is kept.
            if head.isLast, lines.isEmpty, (200...599).contains(head.code) {
                forgetReply()
                return .reply(RelayReply(code: head.code, lines: [Self.text(of: line)]))
            }
            if lines.count < Self.lineCountLimit || keptOctets < Self.keptOctets || head.isLast {
                keptOctets += line.count { !$0.isBlank }
                lines.append(Self.text(of: line))
            }
            guard head.isLast else { continue }
            if head.isIntermediate {
                // Their octets still count, so that an endless reply is detected.
                lines.removeAll(keepingCapacity: true)
                keptOctets = 0
                continue
            }
            defer { forgetReply() }
            guard (200...599).contains(head.code) else { return garbled() }
            return .reply(RelayReply(code: head.code, lines: lines))
        }
        // A line without an end.
        return octets > Self.replyLimit ? garbled() : nil
    }

    /// Whether input other than empty lines arrived that is not yet a complete reply.
    var isHalfway: Bool { !lines.isEmpty || unread[position...].contains { !$0.isBlank } }

    /// The line without its end, and without control characters.
    private static func text(of line: ArraySlice<UInt8>) -> String {
        var end = line.endIndex
        while end > line.startIndex, line[end - 1] == 0x0D || line[end - 1] == 0x0A { end -= 1 }
        let line = line[..<end]
        let text = String(decoding: line, as: UTF8.self)
        // Nearly every line is plain ASCII, and its octets are quicker to look at than its characters.
        return line.allSatisfy { (0x20...0x7E).contains($0) } ? text : text.replacingControlCharacters
    }

    private mutating func garbled() -> Element {
        forgetReply()
        return .garbled
    }

    private mutating func forgetReply() {
        lines = []
        keptOctets = 0
        octets = 0
    }

    /// Removes a line, with its end, from the front.
    private mutating func nextLine() -> ArraySlice<UInt8>? {
        guard let end = unread[position...].firstIndex(of: UInt8(ascii: "\n")) else {
            if position > 0 { unread.removeSubrange(..<position) }
            position = 0
            if unread.count > Self.lineLimit {
                octets += unread.count - Self.lineLimit
                unread.removeSubrange(Self.lineLimit...)
            }
            return nil
        }
        defer { position = end + 1 }
        return unread[position...end]
    }
}

/// A complete reply as received.
struct RelayReply: ReplyCoded, Equatable {
    let code: Int
    /// The lines, such as `250-text`, without control characters.
    let lines: [String]

    /// The parsed reply. Most callers need only the code.
    var parsed: SMTPReply { SMTPReply(lines: lines) ?? SMTPReply(code: code, text: "") }
}

/// The beginning of a reply's line (RFC 5321 §4.2): three digits, then a space or the line's end in the last line, a
/// hyphen in others.
struct ReplyHead {
    let code: Int
    let isLast: Bool

    /// 1yz, which SMTP doesn't use and no client waits for.
    var isIntermediate: Bool { (100...199).contains(code) }

    init?(_ line: some Collection<UInt8>) {
        var bytes = line.makeIterator()
        var code = 0
        for _ in 1...3 {
            guard let byte = bytes.next(), byte.isASCIIDigit else { return nil }
            code = code * 10 + Int(byte - UInt8(ascii: "0"))
        }
        self.code = code
        switch bytes.next() {
        case nil, UInt8(ascii: " "), UInt8(ascii: "\r"), UInt8(ascii: "\n"): isLast = true
        case UInt8(ascii: "-"): isLast = false
        default: return nil
        }
    }
}

extension UInt8 {
    /// The characters permitted in an empty line.
    var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0D || self == 0x0A }
}

extension String {
    /// A hostile relay's reply must not move the cursor in a reader's terminal.
    var replacingControlCharacters: String {
        var scalars = UnicodeScalarView()
        for scalar in unicodeScalars where scalar != "\r" && scalar != "\n" {
            scalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return String(scalars)
    }
}
