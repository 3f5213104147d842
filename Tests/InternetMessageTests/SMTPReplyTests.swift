// Replies as real relays send them.

import InternetMessage
import Testing

@Suite struct SMTPReplyTests {
    @Test("a reply is split into code, enhanced status and text")
    func parts() throws {
        let reply = try #require(SMTPReply(lines: ["450 4.2.1 Mailbox busy, try again\r\n"]))
        #expect(reply.code == 450)
        #expect(reply.enhancedStatus == EnhancedStatusCode(4, 2, 1))
        #expect(reply.text == "Mailbox busy, try again")
        #expect(reply.description == "450 4.2.1 Mailbox busy, try again")
    }

    @Test("the lines of a reply become one text, with the status code once")
    func severalLines() throws {
        let reply = try #require(
            SMTPReply(lines: ["550-5.7.1 Refused, see", "550-5.7.1 https://example.com/why", "550 5.7.1 for help"])
        )
        #expect(reply.description == "550 5.7.1 Refused, see https://example.com/why for help")
    }

    @Test(
        "a reply without an enhanced status code has none",
        arguments: [
            "250 OK", "354 End data with <CR><LF>.<CR><LF>", "250 1.2 is no status", "250 9.1.1 nor this", "250",
        ]
    )
    func noStatus(line: String) throws {
        let reply = try #require(SMTPReply(lines: [line]))
        #expect(reply.enhancedStatus == nil)
    }

    @Test("text that is not a reply is refused", arguments: [[], ["hello"], ["25"], ["650 x"], ["-50 x"]])
    func garbled(lines: [String]) {
        #expect(SMTPReply(lines: lines) == nil)
    }

    @Test("an endless text is cut")
    func longText() throws {
        let reply = try #require(SMTPReply(lines: ["550 " + String(repeating: "x", count: 5000)]))
        #expect(reply.text.count == SMTPReply.textLimit)
    }

    @Test(
        "the queue id is found in the words of common mail systems",
        arguments: [
            ("250 2.0.0 Ok: queued as 4F1B2C0D3E", "4F1B2C0D3E"),
            ("250 OK id=1rXyZa-0004Bc-2D", "1rXyZa-0004Bc-2D"),
            ("250 2.6.0 Message queued as <A1B2>", "A1B2"),
            (
                "250 Ok 0100018b0e7a1c5d-8e0b6d4e-29a0-4501-a68a-3ff8695254bb-000000",
                "0100018b0e7a1c5d-8e0b6d4e-29a0-4501-a68a-3ff8695254bb-000000"
            ), ("250 Ok thanks", nil),
            ("250 Ok 0100018c-1f2e-000000", "0100018c-1f2e-000000"),
            ("250 2.0.0 Ok", nil),
        ]
    )
    func queueID(line: String, expected: String?) throws {
        #expect(try #require(SMTPReply(lines: [line])).queueID == expected)
    }

    @Test(
        "an enhanced status code is read by the grammar of RFC 3463",
        arguments: [
            ("4.2.1", true), ("5.7.509", true), ("2.0.0", true), ("3.1.1", false), ("5.1", false), ("5.1.1.1", false),
            ("5.1.1234", false), ("5.-1.1", false), ("5..1", false), ("٥.1.1", false), ("", false),
        ]
    )
    func grammar(text: String, isValid: Bool) {
        #expect((EnhancedStatusCode(text) != nil) == isValid)
    }
}
