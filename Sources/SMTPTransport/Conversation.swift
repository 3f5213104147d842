// Follows one SMTP transaction as libcurl carries it out: which command, which reply. Never sends anything itself.

import OutboxCore

/// What is known of the transaction under way, fed by libcurl's callbacks.
///
/// Of the commands only the verb is looked at, and nothing of them is kept: AUTH's hold secrets.
struct Conversation {
    /// How far it has come.
    private(set) var stage: SMTPStage = .connect
    /// The last reply, if it refused a command or answered the content: of others nobody needs more than their code.
    /// Never QUIT's: libcurl says it after a refusal, and its 221 is not the answer.
    private(set) var lastReply: SMTPReply?
    /// The stage that the last reply answered.
    private(set) var lastReplyStage: SMTPStage?
    /// The relay sent a line that is no reply (RFC 5321 §4.2).
    private(set) var isGarbled = false
    /// libcurl said QUIT: nothing that comes from now on counts.
    private(set) var hasQuit = false

    private var pendingLines: [String] = []

    /// Longer replies than this are cut; RFC 5321 knows no limit of lines.
    private static let maximumLines = 100

    /// libcurl sends a command.
    mutating func sends(_ command: some Collection<UInt8>) {
        guard let verb = Verb(command) else { return }
        // What has not been answered before the next command is not part of its answer.
        pendingLines = []
        switch verb {
        case .ehlo, .helo: stage = .ehlo
        case .startTLS: stage = .startTLS
        case .auth: stage = .auth
        case .mail: stage = .mail
        case .rcpt: stage = .rcpt
        case .data: stage = .data
        case .quit: hasQuit = true
        }
    }

    /// The relay sent a line.
    ///
    /// - Returns: whether it can be part of an SMTP reply. libcurl would wait for a better one until its time-out.
    mutating func receives(_ line: some Collection<UInt8>) -> Bool {
        if hasQuit { return true }
        guard let head = ReplyHead(line) else {
            isGarbled = true
            return false
        }
        let isNoted = head.code >= 400 || stage == .finalDot
        if isNoted, pendingLines.count < Self.maximumLines || head.isLast {
            pendingLines.append(String(decoding: line, as: UTF8.self).replacingControlCharacters)
        }
        guard head.isLast else { return true }
        defer { pendingLines = [] }
        guard (200...599).contains(head.code) else {
            isGarbled = !head.isIntermediate
            return !isGarbled
        }
        lastReply = isNoted ? SMTPReply(lines: pendingLines) : nil
        lastReplyStage = stage
        if stage == .startTLS && head.code == 220 { stage = .tls }
        if stage == .data && head.code == 354 { stage = .body }
        return true
    }

    /// The last byte of the content went to libcurl: what follows is the final dot.
    mutating func hasHandedOverContent() {
        stage = .finalDot
    }

    /// The reply that refused the command at which the conversation stopped, if it was one.
    var refusal: SMTPReply? {
        guard let lastReply, lastReply.code >= 400, lastReplyStage == stage else { return nil }
        return lastReply
    }
}

/// How a line of a reply begins (RFC 5321 §4.2): three digits, then a space or the line's end in the last line, a hyphen
/// in others.
private struct ReplyHead {
    let code: Int
    let isLast: Bool

    /// 1xx, which SMTP doesn't use and no client waits for.
    var isIntermediate: Bool { (100...199).contains(code) }

    init?(_ line: some Collection<UInt8>) {
        var bytes = line.makeIterator()
        var code = 0
        for _ in 1...3 {
            guard let byte = bytes.next(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
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

/// The commands that libcurl sends.
private enum Verb: CaseIterable {
    case ehlo, helo, startTLS, auth, mail, rcpt, data, quit

    /// Told apart by more than their letters: a line of AUTH's base64 may begin like a verb, but has neither space nor
    /// colon, and is never as short as "DATA".
    private var opening: StaticString {
        switch self {
        case .ehlo: "EHLO "
        case .helo: "HELO "
        case .startTLS: "STARTTLS\r\n"
        case .auth: "AUTH "
        case .mail: "MAIL FROM:"
        case .rcpt: "RCPT TO:"
        case .data: "DATA\r\n"
        case .quit: "QUIT\r\n"
        }
    }

    init?(_ command: some Collection<UInt8>) {
        let verb = Self.allCases.first { verb in
            verb.opening.withUTF8Buffer { command.starts(with: $0) }
        }
        guard let verb else { return nil }
        self = verb
    }
}

extension String {
    /// A hostile relay's reply must not move the cursor of whoever reads it in a terminal.
    fileprivate var replacingControlCharacters: String {
        // Nearly every line is plain ASCII with its line end.
        if utf8.allSatisfy({ (0x20...0x7E).contains($0) || $0 == 0x0D || $0 == 0x0A }) {
            return String(decoding: utf8.filter { $0 != 0x0D && $0 != 0x0A }, as: UTF8.self)
        }
        var scalars = UnicodeScalarView()
        for scalar in unicodeScalars where scalar != "\r" && scalar != "\n" {
            scalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return String(scalars)
    }
}
