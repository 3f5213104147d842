// The conversation on values: no socket, no clock. The folder Dialogues has the commands, and the result of each mail.

import OutboxCore
import Testing

@testable import SMTPTransport

@Suite("A conversation")
struct DialogueTests {
    /// How the relay's octets reach the conversation.
    enum Delivery: CaseIterable, Sendable {
        /// Each read as written.
        case whole
        /// One octet at a time.
        case octetByOctet
    }

    @Test("follows the written dialogue", arguments: Dialogue.all, Delivery.allCases)
    func dialogue(dialogue: Dialogue, delivery: Delivery) throws {
        try play(dialogue) { octets in
            switch delivery {
            case .whole: [octets[...]]
            case .octetByOctet: octets.indices.map { octets[$0...$0] }
            }
        }
    }

    @Test("behaves the same wherever a read is split", arguments: Dialogue.all)
    func cut(dialogue: Dialogue) throws {
        let longest = dialogue.steps.map { if case .relay(let octets) = $0 { octets.count } else { 0 } }.max() ?? 0
        for position in 0..<longest {
            try play(dialogue) { octets in
                let middle = min(position, octets.count)
                return [octets[..<middle], octets[middle...]]
            }
        }
    }

    @Test("there are dialogues")
    func count() {
        #expect(Dialogue.all.count > 50)
        #expect(Set(Dialogue.all.map(\.name)).count == Dialogue.all.count)
    }

    @Test("content goes out in pieces, dots at line starts doubled wherever a piece ends")
    func pieces() {
        let piece = StuffedContent.pieceSize
        for shift in 0...4 {
            // Puts line starts with a dot around each end of a piece.
            var content: [UInt8] = []
            while content.count < 3 * piece {
                let left = piece - (content.count + shift) % piece
                content += Array(repeating: 0x78, count: max(0, left - 2)) + [0x0D, 0x0A, 0x2E, 0x2E, 0x0D, 0x0A, 0x2E]
            }
            content += [0x0D, 0x0A]
            var expected: [UInt8] = []
            for (index, octet) in content.enumerated() {
                let isLineStart = index == 0 || index >= 2 && content[index - 2..<index] == [0x0D, 0x0A]
                if octet == 0x2E, isLineStart { expected.append(0x2E) }
                expected.append(octet)
            }
            var stuffed = StuffedContent(content)
            var pieces: [[UInt8]] = []
            while !stuffed.isAtEnd { pieces.append(stuffed.next()) }
            #expect(pieces.count > 3)
            #expect(Array(pieces.joined()) == expected + Array(".\r\n".utf8))
        }
    }

    @Test(
        "content that doesn't end its last line, or is empty, gets no line too many",
        arguments: [("", ".\r\n"), ("x", "x\r\n.\r\n"), ("x\r\n", "x\r\n.\r\n"), (".", "..\r\n.\r\n")]
    )
    func lastLine(content: String, expected: String) {
        var stuffed = StuffedContent(Array(content.utf8))
        #expect(String(decoding: stuffed.next(), as: UTF8.self) == expected)
        #expect(stuffed.isAtEnd)
    }

    @Test("between two pieces only a refusal ends the mail", arguments: [250, 354, 421, 552])
    func replyWithinContent(code: Int) throws {
        var conversation = SMTPConversation(
            extensions: OfferedExtensions(),
            limit: Self.limit
        )
        let content = Array(repeating: UInt8(0x78), count: 2 * StuffedContent.pieceSize)
        conversation.begin(OutgoingMail(envelopeSender: "a@example.com", recipient: "b@example.com", content: content))
        func say() throws {
            let output = conversation.nextOutput(at: Self.start)
            conversation.wrote(try #require(output).count, at: Self.start)
        }
        for reply in ["250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            try say()
            conversation.receives(Array(reply.utf8), at: Self.start)
        }
        conversation.permit(true)
        try say()
        #expect(!conversation.hasHandedOver && conversation.deadline == Self.start + .seconds(90))
        conversation.receives(Array("\(code) words\r\n".utf8), at: Self.start)
        let ending = try #require(conversation.ending)
        #expect(ending.words == (code < 400 ? "failed body outOfStep, anew" : "refused body \(code) words, closes"))
    }

    @Test("a reply answers a command of a group once that command is written, and none before", arguments: [0, 1])
    func replyWithinGroup(missing: Int) throws {
        var conversation = SMTPConversation(
            extensions: OfferedExtensions(answer: ["250-relay.example", "250 PIPELINING"]),
            limit: Self.limit
        )
        conversation.begin(OutgoingMail(envelopeSender: "a@b.example", recipient: "c@d.example", content: []))
        let output = conversation.nextOutput(at: Self.start)
        let group = try #require(output)
        #expect(String(decoding: group, as: UTF8.self).hasSuffix("RCPT TO:<c@d.example>\r\nDATA\r\n"))
        let toRecipient = group.count - "DATA\r\n".utf8.count
        conversation.wrote(toRecipient - missing, at: Self.start)
        #expect(!conversation.awaitsReply)
        conversation.receives(Array("250 ok\r\n250 ok\r\n".utf8), at: Self.start + .seconds(1))
        guard missing == 0 else {
            #expect(conversation.ending?.words == "failed rcpt outOfStep, anew, distrusts")
            return
        }
        #expect(conversation.ending == nil && conversation.deadline == Self.start + .seconds(81))
        conversation.wrote("DATA\r\n".utf8.count, at: Self.start + .seconds(2))
        #expect(conversation.awaitsReply && !conversation.awaitsRecipient)
        conversation.receives(Array("354 go\r\n".utf8), at: Self.start + .seconds(3))
        #expect(conversation.asksForPermission && !conversation.hasHandedOver)
    }

    @Test("the reply to MAIL may take as long as that to RCPT in the same group, because a relay may hold it back")
    func timeOfReplies() throws {
        var conversation = SMTPConversation(
            extensions: OfferedExtensions(answer: ["250-relay.example", "250 PIPELINING"]),
            limit: Self.limit
        )
        conversation.begin(OutgoingMail(envelopeSender: "a@b.example", recipient: "c@d.example", content: []))
        let output = conversation.nextOutput(at: Self.start)
        conversation.wrote(try #require(output).count, at: Self.start)
        #expect(conversation.awaitsRecipient && conversation.deadline == Self.start + .seconds(70))
        conversation.receives(Array("250 ok\r\n".utf8), at: Self.start + .seconds(50))
        #expect(conversation.awaitsRecipient && conversation.deadline == Self.start + .seconds(120))
        conversation.receives(Array("550 no\r\n".utf8), at: Self.start + .seconds(100))
        // After the refusal only a moment more.
        #expect(!conversation.awaitsRecipient && conversation.deadline == Self.start + .seconds(120))
    }

    @Test("a relay that may lose commands is taken in lockstep for a time that doubles, and one out of step for ever")
    func trust() {
        var trust = PipeliningTrust()
        var now = Self.start
        #expect(trust.isTrusted(at: now))
        for minutes in [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440] {
            trust.note(.missingReply, at: now)
            trust.note(.missingReply, at: now + .seconds(60))
            now += .seconds(minutes * 60)
            #expect(!trust.isTrusted(at: now - .seconds(1)) && trust.isTrusted(at: now))
        }
        // A relay that has answered a whole group loses no commands.
        trust.note(.wholeGroup, at: now)
        trust.note(.missingReply, at: now)
        trust.note(.none, at: now)
        #expect(trust.isTrusted(at: now))
        trust.note(.outOfStep, at: now)
        trust.note(.wholeGroup, at: now)
        #expect(!trust.isTrusted(at: now + .seconds(1_000_000)))
    }

    private static let start = ContinuousClock.now

    /// A limit of its own for each stage.
    private static func limit(_ stage: SMTPStage) -> Duration {
        switch stage {
        case .rcpt: .seconds(70)
        case .data: .seconds(80)
        case .body: .seconds(90)
        case .finalDot: .seconds(600)
        case .compose, .connect, .tls, .ehlo, .startTLS, .auth, .mail: .seconds(60)
        }
    }

    private func play(_ dialogue: Dialogue, cut: ([UInt8]) -> [ArraySlice<UInt8>]) throws {
        let answer = ["250-relay.example"] + dialogue.offers.map { "250-\($0)" } + ["250 HELP"]
        var conversation = SMTPConversation(
            extensions: OfferedExtensions(answer: answer),
            limit: Self.limit
        )
        var unread: [UInt8] = []
        let now = Self.start
        for step in dialogue.steps {
            switch step {
            case .mail(let from, let to, let envelopeID, let reports, let content):
                var mail = OutgoingMail(envelopeSender: from, recipient: to, content: content, envelopeID: envelopeID)
                mail.requestedReports = try #require(RequestedReports(rawValue: reports))
                conversation.begin(mail)
            case .client(let line):
                // Written in pieces, because the result must not depend on how much the kernel takes at once.
                while let output = conversation.nextOutput(at: now) {
                    unread += output
                    for _ in output { conversation.wrote(1, at: now) }
                }
                if line == [0x0D, 0x0A], unread.isEmpty { break }
                try #require(
                    unread.starts(with: line),
                    "wrote \(String(decoding: unread, as: UTF8.self).debugDescription)"
                )
                unread.removeFirst(line.count)
            case .relay(let octets):
                #expect(unread.isEmpty, "unread: \(String(decoding: unread, as: UTF8.self))")
                for piece in cut(octets) { conversation.receives(piece, at: now) }
            case .permit(let isPermitted):
                try #require(conversation.asksForPermission)
                conversation.permit(isPermitted)
            case .closes:
                conversation.losesConnection("closed")
            case .late:
                let limit = try #require(conversation.deadline) - now
                #expect(conversation.hasHandedOver ? limit == .seconds(600) : limit < .seconds(100))
                conversation.timesOut()
            case .abort:
                conversation.interrupt()
            case .result(let expected):
                let ending = try #require(conversation.ending)
                #expect(ending.words == expected)
                #expect(conversation.nextOutput(at: now) == nil && conversation.deadline == nil)
            }
        }
        #expect(unread.isEmpty)
    }
}

extension SMTPConversation.Ending {
    fileprivate var words: String {
        var parts: [String]
        switch result {
        case .accepted(let reply): parts = ["accepted \(reply)"]
        case .withheld: parts = ["withheld"]
        case .failed(let failure):
            if case .reply(let reply) = failure.cause {
                parts = ["refused \(failure.stage.rawValue) \(reply)"]
            } else {
                parts = ["failed \(failure.stage.rawValue) \(failure.cause.kind)"]
            }
            if failure.isUncertain { parts.append("uncertain") }
        }
        parts.append(isForNewConnection ? "anew" : keepsConnection ? "keeps" : "closes")
        switch pipelining {
        case .none, .wholeGroup: break
        case .missingReply: parts.append("doubts")
        case .outOfStep: parts.append("distrusts")
        }
        return parts.joined(separator: ", ")
    }
}
