// The dialogue over a raw socket: sequence, syntax, limits, pipelining, and protection against smuggling.

import FakeSMTP
import Testing

@Suite("The SMTP dialogue", .timeLimit(.minutes(10)))
struct DialogueTests {
    @Test("EHLO names the extensions, each on its line")
    func ehlo() async throws {
        try await FakeSMTPServer.with(.init(tls: .startTLS, credentials: ["ann": "secret"])) { server in
            let client = try await RawClient.connect(to: server)
            #expect(try await client.reply() == "220 fake-smtp.localhost ESMTP fake-smtp")
            #expect(
                try await client.say("EHLO client.example") == """
                    250-fake-smtp.localhost
                    250-PIPELINING
                    250-SIZE 10485760
                    250-8BITMIME
                    250-SMTPUTF8
                    250-DSN
                    250-STARTTLS
                    250-ENHANCEDSTATUSCODES
                    250 HELP
                    """
            )
            #expect(try await client.say("HELO client.example") == "250 fake-smtp.localhost")
        }
    }

    @Test("extensions that are not offered are neither advertised nor accepted", arguments: SMTPExtension.allCases)
    func withoutExtension(_ missing: SMTPExtension) async throws {
        var options = FakeSMTPServer.Options(tls: .startTLS, credentials: ["ann": "secret"])
        options.offersAuthenticationBeforeTLS = true
        options.mailMax = 9
        options.offers.remove(missing)
        let (line, command, code): (String, String, String) =
            switch missing {
            case .pipelining: ("PIPELINING", "NOOP", "250")
            // The number of mails counts even if it is not offered.
            case .limits: ("LIMITS", "NOOP", "250")
            case .size: ("SIZE", "MAIL FROM:<a@example.com> SIZE=1", "555 5.5.4")
            case .eightBitMIME: ("8BITMIME", "MAIL FROM:<a@example.com> BODY=8BITMIME", "555 5.5.4")
            case .smtpUTF8: ("SMTPUTF8", "MAIL FROM:<a@example.com> SMTPUTF8", "555 5.5.4")
            case .dsn: ("DSN", "MAIL FROM:<a@example.com> RET=HDRS", "555 5.5.4")
            case .startTLS: ("STARTTLS", "STARTTLS", "502 5.5.1")
            case .auth: ("AUTH", "AUTH PLAIN", "502 5.5.1")
            }
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.connect(to: server)
            _ = try await client.reply()
            let offer = try await client.say("EHLO client.example").split(separator: "\n").map { $0.dropFirst(4) }
            #expect(!offer.contains { $0.hasPrefix(line) })
            #expect(offer.count == SMTPExtension.allCases.count + 2)
            #expect(try await client.say(command).hasPrefix(code))
        }
    }

    @Test(
        "each value of a parameter of DSN has its answer",
        arguments: [
            ("RET=HDRS", "250"), ("RET=full", "250"), ("RET=BODY", "501 5.5.4"), ("RET", "501 5.5.4"),
            ("ENVID=QQ314159", "250"), ("ENVID=a+2Bb+3Dc", "250"), ("ENVID=a+2bb", "501"), ("ENVID=a+b", "501"),
            ("ENVID=X400-MTS-Identifier:+20[/PRMD+3dFirst]", "501"), ("ENVID=a:/;[]-b", "250"),
            ("ENVID=\(String(repeating: "1", count: 100)) RET=HDRS", "250"),
            ("ENVID=\(String(repeating: "1", count: 101))", "501"), ("ENVID=1 ENVID=1", "501"),
            ("NOTIFY=NEVER", "555 5.5.4"), ("ORCPT=rfc822;a@example.com", "555 5.5.4"), ("DSN=1", "555 5.5.4"),
        ]
    )
    func reportParametersOfMail(parameters: String, expected: String) async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            #expect(try await client.say("MAIL FROM:<a@example.com> \(parameters)").hasPrefix(expected))
        }
    }

    @Test(
        "each value of a recipient's parameter of DSN has its answer",
        arguments: [
            ("NOTIFY=NEVER", "250"), ("NOTIFY=FAILURE,DELAY", "250"), ("NOTIFY=success,failure,delay", "250"),
            ("NOTIFY=NEVER,DELAY", "501 5.5.4"), ("NOTIFY=FAILURE,FAILURE", "501"), ("NOTIFY=FAILURE,", "501"),
            ("NOTIFY=ALWAYS", "501"), ("NOTIFY=FAILURE NOTIFY=DELAY", "501"), ("RET=HDRS", "555 5.5.4"),
            ("ENVID=1", "555 5.5.4"), ("SIZE=1", "555 5.5.4"), ("ORCPT=rfc822;root", "250"),
            ("ORCPT=rfc822;ann+2Bnews@example.com", "250"), ("ORCPT=rfc822;ann+news@example.com", "501 5.5.4"),
            ("ORCPT=ann@example.com", "501"), ("ORCPT=rfc822;", "501"), ("ORCPT=;ann@example.com", "501"),
            ("ORCPT=rfc822;\(String(repeating: "a", count: 493))", "250"),
            ("ORCPT=rfc822;\(String(repeating: "a", count: 494))", "501"),
            (#"ORCPT=utf-8;\x{5C71}\x{7530}@example.com"#, "250"), (#"ORCPT=utf-8;\x{2B}\x{E9}@example.com"#, "250"),
            (#"ORCPT=utf-8;\x{5c71}@example.com"#, "501"), (#"ORCPT=utf-8;\x{41}@example.com"#, "501"),
            ("ORCPT=utf-8;a+2Bb@example.com", "501"), ("ORCPT=utf-8;山田@example.com", "501"),
        ]
    )
    func reportParametersOfRecipient(parameters: String, expected: String) async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            _ = try await client.say("MAIL FROM:<a@example.com>")
            #expect(try await client.say("RCPT TO:<b@example.com> \(parameters)").hasPrefix(expected))
            _ = try await client.say("RSET")
            _ = try await client.say("MAIL FROM:<a@example.com> SMTPUTF8")
            let isRaw = parameters.contains("山")
            #expect(try await client.say("RCPT TO:<b@example.com> \(parameters)").hasPrefix(isRaw ? "250" : expected))
        }
    }

    @Test("the ledger has the parameters of MAIL and of each accepted recipient")
    func recordedParameters() async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            for command in [
                "MAIL FROM:<a@example.com> RET=HDRS ENVID=QQ314159", "RCPT TO:<b@example.com> NOTIFY=NEVER",
                "RCPT TO:<c@example.com> NOTIFY=WRONG", "RCPT TO:<d@example.com>",
                "RCPT TO:<e@example.com> notify=DELAY ORCPT=rfc822;e+2B@example.com", "DATA",
            ] {
                _ = try await client.say(command)
            }
            #expect(try await client.say("Hi\r\n.").hasPrefix("250"))
            let mail = try #require(server.ledger.accepted.first)
            #expect(mail.parameters == ["RET": "HDRS", "ENVID": "QQ314159"])
            #expect(mail.recipients == ["b@example.com", "d@example.com", "e@example.com"])
            let expected = [["NOTIFY": "NEVER"], [:], ["NOTIFY": "DELAY", "ORCPT": "rfc822;e+2B@example.com"]]
            #expect(mail.recipientParameters == expected)
        }
    }

    @Test("a server without EHLO answers 502 and takes HELO")
    func heloOnly() async throws {
        var options = FakeSMTPServer.Options()
        options.understandsEHLO = false
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.connect(to: server)
            _ = try await client.reply()
            #expect(try await client.say("EHLO client.example").hasPrefix("502 5.5.1"))
            #expect(try await client.say("HELO client.example").hasPrefix("250"))
            #expect(try await client.say("MAIL FROM:<a@example.com> SIZE=1").hasPrefix("555 5.5.4"))
            #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("250"))
        }
    }

    @Test(
        "each command has its answer",
        arguments: [
            (["NOOP"], "250 2.0.0"), (["noop with text"], "250"), (["RSET"], "250"), (["RSET x"], "501"),
            (["HELP"], "214"), (["VRFY ann"], "252"), (["VRFY"], "501 5.5.4"), (["EXPN list"], "502 5.5.1"),
            (["QUIT"], "221 2.0.0"), (["QUIT now"], "501"), (["BDAT 3"], "500 5.5.2"), ([""], "500"),
            (["EHLO"], "501 5.5.4"), (["EHLO a b"], "501 5.5.4"), (["STARTTLS"], "502"), (["AUTH PLAIN"], "502"),
            (["MAIL FROM:<a@example.com>  "], "250 2.1.0"), (["mail from:<a@example.com>"], "250"),
            (["MAIL FROM:<>"], "250"), (["MAIL FROM:<@x.example,@y.example:a@example.com>"], "250"),
            (["MAIL FROM:<\"a b>c\\\"\"@example.com>"], "250"), (["MAIL FROM:<a@[127.0.0.1]>"], "250"),
            (["MAIL FROM: <a@example.com>"], "501"), (["MAIL FROM:a@example.com"], "501 5.1.7"),
            (["MAIL FROM:<a@example.com"], "501 5.1.7"), (["MAIL FROM:<a>"], "501 5.1.7"),
            (["MAIL FROM:<a@@example.com>"], "501 5.1.7"), (["MAIL FROM:<a..b@example.com>"], "501 5.1.7"),
            (["MAIL FROM:<a@-example.com>"], "501 5.1.7"), (["MAIL FROM:<a@example..com>"], "501 5.1.7"),
            (["MAIL FROM:<a b@example.com>"], "501 5.1.7"), (["MAIL TO:<a@example.com>"], "501 5.5.4"),
            (["MAIL FROM:<\(String(repeating: "a", count: 65))@example.com>"], "501 5.1.7"),
            (["MAIL FROM:<a@example.com> SIZE=10485760"], "250"),
            (["MAIL FROM:<a@example.com> SIZE=10485761"], "552 5.3.4"),
            (["MAIL FROM:<a@example.com> SIZE=99999999999999999999"], "552 5.3.4"),
            (["MAIL FROM:<a@example.com> SIZE=x"], "501 5.5.4"), (["MAIL FROM:<a@example.com> SIZE="], "501 5.5.4"),
            (["MAIL FROM:<a@example.com> SIZE=1 size=2"], "501 5.5.4"),
            (["MAIL FROM:<a@example.com> BODY=8bitmime"], "250"), (["MAIL FROM:<a@example.com> BODY=X"], "501 5.5.4"),
            (["MAIL FROM:<a@example.com> X-RET=FULL"], "555 5.5.4"), (["MAIL FROM:<a@example.com>SIZE=1"], "501"),
            (["MAIL FROM:<ä@example.com>"], "553 5.6.7"), (["MAIL FROM:<ä@example.com> SMTPUTF8"], "250"),
            (["RCPT TO:<a@example.com>"], "503 5.5.1"), (["DATA"], "503 5.5.1"), (["DATA now"], "501"),
            (["MAIL FROM:<a@example.com>", "MAIL FROM:<a@example.com>"], "503 5.5.1"),
            (["MAIL FROM:<a@example.com>", "DATA"], "554 5.5.1"),
            (["MAIL FROM:<a@example.com>", "RCPT TO:<>"], "501 5.1.3"),
            (["MAIL FROM:<a@example.com>", "RCPT TO:<Postmaster>"], "250 2.1.5"),
            (["MAIL FROM:<a@example.com>", "RCPT TO:<b@ä.example>"], "553 5.6.7"),
            (["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com> X-NOTIFY=NEVER"], "555 5.5.4"),
            (["MAIL FROM:<a@example.com>", "RSET", "RCPT TO:<b@example.com>"], "503 5.5.1"),
            (["MAIL FROM:<a@example.com>", "EHLO client.example", "RCPT TO:<b@example.com>"], "503 5.5.1"),
        ]
    )
    func answers(commands: [String], expected: String) async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            var answer = ""
            for command in commands {
                answer = try await client.say(command)
            }
            #expect(answer.hasPrefix(expected), "\(commands) was answered with \(answer)")
        }
    }

    @Test("MAIL before EHLO is out of sequence, and QUIT closes")
    func sequence() async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.connect(to: server)
            _ = try await client.reply()
            #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("503 5.5.1"))
            #expect(try await client.say("QUIT").hasPrefix("221"))
            #expect(try await client.rest() == [])
            #expect(server.ledger.commands == ["MAIL": 1, "QUIT": 1])
        }
    }

    @Test("commands that arrive in one packet are answered in order, and mails among them taken")
    func pipelining() async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            let mail = "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n"
            try await client.send("\(mail)one\r\n.\r\n\(mail)two\r\n.\r\nQUIT\r\n")
            var codes: [Substring] = []
            for _ in 0..<11 { codes.append(try await client.reply().prefix(3)) }
            #expect(codes == ["250", "250", "250", "354", "250", "250", "250", "250", "354", "250", "221"])
            #expect(server.ledger.accepted.map(\.text) == ["one\r\n", "two\r\n"])
            // Behind MAIL and each RCPT more may follow; behind DATA nothing before its reply.
            #expect(server.ledger.connections.map(\.pipelinedCommands) == [6])
            #expect(server.ledger.connections.map(\.synchronizationErrors) == [2])
        }
    }

    @Test("a mail cut into single octets arrives as it was sent")
    func singleOctets() async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            let text =
                "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n..a\r\n.\n..\r\n\r.\r\n\n.\r\n.\r\nRSET\r\n"
            for byte in text.utf8 { try await client.send([byte]) }
            for code in ["250", "250", "354", "250", "250"] { #expect(try await client.reply().hasPrefix(code)) }
            #expect(server.ledger.accepted.map(\.text) == [".a\r\n\n..\r\n\r.\r\n\n.\r\n"])
        }
    }

    @Test(
        "only CRLF . CRLF ends the data: nothing is smuggled behind another line ending",
        arguments: ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\0.\r\n"]
    )
    func smuggling(ending: String) async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            _ = try await client.say("MAIL FROM:<a@example.com>")
            _ = try await client.say("RCPT TO:<b@example.com>")
            _ = try await client.say("DATA")
            let smuggled = "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nsmuggled"
            try await client.send("honest\(ending)\(smuggled)\r\n.\r\nNOOP\r\n")
            #expect(try await client.reply().hasPrefix("250 2.0.0 Ok: queued as "))
            #expect(try await client.reply() == "250 2.0.0 Ok")
            #expect(server.ledger.accepted.map(\.recipients) == [["b@example.com"]])
            #expect(server.ledger.accepted.first?.text.hasSuffix("smuggled\r\n") == true)
            #expect(server.ledger.commands["MAIL"] == 1)
        }
    }

    @Test("a command line that ends in a bare LF is refused, not obeyed")
    func bareLineFeed() async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            try await client.send("MAIL FROM:<a@example.com>\n")
            #expect(try await client.reply().hasPrefix("500 5.5.2"))
            #expect(try await client.say("RCPT TO:<b@example.com>").hasPrefix("503"))
            try await client.send([0x4E, 0xFF, 0x0D, 0x0A])
            #expect(try await client.reply().hasPrefix("500 5.5.2"))
        }
    }

    @Test("a line may be as long as the RFCs say, and one octet more is refused")
    func lineLengths() async throws {
        try await FakeSMTPServer.with(.init(credentials: ["ann": "secret"])) { server in
            let client = try await RawClient.greeted(by: server)
            #expect(try await client.say("NOOP " + String(repeating: "x", count: 505)).hasPrefix("250"))
            #expect(try await client.say("NOOP " + String(repeating: "x", count: 506)).hasPrefix("500 5.5.2"))
            #expect(try await client.say("AUTH PLAIN " + String(repeating: "A", count: 12_275)).hasPrefix("501"))
            #expect(try await client.say("AUTH PLAIN " + String(repeating: "A", count: 12_276)).hasPrefix("500"))
            #expect(try await client.say("NOOP " + String(repeating: "x", count: 100_000)).hasPrefix("500 5.5.2"))
            #expect(try await client.say("NOOP").hasPrefix("250"))
        }
    }

    @Test("a line of the mail may have 1,000 octets; a longer one is refused at the end")
    func longTextLines() async throws {
        try await FakeSMTPServer.with { server in
            let client = try await RawClient.greeted(by: server)
            for (count, code) in [(998, "250"), (999, "500 5.5.2"), (70_000, "500 5.5.2")] {
                _ = try await client.say("MAIL FROM:<a@example.com>")
                _ = try await client.say("RCPT TO:<b@example.com>")
                _ = try await client.say("DATA")
                #expect(try await client.say(String(repeating: "x", count: count) + "\r\n.").hasPrefix(code))
            }
            #expect(server.ledger.acceptedCount == 1)
        }
    }

    @Test("a mail larger than the limit is refused at the end, and the next one taken")
    func tooLarge() async throws {
        var options = FakeSMTPServer.Options()
        options.maximumMessageSize = 10
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.greeted(by: server)
            for (text, code) in [("123456789", "552 5.3.4"), ("12345678", "250")] {
                _ = try await client.say("MAIL FROM:<a@example.com>")
                _ = try await client.say("RCPT TO:<b@example.com>")
                _ = try await client.say("DATA")
                #expect(try await client.say(text + "\r\n.").hasPrefix(code))
            }
            #expect(server.ledger.accepted.map(\.text) == ["12345678\r\n"])
        }
    }

    @Test("recipients above the limit get 452, and the mail goes to the others")
    func tooManyRecipients() async throws {
        var options = FakeSMTPServer.Options()
        options.maximumRecipients = 2
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.greeted(by: server)
            _ = try await client.say("MAIL FROM:<a@example.com>")
            for (index, code) in ["250", "250", "452 4.5.3"].enumerated() {
                #expect(try await client.say("RCPT TO:<\(index)@example.com>").hasPrefix(code))
            }
            _ = try await client.say("DATA")
            #expect(try await client.say("x\r\n.").hasPrefix("250"))
            #expect(server.ledger.accepted.map(\.recipients) == [["0@example.com", "1@example.com"]])
        }
    }

    @Test("commands sent behind STARTTLS in the clear are thrown away, not answered")
    func startTLSInjection() async throws {
        try await FakeSMTPServer.with(.init(tls: .startTLS)) { server in
            let client = try await RawClient.greeted(by: server)
            try await client.send("STARTTLS\r\nMAIL FROM:<evil@example.com>\r\nNOOP\r\n")
            #expect(try await client.reply().hasPrefix("220"))
            // If the commands had been kept, they would be answered or counted; but the server waits for a ClientHello.
            try await client.close()
            let connections = try await server.ledger.waitForDisconnections(count: 1)
            #expect(connections.map(\.discardedPlaintext) == ["MAIL FROM:<evil@example.com>\r\nNOOP\r\n".utf8.count])
            #expect(server.ledger.commands == ["EHLO": 1, "STARTTLS": 1])
        }
    }

    @Test("a server that wants TLS says so with 530")
    func requiresTLS() async throws {
        var options = FakeSMTPServer.Options(tls: .startTLS)
        options.requiresTLS = true
        try await FakeSMTPServer.with(options) { server in
            let client = try await RawClient.greeted(by: server)
            #expect(try await client.say("MAIL FROM:<a@example.com>").hasPrefix("530 5.7.0"))
        }
    }
}
