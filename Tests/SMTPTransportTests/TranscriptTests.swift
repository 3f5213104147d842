// The transcript of a conversation: readable lines, and no secret in them.

import FakeSMTP
import Foundation
import InternetMessage
import OutboxCore
import Synchronization
import Testing

@testable import SMTPTransport

@Suite("A transcript", .timeLimit(.minutes(10)))
struct TranscriptTests {
    private static let password = "CANARY-pass-1234"
    private static let response = Data("\0app\0CANARY-pass-1234".utf8).base64EncodedString()

    private let mask = SMTPRelay(
        RelayConfiguration(name: "r", url: "smtp://localhost:25"),
        credentials: SMTPCredentials(user: "app", password: password)
    ).mask
    private let mailMask = SecretMask(["CANARY-token-5678"])

    private func octets(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("of AUTH only the mechanism is shown, and nothing of its responses, whatever they look like")
    func authentication() {
        var transcript = Transcript(hiding: mailMask)
        let commands = [
            "EHLO client.example.com", "STARTTLS", "AUTH PLAIN \(Self.response)", "auth login", "YXBw",
            Data(Self.password.utf8).base64EncodedString(), "*", "QUIT",
        ]
        let lines = commands.flatMap { transcript.opens(with: octets("\($0)\r\n")) }
        #expect(
            lines == [
                "C: EHLO client.example.com", "C: STARTTLS", "C: AUTH PLAIN [masked]", "C: auth login", "C: [masked]",
                "C: [masked]", "C: [masked]", "C: QUIT",
            ]
        )
    }

    /// A transcript that hides the mail's token and the relay's password.
    private func hidingTranscript() -> Transcript {
        var transcript = Transcript(hiding: mailMask)
        transcript.hide(mask, user: "app")
        return transcript
    }

    /// What is shown of a relay's output that ends with the connection.
    private func shown(_ output: String, inPiecesOf size: Int = .max) -> [String] {
        var transcript = hidingTranscript()
        var lines: [String] = []
        var rest = octets(output)[...]
        while !rest.isEmpty {
            lines += transcript.receives(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        return lines + transcript.ends()
    }

    @Test("a response that the relay repeats is masked, also one that is no password, and over the next connection")
    func echo() {
        var transcript = Transcript(hiding: mailMask)
        // CRAM-MD5: the user's name and a digest.
        _ = transcript.opens(with: octets("YXBwIDNkYmM4OGYwNjI0Nzc2YTczN2IzOTA5M2Y2\r\n"))
        let lines = transcript.receives(octets("535 bad YXBwIDNkYmM4OGYwNjI0Nzc2YTczN2IzOTA5M2Y2!\r\n"))
        #expect(lines == ["S: 535 bad [secret]!"])
        _ = transcript.ends()
        #expect(transcript.receives(octets("535 bad YXBwIDNkYmM4OGY\r\n")) == ["S: 535 bad [secret]"])
    }

    @Test("the digest of a response is masked in its decoded form, too, and the user name is not")
    func digest() {
        var transcript = hidingTranscript()
        _ = transcript.opens(with: octets("YXBwIDNkYmM4OGYwNjI0Nzc2YTczN2IzOTA5M2Y2\r\n"))
        let lines = transcript.receives(octets("535 bad app 3dbc88f0624776a737b39093f6\r\n"))
        #expect(lines == ["S: 535 bad app [secret]"])
        #expect(transcript.mask.masked("535 bad 3DBC88F0624776A737B39093") == "535 bad [secret]")
    }

    @Test("password and token are masked in all words, also across two lines of a reply")
    func masks() {
        var transcript = hidingTranscript()
        let reply = "535-no CANARY-pass-1234 \r\n535-nor \(Self.response)\r\n535-nor CANARY-\r\n535 pass-1234\r\n"
        let lines =
            transcript.receives(octets(reply))
            + transcript.sends(octets("MAIL FROM:<CANARY-token-5678@example.com>\r\nDATA\r\n"))
            + transcript.notes("subject: CN=CANARY-pass-1234\n")
            + transcript.receives(octets("?? CANARY-token-5678\r\n")) + transcript.ends()
        #expect(
            lines == [
                "S: 535-no [secret] ", "S: 535-nor [secret]", "S: 535-nor [secret]", "S: 535 [secret]",
                "C: MAIL FROM:<[secret]@example.com>", "C: DATA", "* subject: CN=[secret]", "S: ?? [secret]",
            ]
        )
    }

    @Test(
        "a secret in two parts is masked, whatever stands between",
        arguments: [
            "550-no CANARY-pa\r\n\r\n550 ss-1234\r\n", "550-no CANARY-pa\r\n \t\r\n\n550 ss-1234\r\n",
            "no CANARY-pa\r\nss-1234 indeed\r\n", "250 ok\r\nCANARY-pa\r\nss-1234\r\n",
            "535-hm\r\nno CANARY-pa\r\nss-1234\r\n535 x\r\n", "250 CANARY-pa\r\n250 ss-1234\r\n",
            "535-5.7.8 no CANARY-pa\r\n\r\n535 5.7.8 ss-1234\r\n",
            "150 CANARY-pa\r\n550 ss-1234\r\n", "550-CANARY-pa\u{200B}\r\n550 ss-1234\r\n",
            "550 CAN\u{202E}ARY-pa\u{7}ss-1234\r\n", "no\r\n550 CANARY-pa\r\n\r\n550 ss-1234\r\n",
        ]
    )
    func parts(output: String) {
        for size in [1, 7, .max] {
            let text = shown(output, inPiecesOf: size).joined(separator: "\n")
            #expect(text.contains("[secret]") && !text.contains("CAN") && !text.contains("1234"), "\(text)")
        }
    }

    @Test("empty lines are skipped exactly as the parser skips them")
    func emptyLines() {
        for output in [
            "250-a\r\n\r\n250 b\r\n", "\r\n \r\n\t\n250 b\r\n\r\n250 c\r\n", "250-a\r\n250\r\n", "150 a\r\n250 b\r\n",
            " x\r\n250 b\r\n", "250-a\r\n25\r\n", "250-a\r\n250-b\n250 c\n",
        ] {
            var parser = ReplyParser()
            parser.append(octets(output))
            var replies = 0
            while case .reply? = parser.next() { replies += 1 }
            var transcript = hidingTranscript()
            let complete = transcript.receives(octets(output)).filter { !$0.dropFirst(3).prefix(4).contains("-") }
            #expect(complete.count { !$0.hasPrefix("S: 1") } == replies, "\(output)")
        }
    }

    @Test("the rest of a base64 word beside a response is masked, as one mask does it")
    func wholeWord() {
        var transcript = hidingTranscript()
        _ = transcript.opens(with: octets("AUTH PLAIN \(Self.response)\r\n"))
        #expect(transcript.receives(octets("535 a8\(Self.response)Zk3v x\r\n")) == ["S: 535 [secret] x"])
    }

    @Test("each line of a reply keeps its own code")
    func codes() {
        #expect(shown("250-fine\r\n550 bad\r\n") == ["S: 250-fine", "S: 550 bad"])
        let codes = "550-5.7.1 bad\r\n550-5.7.1\r\n550-5.7.1  \r\n550 5.7\r\n"
        #expect(shown(codes) == ["S: 550-5.7.1 bad", "S: 550-5.7.1", "S: 550-5.7.1  ", "S: 550 5.7"])
    }

    @Test("a relay moves no cursor, and its endless lines and replies are cut")
    func hostile() {
        #expect(shown("220 a\u{1B}[2Jb\u{7}\u{9B}\r\n") == ["S: 220 a [2Jb  "])
        #expect(shown("220 a\u{202E}b\u{200B}c\u{E0041}\r\n") == ["S: 220 a b c "])
        let long = shown("220 " + String(repeating: "x", count: 100_000) + "\r\n")
        #expect(long.count == 1 && long[0].utf8.count < 5000)
        let many = shown(String(repeating: "250-x\r\n", count: 1000) + "250 y\r\n")
        #expect(many.count == 100)
        #expect(many.suffix(2) == ["* [lines of this reply that are not shown: 902]", "S: 250 y"])
    }

    @Test("a secret is masked before anything is cut, wherever the cut comes")
    func cuts() {
        let secret = Self.password
        for length in 1...secret.count {
            // A line's shown length; the kept length of a reply, in one line and in many.
            for (limit, line) in [(1000, 0), (65_536, 0), (65_536, 500)] {
                let filling = String(repeating: "x", count: line == 0 ? limit - length : line - 8)
                let lines = line == 0 ? 1 : (limit - length) / line
                let output =
                    String(repeating: "550-\(filling)\r\n", count: lines).dropLast(2)
                    + (line == 0 ? "" : String(repeating: "x", count: (limit - length) % line)) + secret
                    + "\r\n550 end\r\n"
                let text = shown(String(output)).joined(separator: "\n")
                #expect(!text.contains("CANA") && !text.contains("1234"), "\(limit) \(line) \(length)")
                #expect(text.hasSuffix("S: 550 end"))
            }
            let many = String(repeating: "550-l\r\n", count: 97)
            for more in 0...3 {
                let output =
                    many + String(repeating: "550-l\r\n", count: more)
                    + "550-\(secret.prefix(length))\r\n550-\(secret.dropFirst(length))\r\n550 end\r\n"
                let lines = shown(output)
                #expect(!lines.contains { $0.contains("CANA") || $0.contains("1234") }, "\(length) \(lines.suffix(5))")
                #expect(lines.last == "S: 550 end" && lines.count <= 100)
            }
        }
    }

    @Test("the end of a secret in the last line of a very long reply is masked")
    func endOfLongReply() {
        let filling = String(repeating: "550-\(String(repeating: "x", count: 500))\r\n", count: 200)
        let lines = shown(filling + "550-CANARY-p\r\n550 ass-1234\r\n")
        #expect(lines.last == "S: 550 [secret]", "\(lines.suffix(2))")
    }

    @Test("a reply of many lines keeps a secret in two of them whole, so that its verdict is masked")
    func verdict() throws {
        for count in 90...110 {
            var parser = ReplyParser()
            let lines = String(repeating: "550-l\r\n", count: count)
            parser.append(octets("\(lines)550-CANARY-pa\r\n550-ss-1234\r\n550 end\r\n"))
            guard case .reply(let reply)? = parser.next() else { throw NoReply() }
            let text = mask.masked(reply.parsed.text)
            #expect(text.hasSuffix("l [secret] end"), "\(text)")
        }
        // Memory stays bounded.
        var parser = ReplyParser()
        parser.append(octets(String(repeating: "550-l\r\n", count: 100_000) + "550 end\r\n"))
        guard case .reply(let reply)? = parser.next() else { throw NoReply() }
        #expect(reply.lines.count < 3000 && reply.lines.last == "550 end")
    }

    private struct NoReply: Error {}

    @Test("a flood of lines is shown in a hundred, and soon")
    func flood() {
        let begin = ContinuousClock.now
        for line in ["150 wait\r\n", "\r\n", "250-hello\r\n", "what?\r\n", "\0\r\n"] {
            let size = ReplyParser.replyLimit
            #expect(shown(String(repeating: line, count: size / line.utf8.count)).count <= 100)
        }
        #expect(ContinuousClock.now - begin < .seconds(60))
    }

    @Test("half a reply is shown when the connection ends")
    func halfReply() {
        var transcript = hidingTranscript()
        #expect(transcript.receives(octets("220-one\r\n220-tw")).isEmpty)
        #expect(transcript.ends() == ["S: 220-one", "S: 220-tw"])
        #expect(transcript.ends().isEmpty)
    }

    @Test("of libcurl's debug text only the lines about the connection are shown")
    func debugText() {
        let transcript = Transcript(hiding: mailMask)
        let told = [
            "  Trying 127.0.0.1:2525...\n", "Connected to localhost (127.0.0.1) port 2525 (#0)\n",
            "SASL: AUTH PLAIN AGFwcA==\n", "SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384\n",
            "TLSv1.3 (OUT), TLS handshake, Client hello (1):\n", " SSL certificate verify ok.\n",
        ].flatMap { transcript.notes($0) }
        #expect(
            told == [
                "* Trying 127.0.0.1:2525...", "* Connected to localhost (127.0.0.1) port 2525 (#0)",
                "* SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384", "* SSL certificate verify ok.",
            ]
        )
    }

    @Test("a lane shows a whole conversation in its order, with one line in place of the content")
    func lane() async throws {
        for pipelining in [true, false] {
            var options = FakeSMTPServer.Options()
            if !pipelining { options.offers.remove(.pipelining) }
            try await FakeSMTPServer.with(options) { server in
                let shown = Mutex<[String]>([])
                let lane = SMTPLane(
                    relay: SMTPRelay(server),
                    number: 1,
                    transcript: TranscriptOptions(hiding: .none) { line in shown.withLock { $0.append(line) } }
                )
                let mail = OutgoingMail.sample()
                #expect(await lane.send(mail).isAccepted)
                await lane.closeConnection()
                let lines = shown.withLock(\.self).filter { !$0.hasPrefix("*") && !$0.hasPrefix("S: 250-") }
                let verbs = lines.map { String($0.prefix(6)) }
                let dialogue =
                    pipelining
                    ? ["C: MAI", "C: RCP", "C: DAT", "S: 250", "S: 250", "S: 354"]
                    : ["C: MAI", "S: 250", "C: RCP", "S: 250", "C: DAT", "S: 354"]
                #expect(
                    verbs == ["S: 220", "C: EHL", "S: 250"] + dialogue
                        + ["C: [\(mail.content.count)".prefix(6).description, "C: .", "S: 250", "C: QUI", "S: 221"],
                    "\(lines)"
                )
                #expect(lines.contains("C: [\(mail.content.count) octets of content]"))
            }
        }
    }
}
