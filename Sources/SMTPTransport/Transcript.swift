// Turns both sides of a conversation into lines that an operator may see. Pure; never shows a secret.

import InternetMessage
import OutboxCore

/// The conversation with a relay as lines: `C: ` for our side and `S: ` for the relay's (as in the examples of RFC 5321
/// appendix D), and `* ` for the connection itself.
///
/// Three things keep secrets out. Of libcurl's commands only the known ones are shown, and of AUTH only the mechanism.
/// What AUTH sent is masked wherever the relay repeats it. All lines pass through the masks of the relay and of the mail.
/// A relay's reply is shown when it is complete, because a secret may continue in its next line.
struct Transcript {
    /// Replaces the text that AUTH sends.
    static let masked = "[masked]"
    /// In Unicode scalars.
    private static let longestLine = 1000
    /// The lines of libcurl's debug text about the connection, by their beginnings. All others are omitted: they are
    /// libcurl's own affairs, or may repeat the login.
    private static let telling = [
        "Trying ", "Connected to ", "Established connection ", "connect to ", "SSL connection using ", "subject: ",
        "issuer: ", "expire date: ", "SSL certificate ", "SSL: ",
    ]

    /// The mail's secrets.
    private let mailMask: SecretMask
    /// What AUTH sent over this connection, as the relay got it: base64.
    private var responses: Set<String> = []
    private var unread: [UInt8] = []
    /// The lines of an incomplete reply, each without its code.
    private var texts: [String] = []
    private var code = ""

    init(hiding mailMask: SecretMask) { self.mailMask = mailMask }

    // MARK: Our side

    /// The lines for a command of libcurl's.
    mutating func opens(with command: some Collection<UInt8>, _ relayMask: SecretMask) -> [String] {
        lines(of: command).map { line in
            let words = line.split(separator: " ", maxSplits: 2)
            switch words.first?.uppercased() {
            case "EHLO", "HELO", "STARTTLS", "QUIT":
                return client(line, relayMask)
            case "AUTH" where words.count > 1:
                guard words.count == 3 else { return client(line, relayMask) }
                responses.insert(String(words[2]))
                return client("\(words[0]) \(words[1])", relayMask) + " \(Self.masked)"
            default:
                responses.insert(line)
                return "C: \(Self.masked)"
            }
        }
    }

    /// The lines for commands of ours.
    func sends(_ commands: some Collection<UInt8>, _ relayMask: SecretMask) -> [String] {
        lines(of: commands).map { client($0, relayMask) }
    }

    /// The lines in place of a mail's content and its end.
    func sendsContent(octets: Int) -> [String] { ["C: [\(octets) octets of content]", "C: ."] }

    private func client(_ line: String, _ relayMask: SecretMask) -> String {
        "C: " + mailMask.masked(relayMask.masked(shown(line)))
    }

    // MARK: The relay's side

    /// The lines of the replies that are complete now.
    mutating func receives(_ octets: some Collection<UInt8>, _ relayMask: SecretMask) -> [String] {
        var complete: [String] = []
        for octet in octets {
            if octet == UInt8(ascii: "\n") {
                complete += takeLine(relayMask)
            } else if unread.count < ReplyParser.lineLimit {
                unread.append(octet)
            }
        }
        return complete
    }

    /// The connection has ended: the lines of an incomplete reply.
    mutating func ends(_ relayMask: SecretMask) -> [String] {
        var rest = unread.isEmpty ? [] : takeLine(relayMask)
        rest += endReply(isComplete: false, relayMask)
        responses = []
        return rest
    }

    private mutating func takeLine(_ relayMask: SecretMask) -> [String] {
        let line = shown(String(decoding: unread, as: UTF8.self))
        unread.removeAll(keepingCapacity: true)
        guard let head = line.prefixMatch(of: /(\d{3})([- ]|$)/) else {
            // Not part of a reply.
            return endReply(isComplete: false, relayMask) + [server(line, relayMask)]
        }
        code = String(head.1)
        if texts.count < ReplyParser.lineCountLimit { texts.append(String(line[head.range.upperBound...])) }
        return head.2 == "-" ? [] : endReply(isComplete: true, relayMask)
    }

    private mutating func endReply(isComplete: Bool, _ relayMask: SecretMask) -> [String] {
        guard !texts.isEmpty else { return [] }
        defer { texts = [] }
        // Masked as one text. Where a secret spans two lines, they become one.
        let lines = maskedWords(texts.joined(separator: "\n"), relayMask)
            .split(separator: "\n", omittingEmptySubsequences: false)
        return lines.enumerated().map { index, text in
            "S: \(code)\(isComplete && index == lines.count - 1 ? " " : "-")\(text)"
        }
    }

    private func server(_ line: String, _ relayMask: SecretMask) -> String { "S: \(maskedWords(line, relayMask))" }

    private func maskedWords(_ text: String, _ relayMask: SecretMask) -> String {
        // A shorter response holds no secret ("=", "*"), and a mask for it would withhold every word.
        let echoes = SecretMask(responses.filter { $0.utf8.count >= SecretMask.shortestSecret }.sorted())
        return mailMask.masked(relayMask.masked(echoes.masked(text)))
    }

    // MARK: The connection

    /// The line for a line of libcurl's debug text; none for those that don't tell about the connection.
    func notes(_ text: String, _ relayMask: SecretMask) -> [String] {
        let text = text.collapsingSpace
        guard Self.telling.contains(where: text.hasPrefix) else { return [] }
        return remarks(text, relayMask)
    }

    /// A line of ours about the connection.
    func remarks(_ text: String, _ relayMask: SecretMask) -> [String] {
        ["* " + mailMask.masked(relayMask.masked(shown(text)))]
    }

    // MARK: Lines

    /// The lines of commands, without their ends.
    private func lines(of commands: some Collection<UInt8>) -> [String] {
        commands.split(separator: UInt8(ascii: "\n")).map { line in
            String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
        }
    }

    /// Nobody may move the cursor of the operator's terminal.
    private func shown(_ line: String) -> String {
        let line = line.hasSuffix("\r") ? String(line.dropLast()) : line
        return line.onOneLine.limited(to: Self.longestLine)
    }
}
