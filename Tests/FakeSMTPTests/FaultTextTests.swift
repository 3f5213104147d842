// The text form of faults: accepted and rejected texts, and round trips.

import FakeSMTP
import Testing

@Suite("The text form of a fault")
struct FaultTextTests {
    @Test(
        "every text reads as the fault it describes",
        arguments: [
            (
                #"rcpt: reply 450 4.2.1 "Mailbox busy" first 1"#,
                try Fault(at: .rcpt, .reply(450, enhanced: "4.2.1", text: "Mailbox busy"), when: .first(1))
            ),
            ("finalDot: accept-drop nth 2", try Fault(at: .finalDot, .acceptDrop, when: .nth(2))),
            ("mail: delay 200ms odds 0.3", try Fault(at: .mail, .delay(.milliseconds(200)), when: .odds(0.3))),
            (
                "rcpt: reply 550 5.1.1 for bob@example.com",
                try Fault(at: .rcpt, .reply(550, enhanced: "5.1.1"), recipient: "bob@example.com")
            ),
            (
                "finaldot: REPLY 451 for a@b.example every 3",
                try Fault(at: .finalDot, .reply(451), when: .every(3), recipient: "a@b.example")
            ),
            ("  startTLS :break-tls always ", try Fault(at: .startTLS, .breakTLS)),
            ("body: delay 0.3s", try Fault(at: .body, .delay(.milliseconds(300)))),
            ("body: delay 2m", try Fault(at: .body, .delay(.seconds(120)))),
            (
                #"finalDot: raw "250-\r\n\r\n251 \x1B\"ok\\\r\n" then reset nth 1"#,
                try Fault(
                    at: .finalDot,
                    .raw(Array("250-\r\n\r\n251 \u{1B}\"ok\\\r\n".utf8), then: .reset),
                    when: .nth(1)
                )
            ),
            (
                #"mail: RAW "é\xff" for a@b.example"#,
                try Fault(at: .mail, .raw([0xC3, 0xA9, 0xFF]), recipient: "a@b.example")
            ),
            (#"ehlo: reply 250 "one\ntwo \"2\" \\""#, try Fault(at: .ehlo, .reply(250, text: "one\ntwo \"2\" \\"))),
        ]
    )
    func reads(text: String, fault: Fault) throws {
        #expect(try Fault(parsing: text) == fault)
    }

    @Test("what a description says is read back as an equal fault", arguments: FaultTextTests.everyLegalFault)
    func roundTrips(fault: Fault) throws {
        #expect(try Fault(parsing: fault.description) == fault)
    }

    @Test("a description is in the words of the help text")
    func description() throws {
        let fault = try Fault(
            at: .rcpt,
            .reply(450, enhanced: "4.2.1", text: "Mailbox busy"),
            when: .first(2),
            recipient: "bob@example.com"
        )
        #expect(fault.description == #"rcpt: reply 450 4.2.1 "Mailbox busy" first 2 for bob@example.com"#)
        #expect(try Fault(at: .mail, .delay(.milliseconds(1_500))).description == "mail: delay 1500ms")
        #expect(try Fault(at: .mail, .delay(.seconds(2))).description == "mail: delay 2s")
    }

    @Test(
        "an error names the part that is wrong and what was expected",
        arguments: [
            ("rcpt reply 450", "no colon after the stage", "STAGE: ACTION"),
            ("rctp: drop", "unknown stage 'rctp'", "connect, ehlo, startTLS"),
            ("rcpt: repyl 450", "unknown action 'repyl'", "reply, raw, drop, reset"),
            ("rcpt:", "the text ends too early", "reply, raw, drop, reset"),
            ("rcpt: reply", "the text ends too early", "a reply code such as 450"),
            ("rcpt: reply 45", "the reply code '45'", "three digits"),
            ("rcpt: reply +45", "the reply code '+45'", "three digits"),
            ("rcpt: reply 450 4.2", "enhanced status code 4.2", "4.2.1"),
            ("rcpt: reply 450 4.2.1000", "enhanced status code 4.2.1000", "4.2.1"),
            ("rcpt: reply 450 5.2.1", "enhanced status code 5.2.1 with reply 450", "4.2.1"),
            ("data: reply 354 3.0.0", "enhanced status code 3.0.0", "none with a 3xx reply"),
            (#"rcpt: reply 450 "busy"#, "no closing quote", "\"TEXT\""),
            (#"rcpt: reply 450 "a\tb""#, "the escape '\\t'", "\\n"),
            (#"rcpt: reply 450 """#, "text is empty", "printable text"),
            ("rcpt: reply 450 \"a\u{7}b\"", "control characters", "printable text"),
            (#"rcpt: "drop""#, "unexpected text \"drop\"", "reply, raw, drop"),
            (#"rcpt: drop "now""#, "unexpected text \"now\"", "always, nth N"),
            ("rcpt: delay", "the text ends too early", "200ms"),
            ("rcpt: delay 200", "the time '200'", "200ms"),
            ("rcpt: delay 0ms", "the time '0ms'", "whole milliseconds"),
            ("rcpt: delay 0.5ms", "the time '0.5ms'", "whole milliseconds"),
            ("rcpt: delay -1s", "the time '-1s'", "whole milliseconds"),
            ("rcpt: delay nans", "the time 'nans'", "whole milliseconds"),
            ("rcpt: delay 1441m", "the time '1441m'", "whole milliseconds"),
            ("rcpt: drop twice", "unexpected 'twice'", "always, nth N"),
            ("rcpt: drop nth", "the text ends too early", "a whole number"),
            ("rcpt: drop nth two", "the count 'two'", "a whole number"),
            ("rcpt: drop first 0", "the count 0", "a whole number from 1"),
            ("rcpt: drop odds often", "the odds 'often'", "0.3"),
            ("rcpt: drop odds 0", "odds of 0.0", "above 0"),
            ("rcpt: drop odds 1.1", "odds of 1.1", "at most 1"),
            ("rcpt: drop odds nan", "odds of nan", "at most 1"),
            ("rcpt: drop nth 1 first 2", "a second schedule 'first'", "at most one"),
            ("rcpt: drop for", "the text ends too early", "bob@example.com"),
            ("rcpt: drop for a@x for b@x", "a second 'for'", "one fault for each"),
            (
                "ehlo: drop for bob@example.com", "no address is known at stage ehlo",
                "mail, rcpt, data, body or finalDot"
            ),
            ("rcpt: reply 354", "reply code 354 at stage rcpt", "400 to 599 or from 200 to 299"),
            ("data: reply 250", "reply code 250 at stage data", "400 to 599 or 354"),
            ("rcpt: raw 250", "no octets after 'raw'", "in quotes"),
            (#"rcpt: raw ""#, "no closing quote", "\"TEXT\""),
            (#"rcpt: raw "\x1""#, "the escape '\\x1'", "two digits"),
            (#"rcpt: raw "\t""#, "the escape '\\t'", "\\xHH"),
            (#"rcpt: raw "a" then hang"#, "'hang' after 'then'", "drop or reset"),
            (#"rcpt: raw """#, "0 octets", "1 to"),
            ("rcpt: reply 600", "reply code 600", "400 to 599"),
            ("body: reply 451", "reply 451 in the middle of the body", "421"),
        ]
    )
    func refuses(text: String, problem: String, expected: String) {
        let error = #expect(throws: FaultError.self) { try Fault(parsing: text) }
        #expect(error?.problem.contains(problem) == true, "\(String(describing: error))")
        #expect(error?.expected.contains(expected) == true, "\(String(describing: error))")
        #expect(error?.description.contains(text) == true)
    }

    @Test("a delay that is not a whole number of milliseconds is refused, because it has no text form")
    func fractionalDelay() {
        #expect(throws: FaultError.self) { try Fault(at: .mail, .delay(.microseconds(1_500))) }
        #expect(throws: FaultError.self) { try Fault(at: .mail, .delay(.zero)) }
        #expect(throws: FaultError.self) { try Fault(at: .mail, .delay(.seconds(86_401))) }
    }

    /// Every combination of action, stage and schedule that the initialiser allows.
    static var everyLegalFault: [Fault] {
        let whens: [Fault.When] = [.always, .nth(3), .first(2), .every(7), .odds(0.3), .odds(1e-7), .odds(1.0 / 3)]
        var faults: [Fault] = []
        for stage in Fault.Stage.allCases {
            for kind in FaultKind.allCases where kind.fits(stage) {
                for when in whens {
                    for recipient in [nil, "ann@example.com"] {
                        do {
                            faults.append(
                                try Fault(at: stage, kind.action(at: stage), when: when, recipient: recipient)
                            )
                        } catch {
                            // Only a recipient at a stage that knows no addresses is rejected; FaultMatrixTests covers
                            // the rest.
                            precondition(recipient != nil, "\(error)")
                        }
                    }
                }
            }
        }
        return faults
    }
}
