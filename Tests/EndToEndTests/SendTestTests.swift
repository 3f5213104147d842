// `outboxctl send-test`: one mail through a real relay, its conversation in the open and its secrets not.

import FakeTokenServer
import Foundation
import TestSupport
import Testing

@Suite("send-test", .timeLimit(.minutes(10)))
struct SendTestTests {
    private static let password = "CANARY-p4ssword"

    /// Runs the command against a relay with the given options, which is stopped afterwards.
    private func sendTest(
        _ arguments: String...,
        to relayArguments: [String],
        relay keys: String = "",
        sender: String = "",
        tls: String = "none",
        in installation: Installation
    ) async throws -> ProgramResult {
        // An earlier relay's files would be taken for this one's.
        for name in ["port", "ca.pem"] {
            let file = installation.folder.appending(path: name)
            if FileManager.default.fileExists(atPath: file.path) { try FileManager.default.removeItem(at: file) }
        }
        let relay = try installation.start("fake-smtp", ["--port", "0", "--port-file", "port"] + relayArguments)
        let port = try #require(Int(try await installation.contents(of: "port")))
        try configure(installation, port: port, relay: keys, sender: sender, tls: tls)
        let result = try await installation.start("outboxctl", ["send-test", "ann@example.com"] + arguments).result()
        relay.terminate()
        _ = try await relay.result()
        return result
    }

    private func configure(
        _ installation: Installation,
        port: Int,
        relay: String,
        sender: String = "",
        tls: String
    ) throws {
        try installation.configure(port: port, relay: relay, sender: sender)
        let file = installation.folder.appending(path: "outboxd.yaml")
        let text = try String(contentsOf: file, encoding: .utf8).replacing("tls: none", with: "tls: \(tls)")
        try text.write(to: file, atomically: true, encoding: .utf8)
    }

    /// The conversation without the lines about the connection and the answer to EHLO.
    private func dialogue(_ output: String) -> [Substring] {
        output.split(separator: "\n").filter { $0.hasPrefix("C: ") || $0.hasPrefix("S: ") }
            .filter { !$0.hasPrefix("S: 250-") }
    }

    @Test("sends a sample mail, shows both sides of the conversation and the queue id, and opens no database")
    func plain() async throws {
        try await withInstallation { installation in
            let result = try await sendTest(to: ["--store", "mails"], in: installation)
            #expect(result.exitCode == 0 && result.errors.isEmpty, "\(result.errors)")
            #expect(result.output.hasPrefix("relay       127.0.0.1:"), "\(result.output)")
            #expect(result.output.contains(", no TLS, no login\n"))
            #expect(result.output.contains("mail        verify-email (en) from no-reply@cloudone.trendmicro.com to"))
            #expect(result.output.contains("the link in this mail redeems nothing"))
            #expect(result.output.contains("* Trying 127.0.0.1:"))
            let lines = dialogue(result.output)
            #expect(lines.first?.hasPrefix("S: 220 ") == true)
            #expect(lines.contains { $0.hasPrefix("C: EHLO ") })
            #expect(lines.contains("C: RCPT TO:<ann@example.com>"))
            #expect(lines.contains { $0.wholeMatch(of: /C: \[\d{4,} octets of content\]/) != nil })
            #expect(lines.suffix(2).first == "C: QUIT" && lines.last?.hasPrefix("S: 221 ") == true, "\(lines)")
            #expect(result.output.contains(#/\naccepted: .*\n   reply       250 .*\n   queue id    F\d+\n/#))
            #expect(!FileManager.default.fileExists(atPath: installation.database))

            let folder = installation.folder.appending(path: "mails")
            let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".eml") }
            let mail = try String(contentsOf: folder.appending(path: try #require(names.first)), encoding: .utf8)
                .replacing("\r\n", with: "\n")
            let messageID = try #require(result.output.firstMatch(of: /\nmessage id  (<.*>)\n/)).1
            #expect(mail.contains("Message-ID: \(messageID)\n"), "\(mail)")
            #expect(mail.contains("To: ann@example.com\n") && mail.contains("SAMPLE-Zk3vQ9xT7bLm2RcW"))
            // The date of the preview; a mail of the past looks like spam.
            #expect(mail.contains("Date: ") && !mail.contains("23 Nov 2026 14:00:00"), "\(mail)")
            #expect(!result.output.contains("SAMPLE-"))
        }
    }

    @Test("two runs send two Message-IDs, in the kind and the language that are asked for")
    func twoRuns() async throws {
        try await withInstallation { installation in
            var ids: Set<String> = []
            for _ in 1...2 {
                let result = try await sendTest(
                    "--kind",
                    "reset-password",
                    "--locale",
                    "ja-JP",
                    to: [],
                    sender: ", envelope_from: \"bounces+{id}@example.com\"",
                    in: installation
                )
                #expect(result.exitCode == 0, "\(result.errors)")
                #expect(result.output.contains("mail        reset-password (ja) from bounces+"), "\(result.output)")
                let id = try #require(result.output.firstMatch(of: /\nmessage id  <(.*)@/)).1
                #expect(result.output.contains("C: MAIL FROM:<bounces+\(id)@example.com>"), "\(result.output)")
                #expect(result.output.contains(" ENVID=\(id)"))
                ids.insert(String(id))
            }
            #expect(ids.count == 2)
        }
    }

    @Test("STARTTLS shows protocol, cipher and certificate; an untrusted one is a fault of the configuration")
    func startTLS() async throws {
        try await withInstallation { installation in
            let arguments = ["--tls", "starttls", "--certificate-file", "ca.pem"]
            let keys = ", ca_file: ca.pem"
            let trusted = try await sendTest(to: arguments, relay: keys, tls: "required", in: installation)
            #expect(trusted.exitCode == 0, "\(trusted.output)\(trusted.errors)")
            #expect(trusted.output.contains(", STARTTLS required, no login\n"))
            let handshake = #/\nC: STARTTLS\nS: 220 [^\n]*\n(\* [^\n]*\n)*\* SSL connection using TLSv1/#
            #expect(trusted.output.contains(handshake), "\(trusted.output)")
            #expect(trusted.output.contains("* subject: CN=localhost"), "\(trusted.output)")
            #expect(trusted.output.contains("* SSL certificate verify ok."))

            let untrusted = try await sendTest(to: arguments, tls: "required", in: installation)
            #expect(untrusted.exitCode == 78)
            #expect(untrusted.output.contains("* SSL certificate problem: "), "\(untrusted.output)")
            let reason = "   reason      certificate-not-trusted (tls), fault of the configuration\n"
            #expect(untrusted.output.contains(reason))
            #expect(untrusted.output.contains("   look at     relays[0]: ca_file; then reload outboxd\n"))
            #expect(!untrusted.output.contains("MAIL FROM"))
        }
    }

    @Test(
        "a password is in no output, in no form, although the relay repeats it",
        arguments: ["plain", "login", "cram-md5"]
    )
    func secretPassword(mechanism: String) async throws {
        let echoes = [
            Self.password, Data(Self.password.utf8).base64EncodedString(),
            Data("\0app\0\(Self.password)".utf8).base64EncodedString(),
        ]
        try await withInstallation { installation in
            try installation.write(Self.password, to: "password")
            let server = [
                "--user", "app", "--password-file", "password", "--require-auth", "--auth-mechanism",
                mechanism.uppercased(), "--fault",
            ]
            let keys = ", user: app, password: {file: password}, auth: \(mechanism)"
            let words = echoes.joined(separator: " ")
            let accepted = try await sendTest(
                to: server + ["auth: reply 235 2.7.0 \"Hello \(words)\""],
                relay: keys,
                in: installation
            )
            #expect(accepted.exitCode == 0, "\(accepted.output)")
            #expect(accepted.output.contains(", login as app (file \(installation.folder.path)/password)\n"))
            #expect(accepted.output.contains("C: AUTH \(mechanism.uppercased())"))
            #expect(accepted.output.contains(mechanism == "plain" ? "PLAIN [masked]\n" : "\nC: [masked]\n"))
            #expect(accepted.output.contains("S: 235 2.7.0 Hello [secret]"), "\(accepted.output)")

            let refused = try await sendTest(
                to: server + ["auth: reply 535 5.7.8 \"Bad \(words)\""],
                relay: keys,
                in: installation
            )
            #expect(refused.exitCode == 78)
            let reason = "   reason      authentication-refused (auth), fault of the configuration\n"
            #expect(refused.output.contains(reason))
            let place = "relays[0] (file \(installation.folder.path)/password): user and password; then reload outboxd"
            #expect(refused.output.contains("   look at     \(place)"), "\(refused.output)")
            for text in [accepted.output, accepted.errors, refused.output, refused.errors] {
                for secret in echoes { #expect(!text.contains(secret), "\(text)") }
                #expect(!text.contains("CANARY"))
            }
        }
    }

    @Test("the mail's token is in no output, although the relay quotes the link at the final dot")
    func secretToken() async throws {
        try await withInstallation { installation in
            let result = try await sendTest(
                to: ["--fault", "finalDot: reply 550 5.7.1 \"bad link token=SAMPLE-Zk3vQ9xT7bLm2RcW here\""],
                in: installation
            )
            #expect(result.exitCode == 69)
            #expect(result.output.contains("S: 550 5.7.1 bad link token=[secret] here\n"), "\(result.output)")
            #expect(!result.output.contains("Zk3vQ9xT7bLm2RcW"))
        }
    }

    @Test("a user name that is the password is not shown")
    func userIsPassword() async throws {
        try await withInstallation { installation in
            try installation.write(Self.password, to: "password")
            let result = try await sendTest(
                to: ["--user", Self.password, "--password-file", "password", "--require-auth"],
                relay: ", user: \(Self.password), password: {file: password}",
                in: installation
            )
            #expect(result.exitCode == 0, "\(result)")
            #expect(result.output.contains(", login as [secret] (file "), "\(result.output)")
            #expect(!result.output.contains("CANARY") && !result.errors.contains("CANARY"))
        }
    }

    @Test("a password that the relay asks for once more is not called an access token")
    func secondChallenge() async throws {
        let challenge = Data("again, \(Self.password)".utf8).base64EncodedString()
        try await withInstallation { installation in
            try installation.write(Self.password, to: "password")
            let result = try await sendTest(
                to: [
                    "--user", "app", "--password-file", "password", "--require-auth", "--auth-mechanism", "LOGIN",
                    "--fault", "auth: raw \"334 \(challenge)\\r\\n\"",
                ],
                relay: ", user: app, password: {file: password}, auth: login",
                in: installation
            )
            #expect(result.output.contains("authentication-refused (auth)"), "\(result.output)")
            #expect(!result.output.contains("access token") && !result.output.contains("CANARY"))
        }
    }

    @Test("an access token is fetched like outboxd's, and shown nowhere")
    func accessToken() async throws {
        let encoded = Data("CANARY-access-token".utf8).base64EncodedString()
        try await FakeTokenServer.with(.token("CANARY-access-token")) { tokens in
            try await withInstallation { installation in
                try installation.write("CANARY-access-token", to: "access-token")
                try installation.write("CANARY-client-secret", to: "client-secret")
                let result = try await sendTest(
                    to: [
                        "--user", "app@example.com", "--password-file", "access-token", "--require-auth",
                        "--auth-mechanism", "XOAUTH2", "--fault",
                        "auth: reply 535 5.7.8 \"CANARY-access-token \(encoded)\"",
                    ],
                    relay: ", user: app@example.com, oauth: {token_url: \"\(tokens.url)\", client_id: c, "
                        + "client_secret: {file: client-secret}}",
                    in: installation
                )
                #expect(result.exitCode == 78)
                #expect(tokens.requests.count == 1)
                #expect(result.output.contains("* asking http"), "\(result.output)")
                #expect(result.output.contains("C: AUTH XOAUTH2 [masked]\n"))
                #expect(result.output.contains("): user and oauth; then reload outboxd"), "\(result.output)")
                #expect(!result.output.contains("CANARY") && !result.output.contains("Q0FOQVJZ"))
            }
        }
    }

    @Test("a refused recipient is 69 with the relay's words; a full relay at the final dot 75; both name the fault")
    func refusals() async throws {
        try await withInstallation { installation in
            let unknown = "rcpt: reply 550 5.1.1 \"No such user\""
            let rejected = try await sendTest(to: ["--fault", unknown], in: installation)
            #expect(rejected.exitCode == 69)
            #expect(rejected.output.contains("S: 550 5.1.1 No such user\n"))
            #expect(rejected.output.contains("\nrejected: outboxd would not try this mail again\n"))
            #expect(rejected.output.contains("   reason      unknown-recipient (rcpt), fault of the recipient\n"))
            #expect(!rejected.output.contains("octets of content"))

            let full = "finalDot: reply 451 4.3.0 \"Try later\""
            let deferred = try await sendTest(to: ["--fault", full], in: installation)
            #expect(deferred.exitCode == 75)
            #expect(deferred.output.contains("\ndeferred: outboxd would try this mail again\n"), "\(deferred.output)")
            #expect(deferred.output.contains("   detail      451 4.3.0 Try later\n"))

            let silent = try await sendTest(to: ["--fault", "finalDot: accept-drop"], in: installation)
            #expect(silent.exitCode == 75)
            let uncertain = "\nuncertain: the relay received the whole mail and did not answer; the mail may arrive\n"
            #expect(silent.output.contains(uncertain), "\(silent.output)")
        }
    }

    @Test("a relay that is down is 75 and named, and another one is chosen by its name")
    func severalRelays() async throws {
        try await withInstallation { installation in
            let up = try installation.startRelay()
            let port = try #require(Int(try await installation.contents(of: "port")))
            // Nobody listens on port 1.
            let second = "}, {name: backup, url: \"smtp://127.0.0.1:\(port)\", tls: none"
            try installation.configure(port: 1, relay: second)
            let down = try await installation.outboxctl("send-test", "ann@example.com")
            #expect(down.exitCode == 75)
            #expect(down.output.hasPrefix("relay       127.0.0.1:1: host 127.0.0.1, port 1"))
            #expect(down.output.contains("   reason      no-connection (connect), fault of the relay\n"))

            let other = try await installation.outboxctl("send-test", "ann@example.com", "--relay", "backup")
            #expect(other.exitCode == 0)
            #expect(other.output.hasPrefix("relay       backup: host 127.0.0.1, port \(port)"))

            let unknown = try await installation.outboxctl("send-test", "ann@example.com", "--relay", "third")
            #expect(unknown.exitCode == 64)
            #expect(unknown.errors == "outboxctl: there is no relay 'third'; the relays are 127.0.0.1:1, backup\n")
            up.terminate()
            _ = try await up.result()
        }
    }

    @Test("wrong arguments are 64 with those that exist, an unreadable credential 78 in the words of outboxd")
    func errors() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 1, relay: ", user: app, password: {credential: smtp-password}")
            let daemon = try await installation.start("outboxd").result()
            let credential = try await installation.outboxctl("send-test", "ann@example.com")
            #expect(credential.exitCode == 78 && daemon.exitCode == 78)
            #expect(credential.errors == daemon.errors.replacing("outboxd: relay", with: "outboxctl: relay"))
            #expect(credential.errors.contains("the credential smtp-password is not available"))

            let address = try await installation.outboxctl("send-test", "Ann <ann@example.com>")
            #expect(address.exitCode == 64 && address.errors.contains("must be a bare address such as"))
            let kind = try await installation.outboxctl("send-test", "ann@example.com", "--kind", "verify")
            #expect(kind.exitCode == 64)
            #expect(kind.errors.contains("the kinds are password-changed, reset-password, verify-email"))
            #expect(!kind.errors.contains("Usage:"), "\(kind.errors)")
        }
    }

    @Test("an interrupt ends it within a second, while the relay says nothing", arguments: ["connect", "finalDot"])
    func interrupt(stage: String) async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--fault", "\(stage): hang")
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port)
            let program = try installation.start("outboxctl", ["send-test", "ann@example.com"])
            while !(try program.outputSoFar().contains(stage == "connect" ? "* Connected to " : "\nC: .\n")) {
                try await Task.sleep(for: .milliseconds(10))
            }
            let start = ContinuousClock.now
            program.interrupt()
            #expect(try await program.result().exitCode != 0)
            #expect(ContinuousClock.now - start < .seconds(1))
            relay.terminate()
            _ = try await relay.result()
        }
    }
}
