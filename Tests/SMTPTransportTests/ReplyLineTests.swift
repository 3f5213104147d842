// A reply's lines as text: octets of plain ASCII take a short way, with the same result.

import InternetMessage
import OutboxCore
import TestSupport
import Testing

@testable import SMTPTransport

@Suite("A reply's line")
struct ReplyLineTests {
    /// Most of these need the long way, alone or in a row.
    private static let pieces: [[UInt8]] = [
        Array("2.0.0 Ok: queued as 4F2B1C".utf8), Array(" ".utf8), Array("x".utf8), [0x0D], [0x09], [0x1B], [0x7F],
        [0xC2], [0x85], [0xE2, 0x80, 0x8B], [0xC3, 0xBC], [0xCC, 0x81], [0xF0, 0x9F, 0x98, 0x80], [0x00],
    ]

    @Test("is the same whichever way its octets take, and holds no control character")
    func text() {
        var random = SplitMix(seed: 1)
        for _ in 0..<5000 {
            var line = Array("250 ".utf8)
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                line += Self.pieces.randomElement(using: &random) ?? []
            }
            line += Bool.random(using: &random) ? [0x0D, 0x0A] : [0x0A]
            let expected = String(decoding: line, as: UTF8.self).replacingControlCharacters
            for before in ["", "250-first\r\n"] {
                var parser = ReplyParser()
                parser.append(Array(before.utf8) + line)
                let (reply, rest) = (parser.next(), parser.next())
                let first = before.isEmpty ? [] : ["250-first"]
                #expect(reply == .reply(RelayReply(code: 250, lines: first + [expected])), "\(line)")
                #expect(rest == nil && !parser.isHalfway)
            }
            #expect(!expected.unicodeScalars.contains { $0.properties.generalCategory == .control })
        }
    }

    @Test("replies of one line and of several follow each other")
    func sequence() {
        var parser = ReplyParser()
        parser.append(Array("250-a\r\n250 b\r\n250 c\r\n150-d\r\n150 e\r\n354 f\r\n600 g\r\n250 h\r\n25".utf8))
        var elements: [ReplyParser.Element] = []
        while let element = parser.next() { elements.append(element) }
        #expect(
            elements == [
                .reply(RelayReply(code: 250, lines: ["250-a", "250 b"])),
                .reply(RelayReply(code: 250, lines: ["250 c"])),
                .reply(RelayReply(code: 354, lines: ["354 f"])), .garbled,
                .reply(RelayReply(code: 250, lines: ["250 h"])),
            ]
        )
        #expect(parser.isHalfway)
    }

    @Test("a connection without a mail in progress writes nothing, awaits nothing and cannot be over twice")
    func afterTheEnd() {
        var conversation = SMTPConversation(extensions: OfferedExtensions()) { _ in .seconds(60) }
        let now = ContinuousClock.now
        conversation.begin(OutgoingMail(envelopeSender: "a@b.example", recipient: "c@d.example", content: []))
        conversation.interrupt()
        let ending = conversation.ending
        let isOver = conversation.isOver
        #expect(ending != nil && isOver)
        conversation.losesConnection("later")
        conversation.timesOut()
        conversation.stopsWaiting()
        conversation.permit(false)
        conversation.wrote(1, at: now)
        let output = conversation.nextOutput(at: now)
        #expect(output == nil)
        let later = conversation.ending
        #expect(later == ending)
    }
}
