// AUTH over a raw socket: both mechanisms, every way to fail.

import FakeSMTP
import Foundation
import Testing

@Suite("AUTH", .timeLimit(.minutes(10)))
struct AuthenticationTests {
    // ann / secret
    private static let plain = "AGFubgBzZWNyZXQ="
    private static let user = "YW5u"
    private static let password = "c2VjcmV0"

    @Test(
        "each exchange ends as RFC 4954 says",
        arguments: [
            (["AUTH PLAIN \(plain)"], ["235 2.7.0"]),
            (["auth plain", plain], ["334", "235"]),
            (["AUTH LOGIN", user, password], ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235"]),
            (["AUTH LOGIN \(user)", password], ["334 UGFzc3dvcmQ6", "235"]),
            (["AUTH PLAIN YW5uAGFubgBzZWNyZXQ="], ["235"]),
            (["AUTH PLAIN Ym9iAGFubgBzZWNyZXQ="], ["501"]),
            (["AUTH PLAIN AGFubgB3cm9uZw=="], ["535 5.7.8"]),
            (["AUTH PLAIN AGJvYgBzZWNyZXQ="], ["535 5.7.8"]),
            (["AUTH LOGIN \(user)", user, "NOOP"], ["334", "535 5.7.8", "250"]),
            (["AUTH PLAIN", "*", "NOOP"], ["334", "501", "250"]),
            (["AUTH LOGIN", user, "*", "NOOP"], ["334", "334", "501", "250"]),
            (["AUTH PLAIN !", "NOOP"], ["501 5.5.2", "250"]),
            (["AUTH PLAIN", "!", "NOOP"], ["334", "501 5.5.2", "250"]),
            (["AUTH PLAIN =", "NOOP"], ["501", "250"]),
            (["AUTH CRAM-MD5"], ["504 5.5.4"]),
            (["AUTH"], ["501 5.5.4"]),
            (["AUTH PLAIN \(plain)", "AUTH PLAIN \(plain)"], ["235", "503 5.5.1"]),
            (["AUTH PLAIN \(plain)", "MAIL FROM:<a@example.com>", "AUTH PLAIN"], ["235", "250", "503 5.5.1"]),
            (["MAIL FROM:<a@example.com>"], ["530 5.7.0"]),
            (["HELO client.example", "AUTH PLAIN \(plain)"], ["250", "503 5.5.1"]),
        ]
    )
    func exchanges(commands: [String], expected: [String]) async throws {
        var options = FakeSMTPServer.Options(credentials: ["ann": "secret"])
        options.requiresAuthentication = true
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.greeted(by: server)
            for (command, code) in zip(commands, expected) {
                let answer = try await client.say(command)
                #expect(answer.hasPrefix(code), "\(command) was answered with \(answer)")
            }
        }
    }

    /// The response of XOAUTH2 or OAUTHBEARER.
    private static func token(_ isXOAUTH2: Bool, _ token: String = "secret") -> String {
        let greeting = isXOAUTH2 ? "user=ann" : "n,a=ann,\u{1}host=h\u{1}port=25"
        return Data("\(greeting)\u{1}auth=Bearer \(token)\u{1}\u{1}".utf8).base64EncodedString()
    }

    @Test(
        "an access token is taken as RFC 7628 and Google describe it, and refused with a challenge and then 535",
        arguments: [
            (["AUTH XOAUTH2 \(token(true))"], ["235 2.7.0"]),
            (["AUTH XOAUTH2", "\(token(true))"], ["334", "235"]),
            (["AUTH OAUTHBEARER \(token(false))"], ["235"]),
            (["AUTH XOAUTH2 \(token(true, "wrong"))", "", "NOOP"], ["334 eyJzdGF0dXMiOiI0MDAi", "535 5.7.8", "250"]),
            (["AUTH OAUTHBEARER \(token(false, "wrong"))", "AQ==", "NOOP"], ["334 eyJzdGF0dXMi", "535 5.7.8", "250"]),
            (["AUTH OAUTHBEARER \(token(true))", "NOOP"], ["501 5.5.2", "250"]),
            (["AUTH XOAUTH2 \(token(false))", "NOOP"], ["501 5.5.2", "250"]),
            (["AUTH XOAUTH2 =", "NOOP"], ["501 5.5.2", "250"]),
        ]
    )
    func tokens(commands: [String], expected: [String]) async throws {
        var options = FakeSMTPServer.Options(credentials: ["ann": "secret"])
        options.mechanisms = [.xoauth2, .oauthBearer]
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.greeted(by: server)
            for (command, code) in zip(commands, expected) {
                let answer = try await client.say(command)
                #expect(answer.hasPrefix(code), "\(command) was answered with \(answer)")
            }
        }
    }

    @Test("before STARTTLS, AUTH is neither advertised nor taken, unless so configured", arguments: [false, true])
    func beforeTLS(isOffered: Bool) async throws {
        var options = FakeSMTPServer.Options(tls: .startTLS, credentials: ["ann": "secret"])
        options.offersAuthenticationBeforeTLS = isOffered
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.connect(to: server)
            _ = try await client.reply()
            #expect(try await client.say("EHLO client.example").contains("AUTH PLAIN LOGIN") == isOffered)
            #expect(try await client.say("AUTH PLAIN \(Self.plain)").hasPrefix(isOffered ? "235" : "538 5.7.11"))
        }
    }

    @Test("the ledger knows the user of each connection and mail")
    func ledger() async throws {
        try await FakeSMTPServer.with(.init(credentials: ["ann": "secret"])) { server in
            let client = try await RawClient.greeted(by: server)
            for command in [
                "AUTH PLAIN \(Self.plain)", "MAIL FROM:<a@example.com> SIZE=3", "RCPT TO:<b@example.com>", "DATA",
            ] {
                _ = try await client.say(command)
            }
            _ = try await client.say("x\r\n.")
            let mail = try #require(try await server.ledger.waitForAccepted(count: 1).first)
            #expect(mail.user == "ann")
            #expect(!mail.isSecure)
            #expect(mail.parameters == ["SIZE": "3"])
            #expect(server.ledger.connections.map(\.user) == ["ann"])
        }
    }

    @Test("no password is ever logged, in whatever way it is sent")
    func log() async throws {
        let lines = Lines()
        var options = FakeSMTPServer.Options(credentials: ["ann": "secret"])
        options.log = { lines.append($0) }
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.greeted(by: server)
            for command in [
                "AUTH PLAIN \(Self.password)", "AUTH LOGIN \(Self.password)", Self.password, "AUTH CRAM-MD5",
                Self.password,
                "AUTH PLAIN", Self.plain, "AUTH PLAIN  \(Self.plain)",
            ] {
                _ = try await client.say(command)
            }
        }
        let log = lines.all.joined(separator: "\n")
        #expect(log.contains("C: AUTH PLAIN [redacted]"))
        #expect(log.contains("S: 235 2.7.0 Authentication successful"))
        for secret in ["secret", Self.password, Self.plain] {
            #expect(!log.contains(secret))
        }
    }
}
