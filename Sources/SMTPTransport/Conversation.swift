// Follows one SMTP transaction as libcurl carries it out: which command, which reply. Never sends anything itself.

import OutboxCore

/// What is known of the transaction under way, fed by libcurl's callbacks.
///
/// Of the commands only the verb is looked at, and nothing of them is kept: AUTH's hold secrets.
struct Conversation {
    /// How far it has come.
    private(set) var stage: SMTPStage = .connect
    /// The reply to the last command, QUIT aside. libcurl says QUIT after a refusal, and its 221 is not the answer.
    private(set) var lastReply: SMTPReply?
    /// The stage that `lastReply` answered.
    private(set) var lastReplyStage: SMTPStage?
    /// The relay sent a line that is no reply (RFC 5321 §4.2).
    private(set) var isGarbled = false

    private var pendingLines: [String] = []
    private var hasQuit = false

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
        let head = Array(line.prefix(4))
        guard head.count >= 3, head[..<3].allSatisfy({ (48...57).contains($0) }),
            head.count == 3 || [32, 45, 13, 10].contains(head[3])
        else {
            isGarbled = true
            return false
        }
        if pendingLines.count < Self.maximumLines || head.last != 45 {
            pendingLines.append(String(decoding: line, as: UTF8.self).replacingControlCharacters)
        }
        if head.last == 45 { return true }
        guard let reply = SMTPReply(lines: pendingLines) else {
            isGarbled = !isIntermediate(head)
            pendingLines = []
            return !isGarbled
        }
        pendingLines = []
        lastReply = reply
        lastReplyStage = stage
        if stage == .startTLS && reply.code == 220 { stage = .tls }
        if stage == .data && reply.code == 354 { stage = .body }
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

    private func isIntermediate(_ head: [UInt8]) -> Bool { head.first == 49 }
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
