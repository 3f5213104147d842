// Answers of any octets, any code, any EHLO list, and offered mechanisms that fail.

import FakeSMTP
import TestSupport
import Testing

@Suite("Scripted octets and lists", .timeLimit(.minutes(10)))
struct RawReplyTests {
    @Test("octets are sent as they are, and the first complete reply says whether the command is carried out")
    func octets() async throws {
        let faults: [Fault] = [
            #"mail: raw "\r\n250-a\r\n\r\n252 b\r\n550 no\r\n" for yes@example.com"#,
            #"mail: raw "550 no\r\n250 ok\r\n" for no@example.com"#, #"mail: raw "25" for half@example.com"#,
        ]
        try await FakeSMTPServer.with(faults: faults) { server in
            let client = try await RawClient.greeted(by: server)
            try await client.send("MAIL FROM:<half@example.com>\r\nMAIL FROM:<no@example.com>\r\n")
            #expect(try await client.line() == "25550 no")
            #expect(try await client.line() == "250 ok")
            try await client.send("MAIL FROM:<yes@example.com>\r\n")
            for line in ["", "250-a", "", "252 b", "550 no"] { #expect(try await client.line() == line) }
            #expect(try await client.say("RCPT TO:<ann@example.com>").hasPrefix("250"))
        }
    }

    @Test("a mail is accepted if the scripted answer to it is positive", arguments: [("251 ok", 1), ("451 no", 0)])
    func acceptance(reply: String, count: Int) async throws {
        try await FakeSMTPServer.with(faults: [try Fault(parsing: #"finalDot: raw "\#(reply)\r\n""#)]) { server in
            let client = try await RawClient.greeted(by: server)
            for command in ["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA"] {
                _ = try await client.say(command)
            }
            #expect(try await client.say("x\r\n.") == reply)
            #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("250"))
            #expect(server.ledger.acceptedCount == count)
        }
    }

    @Test("octets can come in the middle of a mail, and the mail goes on")
    func inBody() async throws {
        try await FakeSMTPServer.with(faults: [#"body: raw "250 early\r\n""#]) { server in
            let client = try await RawClient.greeted(by: server)
            for command in ["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA"] {
                _ = try await client.say(command)
            }
            #expect(try await client.say("x") == "250 early")
            #expect(try await client.say(".").hasPrefix("250 2.0.0"))
            #expect(server.ledger.acceptedCount == 1)
        }
    }

    @Test("a connection can end right after the octets", arguments: Fault.End.allCases)
    func ending(end: Fault.End) async throws {
        let fault = try Fault(at: .rcpt, .raw(Array("550 no\r\n".utf8), then: end))
        try await FakeSMTPServer.with(faults: [fault]) { server in
            let client = try await RawClient.greeted(by: server)
            _ = try await client.say("MAIL FROM:<a@example.com>")
            #expect(try await client.say("RCPT TO:<b@example.com>") == "550 no")
            switch end {
            case .drop: #expect(try await client.rest() == [])
            case .reset: await #expect(throws: (any Error).self) { try await client.rest() }
            }
        }
    }

    @Test("a list of extensions replaces the usual one, but not the accepted commands")
    func list() async throws {
        var options = FakeSMTPServer.Options()
        options.ehloLines = ["SIZE 5", "X-ANYTHING AT ALL"]
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.connect(to: server)
            _ = try await client.reply()
            let answer = try await client.say("EHLO client.example")
            #expect(answer == "250-fake-smtp.localhost\n250-SIZE 5\n250 X-ANYTHING AT ALL")
            #expect(try await client.say("MAIL FROM:<a@example.com> SIZE=100 SMTPUTF8").hasPrefix("250"))
        }
    }

    @Test("mechanisms are offered in the order given, and some always fail")
    func mechanisms() async throws {
        var options = FakeSMTPServer.Options(credentials: ["ann": "secret"])
        options.mechanisms = [.gssapi, .ntlm, .digestMD5, .plain]
        options.failingMechanisms = [.plain]
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.connect(to: server)
            _ = try await client.reply()
            #expect(try await client.say("EHLO client.example").contains("AUTH GSSAPI NTLM DIGEST-MD5 PLAIN"))
            #expect(try await client.say("AUTH LOGIN").hasPrefix("504"))
            for mechanism in ["GSSAPI", "NTLM", "DIGEST-MD5"] {
                #expect(try await client.say("AUTH \(mechanism)").hasPrefix("334"))
                #expect(try await client.say("YQ==").hasPrefix("535"))
            }
            #expect(try await client.say("AUTH PLAIN AGFubgBzZWNyZXQ=").hasPrefix("535"))
        }
    }

    @Test(
        "CRAM-MD5 checks the password, as Python's smtplib answers it",
        arguments: [("secret", "235"), ("other", "535")]
    )
    func cramMD5(password: String, code: String) async throws {
        var options = FakeSMTPServer.Options(credentials: ["ann": "secret"])
        options.mechanisms = [.cramMD5]
        try await FakeSMTPServer.with(options) { server in
            let script = """
                import smtplib, sys
                client = smtplib.SMTP('127.0.0.1', int(sys.argv[1]))
                try: print(client.login('ann', sys.argv[2])[0])
                except smtplib.SMTPAuthenticationError as error: print(error.smtp_code)
                client.quit()
                """
            let result = try await Program.python(script, [String(server.port), password])
            #expect(result.output == "\(code)\n", "\(result.errors)")
        }
    }
}
