// Turns both sides of a conversation into lines that an operator may see. Pure; never shows a secret.

import Foundation
import InternetMessage
import OutboxCore

/// The conversation with a relay as lines: `C: ` for our side and `S: ` for the relay's (as in the examples of RFC 5321
/// appendix D), and `* ` for the connection itself.
///
/// Three things keep secrets out. Of libcurl's commands only the known ones are shown, and of AUTH only the mechanism.
/// What AUTH sent is masked wherever the relay repeats it. All lines pass through one mask for it, for the relay's login
/// and for the mail's secrets.
///
/// A reply is masked as a whole and before anything of it is cut, because a secret may continue in its next line. So it is
/// shown when it is complete. After a line that is no part of a reply all is shown when the connection ends. Lines are
/// split, and empty ones skipped, as ``ReplyParser`` does it.
struct Transcript {
    /// Replaces the text that AUTH sends.
    static let masked = "[masked]"
    /// In Unicode scalars.
    private static let longestLine = 1000
    /// Of a longer reply the first lines and the last one are shown.
    private static let mostLines = 100
    /// How much of a reply is kept, in octets, beside its last line: more than 100 lines of 512 octets (RFC 5321
    /// §4.5.3.1.5).
    private static let mostKept = 64 * 1024
    /// How much of the text before a reply is kept, in octets: a piece of a secret that the mask finds, in any form.
    private static let mostBefore = 512
    /// A shorter word of a response to a challenge is no digest, and may be a name.
    private static let shortestDigest = 12
    /// The lines of libcurl's debug text about the connection, by their beginnings. All others are omitted: they are
    /// libcurl's own affairs, or may repeat the login.
    private static let telling = [
        "Trying ", "Connected to ", "Established connection ", "connect to ", "SSL connection using ", "subject: ",
        "issuer: ", "expire date: ", "SSL certificate ", "SSL: ",
    ]

    /// Removes the mail's secrets, the relay's login, and what AUTH sent over all connections.
    private(set) var mask: SecretMask

    private let mailMask: SecretMask
    private var loginMask = SecretMask.none
    private var user: String?
    /// What AUTH sent, as the relay got it, and the words of its decoded form.
    private var responses: Set<String> = []
    private var unread: [UInt8] = []
    private var reply = HeldReply()
    /// A line that is no part of a reply came over this connection.
    private var isGarbled = false
    /// The end of the text before the reply.
    private var before: [UInt8] = []

    init(hiding mailMask: SecretMask) {
        self.mailMask = mailMask
        mask = mailMask
    }

    /// Removes the relay's login from now on.
    ///
    /// - Parameters:
    ///   - loginMask: the mask of the relay's words.
    ///   - user: the user name, which is not masked.
    mutating func hide(_ loginMask: SecretMask, user: String?) {
        self.loginMask = loginMask
        self.user = user
        updateMask()
    }

    private mutating func updateMask() {
        mask = SecretMask(all: [mailMask, loginMask, SecretMask(responses.sorted())])
    }

    // MARK: Our side

    /// The lines for a command of libcurl's.
    mutating func opens(with command: some Collection<UInt8>) -> [String] {
        var shown: [String] = []
        for line in lines(of: command) {
            let words = line.split(separator: " ", maxSplits: 2)
            switch words.first?.uppercased() {
            case "EHLO", "HELO", "STARTTLS", "QUIT":
                shown.append(client(line))
            case "AUTH" where words.count > 1:
                if words.count == 3 { hide(response: String(words[2])) }
                shown.append(client("\(words[0]) \(words[1])") + (words.count == 3 ? " \(Self.masked)" : ""))
            default:
                hide(response: line)
                shown.append("C: \(Self.masked)")
            }
        }
        return shown
    }

    /// The relay may repeat the response, or what it stands for: with its challenge, which is shown, the digest of a
    /// password would do for guessing the password.
    private mutating func hide(response: String) {
        // A shorter response holds no secret ("=", "*"), and a mask for it would withhold every word.
        guard response.utf8.count >= SecretMask.shortestSecret else { return }
        responses.insert(response)
        if let data = Data(base64Encoded: response), let text = String(data: data, encoding: .utf8) {
            let words = text.unicodeScalars.split { $0.isControl || " ,\"=".unicodeScalars.contains($0) }
                .map { String($0) }
            responses.formUnion(words.filter { $0 != user && $0.utf8.count >= Self.shortestDigest })
        }
        updateMask()
    }

    /// The lines for commands of ours.
    func sends(_ commands: some Collection<UInt8>) -> [String] { lines(of: commands).map(client) }

    /// The lines in place of a mail's content and its end.
    func sendsContent(octets: Int) -> [String] { ["C: [\(octets) octets of content]", "C: ."] }

    private func client(_ line: String) -> String { "C: \(shown(line))" }

    // MARK: The relay's side

    /// The lines of the replies that are complete now.
    mutating func receives(_ octets: some Collection<UInt8>) -> [String] {
        var complete: [String] = []
        for octet in octets {
            if octet == UInt8(ascii: "\n") {
                complete += takeLine()
            } else if unread.count < max(ReplyParser.lineLimit, Self.mostKept - reply.octets) {
                unread.append(octet)
            }
        }
        return complete
    }

    /// The connection has ended: the lines of an incomplete reply, and those after a line that is none.
    mutating func ends() -> [String] {
        var rest = unread.isEmpty ? [] : takeLine()
        rest += endReply()
        isGarbled = false
        return rest
    }

    private mutating func takeLine() -> [String] {
        defer { unread.removeAll(keepingCapacity: true) }
        let head = ReplyHead(unread)
        if head == nil, unread.allSatisfy(\.isBlank) { return [] }
        if unread.last == UInt8(ascii: "\r") { unread.removeLast() }
        reply.add(HeldReply.Line(unread, head), isKept: reply.octets < Self.mostKept)
        if head == nil { isGarbled = true }
        // A client waits for the reply after one of the class 1yz, so both are one.
        guard let head, head.isLast, !head.isIntermediate, !isGarbled else { return [] }
        return endReply()
    }

    private mutating func endReply() -> [String] {
        guard !reply.lines.isEmpty else { return [] }
        defer { reply = HeldReply() }
        var heads = reply.lines.map(\.mark)
        var texts = masked(reply.lines.map(\.text), after: before)
        before = Self.end(of: reply.lines)
        if let last = reply.last {
            heads.append(last.mark)
            texts += masked([last.text], after: reply.beforeLast)
            before = Self.end(of: [last])
        }
        let shown = zip(heads, texts).map { "S: \($0)\($1.limited(to: Self.longestLine))" }
        guard shown.count > Self.mostLines || reply.omitted > 0, let last = shown.last else { return shown }
        let first = shown.dropLast().prefix(Self.mostLines - 2)
        let rest = shown.count + reply.omitted - first.count - 1
        return first + ["* [lines of this reply that are not shown: \(rest)]", last]
    }

    private static func end(of lines: [HeldReply.Line]) -> [UInt8] {
        var end: [UInt8] = []
        for line in lines.reversed() where end.count < mostBefore {
            end.insert(UInt8(ascii: "\n"), at: 0)
            end.insert(contentsOf: line.text.suffix(mostBefore), at: 0)
        }
        return end
    }

    /// Masks the lines before anything in them is replaced: a secret may hold a character that is not shown.
    private func masked(_ lines: [[UInt8]], after before: [UInt8]) -> [String] {
        mask.masked(lines.map { String(decoding: $0, as: UTF8.self) }, after: String(decoding: before, as: UTF8.self))
            .map(\.onOneVisibleLine)
    }

    // MARK: The connection

    /// The line for a line of libcurl's debug text; none for those that don't tell about the connection.
    func notes(_ text: String) -> [String] {
        let text = text.collapsingSpace
        return Self.telling.contains(where: text.hasPrefix) ? remarks(text) : []
    }

    /// A line of ours about the connection.
    func remarks(_ text: String) -> [String] { ["* \(shown(text))"] }

    // MARK: Lines

    /// The lines of commands, without their ends.
    private func lines(of commands: some Collection<UInt8>) -> [String] {
        commands.split(separator: UInt8(ascii: "\n")).map { line in
            String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
        }
    }

    /// Nobody may move the cursor of the operator's terminal. Masked before it is cut.
    private func shown(_ line: String) -> String {
        mask.masked(line).onOneVisibleLine.limited(to: Self.longestLine)
    }
}

/// A reply until it is shown.
private struct HeldReply {
    struct Line {
        /// The codes and the marks after them; empty for a line that is no part of a reply.
        let mark: String
        /// What follows, without the line's end.
        let text: [UInt8]

        init(_ line: [UInt8], _ head: ReplyHead?) {
            guard let head else {
                mark = ""
                text = line
                return
            }
            let code = String(decoding: line.prefix(3), as: UTF8.self) + (head.isLast ? " " : "-")
            let rest = line.dropFirst(4)
            // A secret that goes on in the next line does so behind its enhanced status code (RFC 2034).
            let word = rest.prefix { $0 > 0x20 }
            let end = rest[word.endIndex...].first == 0x20 ? word.endIndex + 1 : word.endIndex
            let hasStatus = word.count < 12 && EnhancedStatusCode(Substring(decoding: word, as: UTF8.self)) != nil
            mark = hasStatus ? code + String(decoding: rest[..<end], as: UTF8.self) : code
            text = Array(hasStatus ? rest[end...] : rest)
        }
    }

    /// The first lines.
    private(set) var lines: [Line] = []
    /// The octets of these lines.
    private(set) var octets = 0
    /// The last line after them.
    private(set) var last: Line?
    /// How many lines are between.
    private(set) var omitted = 0
    /// The end of the text between.
    private(set) var beforeLast: [UInt8] = []

    private static let mostBefore = 4096

    /// - Parameter isKept: whether it is one of the first lines.
    mutating func add(_ line: Line, isKept: Bool) {
        if isKept {
            lines.append(line)
            // An empty text costs memory, too.
            octets += line.text.count + 8
            return
        }
        if let last {
            omitted += 1
            beforeLast += last.text + [UInt8(ascii: "\n")]
        } else {
            beforeLast = lines.last?.text ?? []
        }
        if beforeLast.count > Self.mostBefore { beforeLast.removeFirst(beforeLast.count - Self.mostBefore / 8) }
        last = line
    }
}
