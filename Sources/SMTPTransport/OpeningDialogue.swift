// Follows libcurl's part of the conversation: greeting, EHLO, STARTTLS, AUTH. Never sends anything itself.

import Foundation
import InternetMessage
import OutboxCore

/// The state of a connection that libcurl opens, updated by its callbacks.
///
/// Only the verb of a command is read, and no command is stored, because AUTH's commands contain secrets.
struct OpeningDialogue {
    /// The stage that the dialogue reached.
    private(set) var stage: SMTPStage = .connect
    /// The relay sent a line that is not a reply (RFC 5321 §4.2).
    private(set) var isGarbled = false
    /// The extensions in the last answer to EHLO.
    private(set) var extensions = OfferedExtensions()
    /// AUTH was sent.
    private(set) var hasTriedToAuthenticate = false
    /// AUTH succeeded.
    private(set) var isAuthenticated = false

    private var lastReply: RelayReply?
    private var lastReplyStage: SMTPStage?
    private var isExtended = false
    private var parser = ReplyParser()

    /// Notes that libcurl sends a command.
    mutating func sends(_ command: some Collection<UInt8>) {
        guard let verb = Verb(command) else { return }
        // Input before this command is not part of its answer.
        parser = ReplyParser()
        switch verb {
        case .ehlo, .helo:
            stage = .ehlo
            isExtended = verb == .ehlo
            extensions = OfferedExtensions()
        case .startTLS: stage = .startTLS
        case .auth:
            stage = .auth
            hasTriedToAuthenticate = true
        }
    }

    /// Notes that the relay sent a line.
    ///
    /// - Returns: whether the line can be part of an SMTP reply. libcurl would wait for a better one until its
    ///   time-out.
    mutating func receives(_ line: some Collection<UInt8>) -> Bool {
        parser.append(line)
        while let element = parser.next() {
            switch element {
            case .garbled:
                isGarbled = true
                return false
            case .reply(let reply):
                take(reply)
            }
        }
        return true
    }

    private mutating func take(_ reply: RelayReply) {
        lastReply = reply
        lastReplyStage = stage
        switch stage {
        case .ehlo where isExtended && reply.isPositive: extensions = OfferedExtensions(answer: reply.lines)
        case .startTLS where reply.isReadyForTLS: stage = .tls
        case .auth: isAuthenticated = reply.isPositive
        case .compose, .connect, .tls, .ehlo, .startTLS, .mail, .rcpt, .data, .body, .finalDot: break
        }
    }

    /// The reply that refused the last command, if the dialogue ended with one.
    var refusal: SMTPReply? {
        guard let lastReply, lastReply.isRefusal, lastReplyStage == stage else { return nil }
        return lastReply.parsed
    }

    /// The relay's words about an access token that it refused with 334 and a text in base64, which is JSON in practice:
    /// the 4yz or 5yz that follows comes only after another response, and libcurl sends none after XOAUTH2.
    var tokenRefusal: String? {
        guard let lastReply, lastReply.code == 334, lastReplyStage == .auth, stage == .auth,
            let data = Data(base64Encoded: lastReply.parsed.text), !data.isEmpty,
            let text = String(data: data, encoding: .utf8)
        else { return nil }
        return text.collapsingSpace.limited(to: 500)
    }
}

/// The commands that libcurl sends while it opens a connection.
private enum Verb: CaseIterable {
    case ehlo, helo, startTLS, auth

    /// More than the verb's letters: a line of AUTH's base64 may begin like a verb, but has no space.
    private var opening: StaticString {
        switch self {
        case .ehlo: "EHLO "
        case .helo: "HELO "
        case .startTLS: "STARTTLS\r\n"
        case .auth: "AUTH "
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
