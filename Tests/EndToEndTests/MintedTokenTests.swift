// A token that exists nowhere but in the mail: the built programs, a relay, and an application in Python.

import Foundation
import TestSupport
import Testing

@Suite("Minted tokens", .timeLimit(.minutes(10)))
struct MintedTokenTests {
    private static let redeem = """
        import hashlib, sqlite3, sys, time
        db = sqlite3.connect(sys.argv[1])
        with db:
            digest = hashlib.sha256(sys.argv[2].encode()).digest()
            rows = db.execute("UPDATE outbox_token SET presented_at = ?, presented = ? "
                "WHERE digest = ? AND kind = 'reset-password' RETURNING result",
                (int(time.time() * 1000), digest, digest)).fetchall()
        print(rows)
        """

    private static let insert = """
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1])
        with db:
            db.execute("INSERT INTO outbox (kind, recipient, valid_for) VALUES ('reset-password', 'ann@example.com', 1800000)")
        """

    /// The token in the link of the only mail that the relay stored.
    private func token(in installation: Installation) throws -> String {
        let folder = installation.folder.appending(path: "received")
        let mails = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "eml" }
        let mail = try String(contentsOf: try #require(mails.first), encoding: .utf8)
        #expect(mails.count == 1)
        let text = mail.replacing("=\r\n", with: "").replacing("=3D", with: "=")
        return String(try #require(text.firstMatch(of: /reset-password\?token=([A-Za-z0-9_-]{43})/)).output.1)
    }

    @Test("a minted token is mailed, redeemed once, and found in no file; the key is shown nowhere")
    func wholeWay() async throws {
        try await withInstallation { installation in
            let made = try await installation.outboxctl("new-key", "token-key", "--check-key", "check-key")
            #expect(
                made.exitCode == 0 && made.output.contains("LoadCredential=token-key:/"),
                "\(made.errors)"
            )
            let refused = try await installation.outboxctl("new-key", "token-key")
            #expect(refused.exitCode == 73 && refused.errors.contains("File exists"), "\(refused.errors)")
            let key = try String(contentsOf: installation.folder.appending(path: "token-key"), encoding: .utf8)
            #expect(!made.output.contains(key.trimmingCharacters(in: .whitespacesAndNewlines)))

            // The check key can be written again; the token key can't be taken for one.
            let again = try await installation.outboxctl("check-key", "token-key", "again")
            #expect(again.exitCode == 0 && again.output.contains("for the application"), "\(again.errors)")
            let checkKeys = ["check-key", "again"].map { installation.folder.appending(path: $0) }
            #expect(
                try String(contentsOf: checkKeys[0], encoding: .utf8)
                    == String(contentsOf: checkKeys[1], encoding: .utf8)
            )
            let modes = try checkKeys.map {
                try FileManager.default.attributesOfItem(atPath: $0.path)[.posixPermissions]
            }
            #expect(modes.allSatisfy { $0 as? Int == 0o600 })
            #expect(try await installation.outboxctl("check-key", "token-key", "again").exitCode == 73)
            let missing = try await installation.outboxctl("check-key", "no-key", "other")
            #expect(missing.exitCode == 78 && missing.errors.contains("no-key"), "\(missing.errors)")

            let relay = try installation.startRelay(
                "--store",
                "received",
                "--fault",
                "rcpt: reply 450 4.2.1 \"busy\" first 1 for ann@example.com"
            )
            let port = try #require(Int(try await installation.contents(of: "port")))
            let further = "tokens: {key: {file: token-key}, codes: [reset-password]}\nlog: {level: trace}"
            try installation.configure(port: port, further: further)
            #expect(try await installation.start("outboxd", ["--check"]).result().exitCode == 0)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            #expect(try await installation.python(Self.insert).exitCode == 0)
            let messages = try await installation.waitUntilNoneIsOpen()
            #expect(messages.output == "1 accepted 2\n", "\(messages.errors)")

            let token = try token(in: installation)
            let before = try await installation.outboxctl("status", "ann@example.com")
            #expect(before.output.contains("advice     wait"), "\(before.output)")
            #expect(try await installation.python(Self.redeem, token).output == "[('ok',)]\n")
            #expect(try await installation.python(Self.redeem, token).output == "[('used',)]\n")
            #expect(try await installation.python(Self.redeem, token + "x").output == "[]\n")
            let after = try await installation.outboxctl("status", "ann@example.com")
            #expect(
                after.output.contains("the link or code was used") && after.output.contains("advice     done"),
                "\(after.output)"
            )
            let promise = try await installation.outboxctl("promise")
            #expect(promise.output.contains("link or code used"), "\(promise.output)")

            daemon.terminate()
            let ended = try await daemon.result()
            relay.terminate()
            _ = try await relay.result()
            #expect(!ended.errors.contains(token) && !ended.errors.contains(key.prefix(43)))
            let files = try FileManager.default.contentsOfDirectory(
                at: installation.folder,
                includingPropertiesForKeys: nil
            )
            .filter { $0.lastPathComponent.hasPrefix("outbox.db") }
            #expect(!files.isEmpty)
            for file in files { #expect(try Data(contentsOf: file).range(of: Data(token.utf8)) == nil, "\(file)") }
        }
    }

    @Test("a row without a token waits for a key as a fault of the configuration, and leaves after a reload")
    func withoutKey() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--store", "received")
            let port = try #require(Int(try await installation.contents(of: "port")))
            let retry = "retry: {delays: [200ms]}"
            try installation.configure(port: port, further: retry)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            let warned = try await installation.outboxctl("enqueue", "reset-password", "ann@example.com", "--mint")
            #expect(warned.output == "1\n" && warned.errors.contains("no key is configured"), "\(warned.errors)")
            try await installation.waitUntil("SELECT count(*) FROM outbox_attempt WHERE reason = 'no-token-key'")
            let shown = try await installation.outboxctl("show", "1")
            #expect(shown.output.contains("set tokens.key, and reload outboxd"), "\(shown.output)")

            #expect(try await installation.outboxctl("new-key", "token-key").exitCode == 0)
            try installation.configure(port: port, further: "\(retry)\ntokens: {key: {file: token-key}}")
            daemon.hangUp()
            let messages = try await installation.waitUntilNoneIsOpen()
            #expect(messages.output.hasPrefix("1 accepted"), "\(messages.errors)")
            let token = try token(in: installation)
            #expect(try await installation.python(Self.redeem, token).output == "[('ok',)]\n")
            daemon.terminate()
            _ = try await daemon.result()
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a stolen copy of the database mails nothing without the key, and shows neither token nor code")
    func stolenCopy() async throws {
        try await withInstallation { installation in
            #expect(try await installation.outboxctl("new-key", "token-key").exitCode == 0)
            let relay = try installation.startRelay("--store", "received")
            let port = try #require(Int(try await installation.contents(of: "port")))
            let retry = "retry: {delays: [200ms]}"
            let tokens = "tokens: {key: {file: token-key}, codes: [reset-password]}"
            try installation.configure(port: port, further: "\(retry)\n\(tokens)")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            #expect(try await installation.python(Self.insert).exitCode == 0)
            #expect(try await installation.waitUntilNoneIsOpen().output == "1 accepted 1\n")
            daemon.terminate()
            _ = try await daemon.result()
            // An open message, which the thief's daemon could mail.
            #expect(try await installation.python(Self.insert.replacing("ann@", with: "bob@")).exitCode == 0)
            let mailed = try token(in: installation)

            try await withInstallation { thief in
                let copy = thief.folder.appending(path: "outbox.db").path
                #expect(try await installation.outboxctl("backup", copy).exitCode == 0)
                try thief.configure(port: port, further: retry)
                let daemon = try thief.start("outboxd")
                try await thief.waitUntil("SELECT count(*) > 1 FROM outbox_attempt WHERE reason = 'no-token-key'")
                daemon.terminate()
                _ = try await daemon.result()
                let found = try await thief.python(
                    """
                    import base64, hashlib, hmac, sqlite3, sys
                    token, file = sys.argv[2].encode(), open(sys.argv[1], "rb").read()
                    db = sqlite3.connect(sys.argv[1])
                    digest, proof, envelope = db.execute(
                        "SELECT digest, code_mac, envelope_id FROM outbox_token JOIN outbox_state USING (message_id)").fetchone()
                    print(token in file, digest == hashlib.sha256(token).digest())
                    # The right code, from the key that the thief has not: no plain digest of it is kept.
                    def sha(key, data): return hmac.new(key, data, hashlib.sha256).digest()
                    def parts(*texts): return b"".join(len(t).to_bytes(2, "big") + t for t in map(str.encode, texts))
                    root = sha(bytes(32), base64.b64decode(open(sys.argv[3]).read()))
                    mac = sha(sha(root, b"outboxd code v1\\x01"), parts("1", "reset-password", envelope))
                    code = "%08d" % (int.from_bytes(mac[:8], "big") % 10**8)
                    print(sha(sha(root, b"outboxd check v1\\x01"), parts(envelope, code)) == proof)
                    print(hashlib.sha256(code.encode()).digest() == proof, code.encode() in file)
                    """,
                    mailed,
                    installation.folder.appending(path: "token-key").path
                )
                #expect(found.output == "False True\nTrue\nFalse False\n", "\(found.errors)")
            }
            #expect(try token(in: installation) == mailed)
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a key that is damaged, given twice or readable by everybody stops the start, and is not quoted")
    func badKeys() async throws {
        try await withInstallation { installation in
            try installation.write("CANARY-is-no-base64", to: "bad")
            #expect(try await installation.outboxctl("new-key", "good").exitCode == 0)
            for (tokens, part) in [
                ("{key: {file: bad}}", "it is not 32 octets as base64; make one with: outboxctl new-key"),
                ("{key: {file: good}, earlier_keys: [{file: good}]}", "is given twice"),
                ("{key: {file: missing}}", "the token key cannot be read from"),
                ("{key: secret}", "a token key is never written in this file"),
            ] {
                try installation.configure(further: "tokens: \(tokens)")
                for arguments in [["--check"], []] {
                    let result = try await installation.start("outboxd", arguments).result()
                    #expect(result.exitCode == 78 && result.errors.contains(part), "\(result.errors)")
                    #expect(!result.errors.contains("CANARY"))
                }
            }
        }
    }
}
