// Minted tokens and codes: test vectors that Python computes as well, and what never shows.

import Foundation
import OutboxTokens
import Testing

@Suite("Token keys")
struct TokenKeyTests {
    private static let master = Data((0..<32).map { UInt8($0) }).base64EncodedString()
    private static let envelopeID = "019abcdef0120123456789abcdef0123"

    @Test("derives the same token, code and proof of a code as Python's hmac and hashlib")
    func vectors() async throws {
        let key = try TokenKey(base64: " \(Self.master)\n")
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", "-c",
            """
            import base64, hashlib, hmac
            master = bytes(range(32))
            def sha(key, data): return hmac.new(key, data, hashlib.sha256).digest()
            def key(info): return sha(sha(bytes(32), master), info + b"\\x01")
            def parts(*texts): return b"".join(len(t).to_bytes(2, "big") + t for t in map(str.encode, texts))
            envelope = "\(Self.envelopeID)"
            message = parts("1", "reset-password", envelope)
            token = base64.urlsafe_b64encode(sha(key(b"outboxd token v1"), message)).decode().rstrip("=")
            code = "%08d" % (int.from_bytes(sha(key(b"outboxd code v1"), message)[:8], "big") % 10**8)
            check = key(b"outboxd check v1")
            print(token, code, sha(check, parts(envelope, code)).hex(), hashlib.sha256(check).hexdigest()[:16],
                base64.b64encode(check).decode(), hashlib.sha256(token.encode()).hexdigest())
            """,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let words = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).map(String.init)
        process.waitUntilExit()
        let token = key.token(kind: "reset-password", envelopeID: Self.envelopeID)
        let code = key.code(kind: "reset-password", envelopeID: Self.envelopeID)
        let mac = key.checkKey.mac(of: code, envelopeID: Self.envelopeID)
        func hexadecimal(_ octets: [UInt8]?) -> String {
            (octets ?? []).map { String($0 + 0, radix: 16).leftPadded }.joined()
        }
        #expect(
            words == [
                token, code, hexadecimal(mac), key.id, key.checkKey.base64, hexadecimal(TokenDigest.digest(of: token)),
            ]
        )
        #expect(token.count == 43 && code.count == 8)
        let page = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/tokens.md")
        let lines = try String(contentsOf: page, encoding: .utf8).split(separator: "\n")
        for value in words.prefix(5) { #expect(lines.contains { $0.hasSuffix("| `\(value)` |") }) }
        #expect(try CheckKey(base64: key.checkKey.base64) == key.checkKey)
    }

    @Test("kind, envelope id and key each change the token and the code")
    func inputs() throws {
        let keys = [try TokenKey(base64: Self.master), try TokenKey(base64: TokenKey.makeBase64())]
        var seen: Set<String> = []
        for key in keys {
            for kind in ["verify-email", "reset-password"] {
                for envelopeID in [Self.envelopeID, String(Self.envelopeID.reversed())] {
                    #expect(seen.insert(key.token(kind: kind, envelopeID: envelopeID)).inserted)
                    #expect(seen.insert(key.code(kind: kind, envelopeID: envelopeID)).inserted)
                }
            }
        }
    }

    @Test("a text that is no key is refused, and no description shows a key")
    func secrecy() throws {
        for text in ["", "short", String(repeating: "A", count: 40), "!" + Self.master.dropFirst()] {
            #expect(throws: InvalidTokenKey.self) { try TokenKey(base64: text) }
        }
        let key = try TokenKey(base64: Self.master)
        var dumped = ""
        dump(key, to: &dumped)
        dump(key.checkKey, to: &dumped)
        let shown = "\(key) \(key.checkKey) \(String(reflecting: key)) \(dumped)"
        #expect(!shown.contains(Self.master) && !shown.contains(key.checkKey.base64) && !shown.contains("SymmetricKey"))
    }

    @Test("a token that could be guessed from its digest has none", arguments: [(21, false), (22, true)])
    func shortTokens(length: Int, hasDigest: Bool) {
        #expect((TokenDigest.digest(of: String(repeating: "é", count: length)) != nil) == hasDigest)
    }

    @Test("the first key mints, and the key of an earlier attempt is found by its id")
    func rotation() throws {
        let (old, new) = (try TokenKey(base64: TokenKey.makeBase64()), try TokenKey(base64: TokenKey.makeBase64()))
        let rules = TokenRules(keys: [new, old])
        #expect(rules.key(nil) == new && rules.key(old.id) == old && rules.key("0123456789abcdef") == nil)
        #expect(TokenRules().key(nil) == nil)
    }
}

extension String {
    fileprivate var leftPadded: String { count < 2 ? "0" + self : self }
}
