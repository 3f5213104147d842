// Secrets in a peer's words are found in every form that a peer may use, and nothing else is masked.

import Foundation
import InternetMessage
import OutboxCore
import Testing

@Suite("A mask of secrets")
struct SecretMaskTests {
    private static let secrets = [
        "1234", "hunter2", "SECRET-TOKEN-42", "pa55 word/with+odd=signs&%41ü",
        "dG9rZW4-XyZ_abcdefghijklmnopqrstuvwxyz012345",
        String(repeating: "0123456789abcdef", count: 256),
    ]

    private static func percentEncoded(_ text: String, _ format: String, all: Bool) -> String {
        text.utf8.map { byte in
            let isPlain = Character(UnicodeScalar(byte)).isLetter && byte < 0x80 || (0x30...0x39).contains(byte)
            return isPlain && !all ? String(UnicodeScalar(byte)) : String(format: format, Int(byte))
        }.joined()
    }

    private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    private static func base64URL(_ text: String) -> String {
        base64(text).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// Every way to write a secret, by name.
    private static func spellings(of secret: String) -> [(name: String, text: String)] {
        [
            ("raw", secret),
            ("lower case", secret.lowercased()),
            ("upper case", String(secret.map { $0.isASCII ? Character($0.uppercased()) : $0 })),
            ("percent-encoded, upper case", percentEncoded(secret, "%%%02X", all: false)),
            ("percent-encoded, lower case", percentEncoded(secret, "%%%02x", all: false)),
            ("percent-encoded as a whole", percentEncoded(secret, "%%%02X", all: true)),
            ("base64", base64(secret)),
            ("base64url", base64URL(secret)),
            ("base64 after one octet", base64("x" + secret)),
            ("base64 after two octets", base64("xy" + secret + "z")),
            ("base64url after one octet", base64URL("x" + secret + "yz")),
            ("base64url after two octets", base64URL("xy" + secret)),
            ("AUTH PLAIN", base64("\0relay-user\0" + secret)),
            ("AUTH PLAIN with an identity", base64("relay-user\0relay-user\0" + secret)),
            ("user and password", base64("relay-user:" + secret)),
        ]
    }

    @Test("masks a secret in every form", arguments: secrets)
    func everySpelling(secret: String) {
        let mask = SecretMask([secret])
        for (name, spelling) in Self.spellings(of: secret) {
            for (before, after) in [("", ""), ("refused: ", " is wrong"), ("<", ">"), ("\"", "\", sorry")] {
                let masked = mask.masked(before + spelling + after)
                #expect(masked == before + "[secret]" + after, "\(name)")
            }
        }
    }

    @Test("masks a token within a longer word", arguments: secrets)
    func withinWord(secret: String) {
        #expect(SecretMask([secret]).masked("token:\(secret):end") == "token:[secret]:end")
        #expect(SecretMask([secret]).masked("\(secret)\(secret)") == "[secret]")
    }

    @Test(
        "finds a secret that line breaks of a reply, or of quoted-printable, split at any place",
        arguments: ["SECRET-TOKEN-42", "hunter2-", "abcd efgh ijkl mnop", "correct horse battery"]
    )
    func folds(secret: String) {
        for (name, spelling) in Self.spellings(of: secret).prefix(8) {
            for place in 1..<spelling.count {
                for fold in [" ", "\r\n\t", "=\r\n", "\u{200B}", "\u{AD} \u{E0041}"] {
                    let broken = spelling.prefix(place) + fold + spelling.dropFirst(place)
                    let masked = SecretMask([secret]).masked("no: <\(broken)>")
                    // The last base64 letters may stay, because they depend on the following text.
                    let rest = masked.replacing("[secret]", with: "").unicodeScalars.filter {
                        !"no: <=>\r\n\t\u{200B}\u{E0041}\u{AD}".unicodeScalars.contains($0)
                    }
                    #expect(name.hasPrefix("base64") ? rest.count <= 1 : masked == "no: <[secret]>", "\(broken)")
                }
            }
        }
    }

    @Test("masks pieces of a long secret from 12 octets on")
    func pieces() {
        let secret = "dG9rZW4-XyZ_abcdefghijklmnopqrstuvwxyz012345"
        let mask = SecretMask([secret])
        for start in 0...(secret.count - 12) {
            #expect(mask.masked("<\(secret.dropFirst(start).prefix(12))...>") == "<[secret]...>")
        }
        #expect(mask.masked("<\(secret.prefix(11))...>") == "<\(secret.prefix(11))...>")
    }

    @Test("masks the rest of a secret that was cut at the end", arguments: ["hunter2-hunter2", "hunter2"])
    func cutOff(secret: String) {
        let words = String(repeating: "word ", count: 120)
        for length in 4...secret.count {
            #expect(SecretMask([secret]).masked(words + secret.prefix(length)) == words + "[secret]")
        }
    }

    @Test("masks several secrets, and nothing where there is none")
    func several() {
        let mask = SecretMask(["first-secret", "second-secret", ""])
        #expect(mask.masked("a first-secret, a SECOND-SECRET") == "a [secret], a [secret]")
        for words in ["", "Ok: queued as 4fK3xJ2c1Zz9", "Grüße aus 東京", "100% of it", "a%", "%4"] {
            #expect(mask.masked(words) == words)
            #expect(SecretMask([""]).masked(words) == words)
        }
    }

    @Test("withholds all words where a secret is shorter than four octets", arguments: ["7", "ab", "é", "xyz"])
    func shortSecrets(secret: String) {
        let mask = SecretMask([secret, "another-secret"])
        #expect(mask.masked("your code was \(secret), not 8") == SecretMask.withheld)
        // Without the secret the answer is the same; a difference would reveal the secret.
        #expect(mask.masked("no such user") == SecretMask.withheld)
        #expect(mask.masked("") == "")
    }

    @Test("masks a base64 response that contains part of a secret")
    func encodings() {
        let response = Array("\0u\0pa55word".utf8)
        let mask = SecretMask(["pa55word"], encodings: [response])
        #expect(mask.masked("535 \(Data(response).base64EncodedString()) refused") == "535 [secret] refused")
    }

    @Test("one mask made of several removes what each of them removes, and a whole base64 word at once")
    func combined() {
        let response = Data("\0u\0pa55word".utf8).base64EncodedString()
        let mask = SecretMask(all: [
            SecretMask(["pa55word"]), .none, SecretMask([response]), SecretMask(["another-one"]),
        ])
        #expect(mask.masked("a\(response)Zk and another-one, PA55WORD") == "[secret] and [secret], [secret]")
        #expect(SecretMask(all: [mask, SecretMask(["7"])]).masked("x") == SecretMask.withheld)
        #expect(SecretMask(all: []).masked("https://a.example/x") == "https://a.example/…")
    }

    @Test("in a text that is shown in pieces a secret is masked where the pieces meet, and each line stays one")
    func piecesOfText() {
        let mask = SecretMask(["SECRET-TOKEN-42"])
        #expect(mask.masked(["no SECRET-", "TOKEN-42", "", "x"], after: "") == ["no [secret]", "[secret]", "", "x"])
        #expect(mask.masked(["TOKEN-42 x"], after: "no SECRET-") == ["[secret] x"])
        #expect(mask.masked(["no SECRET"], after: "") == ["no [secret]"])
        #expect(mask.masked(["no SECRE", "SECRET no"], after: "") == ["no SECRE", "SECRET no"])
        #expect(SecretMask(["7"]).masked(["a", ""], after: "") == [SecretMask.withheld, ""])
    }

    @Test("masking is idempotent")
    func idempotent() {
        let mask = SecretMask(["SECRET-TOKEN-42"])
        let words = "see https://a.example/x?t=SECRET-TOKEN-42 or SECRET-TOKEN-42"
        #expect(mask.masked(words) == "see https://a.example/… or [secret]")
        #expect(mask.masked(mask.masked(words)) == mask.masked(words))
    }

    @Test("never shows its secrets itself")
    func description() {
        let mask = SecretMask(["SECRET-TOKEN-42"])
        var dumped = ""
        dump(mask, to: &dumped)
        for text in ["\(mask)", String(reflecting: mask), dumped] { #expect(!text.contains("SECRET-TOKEN")) }
    }

    @Test("stays linear for repetitive words and secrets")
    func linear() {
        // A comparison at each place would take tens of millions of steps for each of these.
        let secret = String(repeating: "a", count: 4095) + "b"
        let words = String(repeating: "a", count: 1 << 13)
        let begin = ContinuousClock.now
        #expect(SecretMask([secret]).masked(words) == "[secret]")
        #expect(SecretMask(["aaab"]).masked(words) == words)
        #expect(SecretMask.none.masked(String(repeating: ":www.a", count: 1 << 9)).count == 6 << 9)
        #expect(SecretMask.none.masked(String(repeating: "https://", count: 1 << 9)).hasPrefix("https://https:/…"))
        #expect(ContinuousClock.now - begin < .seconds(10))
    }

    @Test("masks all words of a result, and leaves the rest unchanged")
    func results() throws {
        let secret = "SECRET-TOKEN-42"
        let mask = SecretMask([secret])
        let reply = SMTPReply(code: 554, enhancedStatus: EnhancedStatusCode(5, 7, 1), text: "listed: \(secret)")
        let masked = SMTPReply(code: 554, enhancedStatus: EnhancedStatusCode(5, 7, 1), text: "listed: [secret]")
        func failure(_ cause: TransmissionCause, _ detail: String) -> TransmissionResult {
            .failed(TransmissionFailure(stage: .finalDot, cause: cause, detail: detail, isUncertain: true))
        }
        #expect(TransmissionResult.accepted(reply).masked(by: mask) == .accepted(masked))
        #expect(
            failure(.reply(reply), reply.description).masked(by: mask)
                == failure(.reply(masked), "554 5.7.1 listed: [secret]")
        )
        #expect(
            failure(.authenticationRefused(reply), reply.description).masked(by: mask)
                == failure(.authenticationRefused(masked), "554 5.7.1 listed: [secret]")
        )
        for fault in [TransmissionCause.certificate, .authenticationRefused(nil), .other(curlCode: 1)] {
            #expect(failure(fault, "it said \(secret)").masked(by: mask) == failure(fault, "it said [secret]"))
        }
    }
}

@Suite("An address of a web page in others' words")
struct WebAddressTests {
    @Test(
        "keeps scheme and host and loses the rest",
        arguments: [
            ("see https://a.example/reset?token=x1 now", "see https://a.example/… now"),
            ("see HTTP://A.example:8080/x now", "see HTTP://A.example:8080/… now"),
            ("<https://a.example/reset/x1>", "<https://a.example/…>"),
            ("(https://a.example/reset/x1)", "(https://a.example/…"),
            ("\"https://a.example?token=x1\"", "\"https://a.example/…\""),
            ("https://a.example#x1", "https://a.example/…"),
            ("https://ann:pass@a.example/x", "https://a.example/…"),
            ("https://[2001:db8::1]/x", "https://[2001:db8::1]/…"),
            ("hxxps://a[.]example/x1", "hxxps://a[.]example/…"),
            ("https[:]//a.example/x1", "https[:]//a.example/…"),
            ("url=https%3A%2F%2Fa.example%2Freset%3Fx1", "url=https%3A%2F%2Fa.example/…"),
            ("https:\\/\\/a.example\\/x1", "https:\\/\\/a.example/…"),
            ("https://b.example/?url=https://a.example/x1", "https://b.example/…"),
            ("https://a.example/x1 and http://b.example/x2", "https://a.example/… and http://b.example/…"),
            ("www.a.example/x1", "www.a.example/…"), ("a.example/reset?x1", "a.example/…"),
            ("listed:a.example:443/reset#x1!", "listed:a.example:443/…"),
        ]
    )
    func cut(words: String, expected: String) {
        #expect(words.cuttingWebAddresses == expected)
        #expect(expected.cuttingWebAddresses == expected)
        #expect(SecretMask.none.masked(words) == expected)
    }

    @Test(
        "is not confused with similar texts",
        arguments: [
            "", "no / such user", "see https://a.example", "see https://a.example/.", "http:// alone", "https://",
            "mx.example.com/192.0.2.1 refused", "5.1.1/550", "and/or?", "ann@example.com/x?", "100%", "smtp;550 5.1.1",
        ]
    )
    func kept(words: String) {
        #expect(words.cuttingWebAddresses == words)
    }
}
