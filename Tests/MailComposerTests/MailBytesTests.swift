// The bytes of a mail: headers, encodings, and reproducibility.

import Foundation
import MailComposer
import OutboxCore
import Testing

@Suite struct MailBytesTests {
    private func header(of mail: Mail) throws -> String {
        let text = String(decoding: mail.bytes, as: UTF8.self)
        return String(text[..<(try #require(text.range(of: "\r\n\r\n")).lowerBound)])
    }

    @Test("a mail's header is these fields in this order")
    func headerFields() throws {
        let mail = try Fixtures.shipped().compose(Fixtures.message())
        #expect(
            try header(of: mail) == """
                Date: Mon, 23 Nov 2026 14:00:00 +0000\r
                From: "Trend Cloud One" <no-reply@cloudone.example>\r
                MIME-Version: 1.0\r
                Auto-Submitted: auto-generated\r
                X-Auto-Response-Suppress: All\r
                To: jane@example.com\r
                Message-ID: <0f8fad5bd9cb469fa16570867728950e@cloudone.example>\r
                X-Entity-Ref-ID: 0f8fad5bd9cb469f\r
                Subject: Verify your email address\r
                Content-Language: en\r
                Content-Type: multipart/alternative;\r
                 boundary="=_0f8fad5bd9cb469fa16570867728950e"
                """
        )
        #expect(mail.messageID == "<0f8fad5bd9cb469fa16570867728950e@cloudone.example>")
        #expect(mail.recipient == "jane@example.com")
        #expect(!mail.needsSMTPUTF8)
    }

    @Test(
        "a subject of any length and script is read back as it was written",
        arguments: [
            "Plain",
            "Plain but long enough to be folded: the quick brown fox jumps over the lazy dog and then some more",
            "Two spaces, twice over, in a subject that is much too long to stand on only one line of the header",
            String(repeating: "w", count: 200), "=?utf-8?q?not_an_encoded_word?=", "ends with =?",
            "Grüße aus München und ein ziemlich langer Betreff, der mehr als eine Zeile braucht, damit gefaltet wird",
            String(repeating: "漢字かな交じり文", count: 20), String(repeating: "🚀", count: 50), "a🚀", "Zoë's \"quotes\" <>&",
        ]
    )
    func subjects(subject: String) throws {
        let composer = try Fixtures.composer(subject: "{{s}}\n", sample: #"{"s": "x"}"#)
        let variables = String(decoding: try JSONEncoder().encode(["s": subject]), as: UTF8.self)
        let mail = try composer.compose(Fixtures.message(kind: "k", variables: variables))
        let read = try PythonReader.read(mail)
        #expect(read.defects == [])
        #expect(mail.subject == subject)
        #expect(read.subject == subject)
        #expect(read.longestHeaderLine <= 78)
        #expect(read.longEncodedWords == 0)
        // Each encoded-word contains whole characters (RFC 2047 §5): decoded separately, none is damaged.
        let words = try header(of: mail).matches(of: /=\?utf-8\?B\?([^?]*)\?=/)
        #expect(
            words.allSatisfy { word in
                Data(base64Encoded: String(word.output.1)).flatMap { String(data: $0, encoding: .utf8) } != nil
            }
        )
    }

    @Test(
        "no variable brings a line of its own into the header: its line breaks become spaces, its control characters go",
        arguments: [
            (#"x\r\nBcc: victim@example.com"#, "x Bcc: victim @ example. com"),
            (#"x\nBcc: victim@example.com"#, "x Bcc: victim @ example. com"), (#"x\u0000y"#, "xy"), (#"x\ty"#, "x y"),
            (#"x\u2028y"#, "x y"), (#"x\u2029y"#, "x y"), (#"x\u0085y"#, "x y"), (#"x\u007fy"#, "xy"), (#"x\n"#, "x"),
            (#"\r\n\r\nbody"#, "body"), (#"\u001b[31mred"#, "[31mred"), (#"漢\n字"#, "漢 字"),
            (#"e\r\u0301x"#, "e \u{301}x"),
        ]
    )
    func headerInjection(value: String, line: String) throws {
        for (template, subject) in [("About {{s}}!\n", "About \(line)!"), ("a{{s}}b", "a\(line)b")] {
            let composer = try Fixtures.composer(subject: template, text: "{{s}}\n", sample: #"{"s": "x"}"#)
            let mail = try composer.compose(Fixtures.message(kind: "k", variables: #"{"s": "\#(value)"}"#))
            #expect(mail.subject.unicodeScalars.elementsEqual(subject.unicodeScalars))
            let read = try PythonReader.read(mail)
            #expect(read.defects == [])
            #expect(read.subject == subject)
            #expect(read.headerNames.contains("Bcc") == false)
        }
    }

    @Test("a template of a subject that is not one line is refused at start")
    func subjectOfTwoLines() throws {
        #expect(throws: TemplateLoadingError.self) { try Fixtures.composer(subject: "Hello\nthere\n") }
    }

    @Test(
        "the date is that of the first attempt, the request's stands in the text, and each message has a name of its own"
    )
    func dateOfFirstAttempt() throws {
        let composer = try Fixtures.shipped()
        func message(_ id: String, sentAfter delay: Duration?) -> Message {
            Message(
                id: 1,
                kind: "verify-email",
                recipient: "jane@example.com",
                token: Token("tok-1"),
                envelopeID: id,
                requestedAt: Fixtures.requestedAt,
                firstAttemptAt: delay.map { Fixtures.requestedAt + $0 }
            )
        }
        let late = try composer.compose(message("0192f0f2d2e8aaaabbbbccccddddeeee", sentAfter: .seconds(90)))
        let read = try PythonReader.read(late)
        #expect(read.date == "2026-11-23T14:01:30+00:00")
        for body in [read.text, read.htmlText] { #expect(body.contains("Requested 14:00 UTC")) }
        // The field must not contain the whole id, because reports are matched by it.
        #expect(try header(of: late).contains("\r\nX-Entity-Ref-ID: 0192f0f2d2e8aaaa\r\n"))
        #expect(
            try PythonReader.read(composer.compose(message("a", sentAfter: nil))).date == "2026-11-23T14:00:00+00:00"
        )
        let ids = try ["0192f0f2d2e8aaaabbbb", "0192f0f2d2e9aaaabbbb", "0192f0f2d2e8aaabbbbb"].map { id in
            try header(of: composer.compose(message(id, sentAfter: nil))).split(separator: "\r\n")
                .first { $0.hasPrefix("X-Entity-Ref-ID: ") }
        }
        #expect(Set(ids).count == 3)
    }

    @Test("a subject that variables leave empty is an error")
    func emptySubject() throws {
        let composer = try Fixtures.composer(subject: "{{s}}\n", sample: #"{"s": "x"}"#)
        let error = #expect(throws: CompositionError.self) {
            try composer.compose(Fixtures.message(kind: "k", variables: #"{"s": " "}"#))
        }
        guard case .emptySubject? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(
        "a recipient that is not one mailbox is refused without being repeated",
        arguments: [
            "", "nobody", "@example.com", "secret-name@", "secret-name, b@example.com", "secret-name b@example.com",
            "secret-name@example.com\r\nBcc: x@y.example", "secret-name@exa mple.com", "secret-name@-x.example",
            "secret-name@x..example",
            "<secret-name@example.com>", "secret-name@example.com.", "\"secret-name\"x\"@example.com",
            "secret-name\u{202E}@example.com",
            "secret-name\u{3042}\n@example.com", "secret-name@[1 2]", "secret-name@[192.0.2.1]",
            "\"secret name\"@example.com", "secret-name@例 え.jp",
            "secret-name@\u{2025}.example", "secret-name@127.0.0.1", "secret-name@example.123", "secret-name@１.２.３.４",
            "secret-name@\(String(repeating: "x", count: 64)).example",
            "secret-name@\(String(repeating: "é", count: 60)).example",
            "secret-name@bü_cher.example", "secret-name@ex\u{FF20}ample.com", "secret-name@例え.jp\u{3002}",
            "secret-name@\(String(repeating: "long-label.", count: 23))example", "secret-name@\u{378}.example",
            "secret-name\u{378}@example.com", "secret-name\u{200B}@example.com", "secret-name\u{E000}@example.com",
            "secret-name\u{FE0F}@example.com", "secret-name\u{3164}@example.com", "secret-name\u{2800}@example.com",
            "secret-name\u{FFFD}@example.com", "secret-name@example.com\u{FFFD}", "secret-name\u{A0}@example.com",
            "secret-name\u{3000}@example.com", "secret-name@例\u{200D}え.jp", "secret-name@👨\u{200D}👩.example",
        ]
    )
    func badRecipients(recipient: String) throws {
        let composer = try Fixtures.composer()
        let error = #expect(throws: CompositionError.self) {
            try composer.compose(Fixtures.message(kind: "k", recipient: recipient))
        }
        guard case .invalidRecipient? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!"\(error.debugDescription)".contains("secret-name"))
    }

    @Test(
        "a recipient takes the form that headers and SMTP need",
        arguments: [
            ("jane@example.com", "jane@example.com", false),
            ("jane@BÜCHER.example", "jane@xn--bcher-kva.example", false),
            ("jane@例え.jp", "jane@xn--r8jz45g.jp", false), ("用户@例え.jp", "用户@xn--r8jz45g.jp", true),
            ("jane@i❤️.example", "jane@xn--i-7iq.example", false),
            ("jane@faß.example", "jane@xn--fa-hia.example", false),
            // A virama before it makes the joiner visible (RFC 5892 appendix A.2).
            ("jane@ශ්\u{200D}රී.example", "jane@xn--10cl1a0b660p.example", false),
            ("jane@bücher\u{3002}example", "jane@xn--bcher-kva.example", false),
            ("50%off&more@example.com", "50%off&more@example.com", false), ("利用者@example.jp", "利用者@example.jp", true),
            ("jane..doe.@carrier.example", "\"jane..doe.\"@carrier.example", false),
            ("o'hara+x@example.com", "o'hara+x@example.com", false),
        ]
    )
    func recipients(recipient: String, expected: String, needsSMTPUTF8: Bool) throws {
        let mail = try Fixtures.composer().compose(Fixtures.message(kind: "k", recipient: recipient))
        #expect(mail.recipient == expected)
        #expect(mail.needsSMTPUTF8 == needsSMTPUTF8)
        #expect(try header(of: mail).contains("\r\nTo: \(expected)\r\n"))
    }

    @Test(
        "an envelope id that would leave its quotes is refused",
        arguments: ["", "a\"b", "a>b", "a b", "a..b", String(repeating: "a", count: 65)]
    )
    func envelopeIDs(id: String) throws {
        let composer = try Fixtures.composer()
        #expect(throws: CompositionError.invalidEnvelopeID) {
            try composer.compose(Fixtures.message(kind: "k", envelopeID: id))
        }
    }

    @Test(
        "a body of any content is read back as it was written, in lines of 76 characters",
        arguments: [
            "", "\n", " ", "\t\n", "a \n", "a\t\n \n", "=", "==\n=3D\n", String(repeating: "x", count: 75) + "\n",
            String(repeating: "x", count: 76) + "\n", String(repeating: "x", count: 77) + "\n",
            String(repeating: " ", count: 500) + "\n",
            String(repeating: "x", count: 74) + " \n", String(repeating: "x", count: 75) + " \n",
            String(repeating: "=", count: 400),
            String(repeating: "x", count: 75) + "From here", "From x\nFrom\nFrom y", String(repeating: "é", count: 300),
            String(repeating: "漢", count: 300) + "\n", String(repeating: "long ", count: 300) + "🚀",
            "\u{0}\u{7}\u{7F}\n",
        ]
    )
    func bodies(text: String) throws {
        let mail = try Fixtures.composer(text: text).compose(Fixtures.message(kind: "k"))
        let read = try PythonReader.read(mail)
        #expect(read.defects == [])
        #expect(read.text == text)
        #expect(read.longestBodyLine <= 76)
        #expect(read.trailingSpaces == 0)
        #expect(read.fromLines == 0)
        #expect(read.bareLineEnds == 0)
    }

    @Test("a body takes the shorter of the two encodings")
    func shorterEncoding() throws {
        let composer = try Fixtures.shipped()
        let english = try PythonReader.read(composer.compose(Fixtures.message(locale: "en")))
        let japanese = try PythonReader.read(composer.compose(Fixtures.message(locale: "ja")))
        #expect(english.encodings == ["quoted-printable", "quoted-printable"])
        #expect(japanese.encodings == ["base64", "base64"] || japanese.encodings == ["base64", "quoted-printable"])
    }

    @Test("the same message gives the same bytes, from every composer")
    func determinism() throws {
        var variables = (0..<40).map { "\"key\($0)\": \($0)" }.joined(separator: ", ")
        variables = "{\(variables)}"
        let message = Fixtures.message(locale: "ja", variables: variables)
        let first = try Fixtures.shipped().compose(message)
        for _ in 0..<5 { #expect(try Fixtures.shipped().compose(message) == first) }
    }

    /// Dictionaries have another order in each process, so this value would soon differ if an order leaked.
    @Test("the bytes are the same in every process")
    func determinismAcrossProcesses() throws {
        let folder = try TemporaryFolder()
        try folder.writeTemplates("k/en", text: "{{a}}{{b}}{{#list}}{{x}}{{/list}}\n", html: "<p>{{b}}</p>\n")
        let variables = #"{"a": 1, "b": "é", "list": [{"x": true}]}"#
        try folder.write("k/sample.json", Fixtures.samples(variables))
        let mail = try folder.composer().compose(Fixtures.message(kind: "k", variables: variables))
        #expect(
            String(decoding: mail.bytes, as: UTF8.self).hasSuffix(
                """
                \r\n\r
                --=_0f8fad5bd9cb469fa16570867728950e\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Transfer-Encoding: base64\r
                \r
                McOpdHJ1ZQ0K\r
                --=_0f8fad5bd9cb469fa16570867728950e\r
                Content-Type: text/html; charset=utf-8\r
                Content-Transfer-Encoding: quoted-printable\r
                \r
                <p>=C3=A9</p>\r
                \r
                --=_0f8fad5bd9cb469fa16570867728950e--\r

                """
            )
        )
    }

    @Test(
        "the dates of a header are right from 1970 to the next centuries",
        arguments: [
            0, 951_782_399_000, 951_782_400_000, 951_868_800_000, 1_709_164_800_000, 1_795_442_400_999,
            4_107_542_400_000,
            253_402_300_799_000,
        ]
    )
    func dates(milliseconds: Int64) throws {
        let message = Message(
            id: 1,
            kind: "k",
            recipient: "a@b.example",
            token: Token("t"),
            envelopeID: "e",
            requestedAt: Timestamp(milliseconds: milliseconds)
        )
        let mail = try Fixtures.composer().compose(message)
        let seconds = Date(timeIntervalSince1970: Double(milliseconds / 1000))
        #expect(try PythonReader.read(mail).date == seconds.formatted(.iso8601).replacing("Z", with: "+00:00"))
    }

    @Test("no error shows the token or the value of a variable")
    func errorsAreDiscreet() throws {
        let canary = "CANARY-5f2d"
        let variables = #"{"s": "CANARY-5f2d\n", "o": {"CANARY-5f2d": 1}, "blank": "\n"}"#
        let composer = try Fixtures.composer(text: "{{^o}}{{gone}}{{/o}}", sample: #"{"gone": 1, "s": "x"}"#)
        let subject = try Fixtures.composer(subject: "{{blank}}\n", sample: #"{"blank": "x"}"#)
        let printing = try Fixtures.composer(text: "{{o}}", sample: #"{"o": "x"}"#)
        let failures = [
            (composer, Fixtures.message(kind: "k", token: canary, variables: "{}")),
            (composer, Fixtures.message(kind: "k", token: canary, variables: canary)),
            (composer, Fixtures.message(kind: "k", recipient: canary, token: canary)),
            (composer, Fixtures.message(kind: "k", token: canary, envelopeID: canary + "\"")),
            (composer, Fixtures.message(kind: "other", token: canary)),
            (subject, Fixtures.message(kind: "k", token: canary, variables: variables)),
            (printing, Fixtures.message(kind: "k", token: canary, variables: variables)),
        ]
        for (composer, message) in failures {
            let error = #expect(throws: CompositionError.self) { try composer.compose(message) }
            let found = try #require(error)
            var dumped = ""
            dump(found, to: &dumped)
            for text in ["\(found)", String(reflecting: found), found.localizedDescription, dumped] {
                #expect(!text.contains(canary))
            }
        }
    }
}
