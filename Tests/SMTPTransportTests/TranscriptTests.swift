// The transcript of a conversation: readable lines, and no secret in them.

import FakeSMTP
import Foundation
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
        let lines = commands.flatMap { transcript.opens(with: octets("\($0)\r\n"), .none) }
        #expect(
            lines == [
                "C: EHLO client.example.com", "C: STARTTLS", "C: AUTH PLAIN [masked]", "C: auth login", "C: [masked]",
                "C: [masked]", "C: [masked]", "C: QUIT",
            ]
        )
    }

    @Test("a response that the relay repeats is masked, also one that is no password")
    func echo() {
        var transcript = Transcript(hiding: mailMask)
        // CRAM-MD5: the user's name and a digest.
        _ = transcript.opens(with: octets("YXBwIDNkYmM4OGYwNjI0Nzc2YTczN2IzOTA5M2Y2\r\n"), .none)
        let lines = transcript.receives(octets("535 bad YXBwIDNkYmM4OGYwNjI0Nzc2YTczN2IzOTA5M2Y2!\r\n"), .none)
        #expect(lines == ["S: 535 bad [secret]!"])
        _ = transcript.ends(.none)
        #expect(transcript.receives(octets("535 bad YXBwIDNkYmM4OGY\r\n"), .none) == ["S: 535 bad YXBwIDNkYmM4OGY"])
    }

    @Test("password and token are masked in all words, also across two lines of a reply")
    func masks() {
        var transcript = Transcript(hiding: mailMask)
        let reply = "535-no CANARY-pass-1234 \r\n535-nor \(Self.response)\r\n535-nor CANARY-\r\n535 pass-1234\r\n"
        let lines =
            transcript.receives(octets(reply), mask) + transcript.receives(octets("?? CANARY-token-5678\r\n"), mask)
            + transcript.sends(octets("MAIL FROM:<CANARY-token-5678@example.com>\r\nDATA\r\n"), mask)
            + transcript.notes("subject: CN=CANARY-pass-1234\n", mask)
        #expect(
            lines == [
                "S: 535-no [secret] ", "S: 535-nor [secret]", "S: 535 nor [secret]", "S: ?? [secret]",
                "C: MAIL FROM:<[secret]@example.com>", "C: DATA", "* subject: CN=[secret]",
            ]
        )
    }

    @Test("a relay moves no cursor, and its endless lines and replies are cut")
    func hostile() {
        var transcript = Transcript(hiding: mailMask)
        #expect(transcript.receives(octets("220 a\u{1B}[2Jb\u{7}\u{9B}\r\n"), mask) == ["S: 220 a [2Jb  "])
        let long = transcript.receives(octets("220 " + String(repeating: "x", count: 100_000) + "\r\n"), mask)
        #expect(long.count == 1 && long[0].utf8.count < 5000)
        let many = transcript.receives(octets(String(repeating: "250-x\r\n", count: 1000) + "250 y\r\n"), mask)
        #expect(many.count == 100)
    }

    @Test("half a reply is shown when the connection ends")
    func halfReply() {
        var transcript = Transcript(hiding: mailMask)
        #expect(transcript.receives(octets("220-one\r\n220-tw"), mask).isEmpty)
        #expect(transcript.ends(mask) == ["S: 220-one", "S: 220-tw"])
        #expect(transcript.ends(mask).isEmpty)
    }

    @Test("of libcurl's debug text only the lines about the connection are shown")
    func debugText() {
        let transcript = Transcript(hiding: mailMask)
        let told = [
            "  Trying 127.0.0.1:2525...\n", "Connected to localhost (127.0.0.1) port 2525 (#0)\n",
            "SASL: AUTH PLAIN AGFwcA==\n", "SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384\n",
            "TLSv1.3 (OUT), TLS handshake, Client hello (1):\n", " SSL certificate verify ok.\n",
        ].flatMap { transcript.notes($0, .none) }
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
