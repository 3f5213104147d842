// A mask that is used once has a short way for words without a trace of a secret. The result is that of the mask itself.

import Foundation
import InternetMessage
import TestSupport
import Testing

@testable import OutboxCore

@Suite("Words that are masked once")
struct SecretTracesTests {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".unicodeScalars
    )
    private static let words = [
        "Ok: queued as 4F2B1C", "2.0.0", "message", "https://example.com/", "=", "\r\n", "ü", "\u{200B}", "100", "%",
        "aGVsbG8=", "queued", "\t",
    ]

    private static func string(_ count: Int, of scalars: [Unicode.Scalar], _ random: inout SplitMix) -> String {
        var text = ""
        for _ in 0..<count { text.unicodeScalars.append(scalars.randomElement(using: &random) ?? "x") }
        return text
    }

    private static func secret(_ random: inout SplitMix) -> String {
        switch Int.random(in: 0...9, using: &random) {
        case 0...3: string(43, of: alphabet, &random)
        case 4, 5: string(Int.random(in: 4...8, using: &random), of: Array("0123456789".unicodeScalars), &random)
        case 6: string(Int.random(in: 4...14, using: &random), of: Array("ab c=+/".unicodeScalars), &random)
        case 7: string(Int.random(in: 8...30, using: &random), of: alphabet + ["ü", "東", "+", "/", "&"], &random)
        case 8: string(Int.random(in: 4...16, using: &random), of: alphabet, &random)
        default: string(Int.random(in: 0...3, using: &random), of: alphabet, &random)
        }
    }

    /// A piece of a secret as a peer may write it.
    private static func spelling(of secret: String, _ random: inout SplitMix) -> String {
        let octets = Array(secret.utf8)
        let start = Int.random(in: 0...octets.count / 2, using: &random)
        let end = Int.random(in: min(start + 4, octets.count)...octets.count, using: &random)
        let isWhole = Int.random(in: 0...2, using: &random) > 0
        let piece = isWhole ? secret : String(decoding: octets[start..<end], as: UTF8.self)
        let before = string(Int.random(in: 0...3, using: &random), of: alphabet, &random)
        let base64 = Data((before + secret + before).utf8).base64EncodedString()
        let spelled =
            switch Int.random(in: 0...8, using: &random) {
            case 0, 1: piece
            case 2: piece.uppercased()
            case 3: piece.lowercased()
            case 4: piece.utf8.map { String(format: "%%%02X", Int($0)) }.joined()
            case 5, 6: base64
            case 7: base64.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
            default: string(piece.count, of: Array(piece.unicodeScalars) + ["x"], &random)
            }
        guard Int.random(in: 0...2, using: &random) == 0, spelled.count > 1 else { return spelled }
        let fold = [" ", "\r\n\t", "=\r\n", "\u{200B}", "\u{AD} "].randomElement(using: &random) ?? " "
        let place = Int.random(in: 1..<spelled.count, using: &random)
        return spelled.prefix(place) + fold + spelled.dropFirst(place)
    }

    @Test("are what a mask makes of them", arguments: 1...8)
    func equality(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var masked = 0
        var untouched = 0
        for _ in 0..<1500 {
            let secrets = (0..<Int.random(in: 0...2, using: &random)).map { _ in Self.secret(&random) }
            var text = ""
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                if let secret = secrets.randomElement(using: &random), Bool.random(using: &random) {
                    text += Self.spelling(of: secret, &random)
                } else {
                    text += Self.words.randomElement(using: &random) ?? ""
                }
                if Bool.random(using: &random) { text += " " }
            }
            if Int.random(in: 0...20, using: &random) == 0 { text = String(repeating: "word ", count: 100) + text }
            let expected = SecretMask(secrets).masked(text)
            #expect(SecretMask.masked(text, hiding: secrets) == expected, "\(text.debugDescription) \(secrets)")
            if expected.contains(SecretMask.replacement) { masked += 1 }
            if !SecretTraces.mayBe(in: text, of: secrets) { untouched += 1 }
        }
        // Both ways are taken often.
        #expect(masked > 100 && untouched > 100, "\(masked) masked, \(untouched) untouched")
    }

    @Test("are masked where they are nothing but one piece, wherever it begins and in whatever base64")
    func pieces() {
        var masked = 0
        // The second secret's base64 has many of the letters in which base64url differs.
        for secret in ["dG9rZW4-XyZ_abcdefghijklmnopqrstuvwxyz012345", "a?>b~>c?d~?>?e>~f?~>g"] {
            for before in ["", "x", "xy"] {
                let base64 = Data((before + secret).utf8).base64EncodedString()
                let base64URL = base64.replacing("+", with: "-").replacing("/", with: "_")
                for form in [secret, base64, base64URL] {
                    for start in 0...(form.count - 12) {
                        let piece = String(form.dropFirst(start).prefix(12))
                        let expected = SecretMask([secret]).masked(piece)
                        #expect(SecretMask.masked(piece, hiding: [secret]) == expected, "\(piece)")
                        if expected == SecretMask.replacement { masked += 1 }
                    }
                }
            }
        }
        #expect(masked > 300, "\(masked)")
    }

    @Test("of which the replies of real mail systems need no mask of a token")
    func ordinaryReplies() {
        var random = SplitMix(seed: 9)
        for reply in [
            "Ok", "Ok: queued as 4F2B1C", "Ok: queued as 4fK3xJ2c1Zz9", "OK id=1rXyZa-0004Bc-2D",
            "Message queued as <A1B2>",
            "Ok 0100018b0e7a1c5d-8e0b6d4e-29a0-4501-a68a-3ff8695254bb-000000",
            "Mailbox unavailable or access denied - gmail-smtp-in.example 5si123",
        ] {
            let hits = (0..<100).count { _ in
                SecretTraces.mayBe(in: reply, of: [Self.string(43, of: Self.alphabet, &random)])
            }
            #expect(hits < 10, "\(reply)")
        }
    }

    @Test("are withheld where a secret is too short, and searched where a piece may be cut off or encoded")
    func carefulness() {
        let token = "dG9rZW4-XyZ_abcdefghijklmnopqrstuvwxyz012345"
        #expect(SecretMask.masked("Ok", hiding: ["7"]) == SecretMask.withheld)
        #expect(SecretTraces.mayBe(in: "Ok%", of: [token]))
        #expect(SecretTraces.mayBe(in: "Ok", of: ["a secret with space"]))
        #expect(SecretTraces.mayBe(in: String(repeating: "#", count: 500), of: [token]))
        #expect(!SecretTraces.mayBe(in: String(repeating: "#", count: 499), of: [token]))
        #expect(!SecretTraces.mayBe(in: "Ok", of: [token, ""]) && !SecretTraces.mayBe(in: "Ok", of: []))
    }

    @Test("are masked in a result like with a mask")
    func result() {
        let secrets = ["SECRET-TOKEN-42"]
        let reply = SMTPReply(code: 550, enhancedStatus: EnhancedStatusCode(5, 7, 1), text: "no SECRET-TOKEN-42")
        let lost = TransmissionFailure(stage: .body, cause: .connectionLost, detail: "secret-token-42 lost")
        let refused = TransmissionFailure(stage: .data, cause: .reply(reply), detail: "of SECRET-TOKEN-42")
        let results: [TransmissionResult] = [.accepted(reply), .failed(lost), .failed(refused), .withheld]
        for result in results {
            let masked = result.masked(hiding: secrets)
            #expect(masked == result.masked(by: SecretMask(secrets)))
            #expect(!"\(masked)".uppercased().contains("SECRET-TOKEN"))
        }
    }
}
