// What strangers write into forms, through every place where a template can put it.

import Foundation
import MailComposer
import MailTemplates
import OutboxCore
import Testing

@Suite struct HostileValueTests {
    /// As JSON texts.
    static let hostile =
        [
            #"http://evil.example/login"#, #"https://evil.example"#, #"HTTPS://EVIL.EXAMPLE/a?b=c#d"#,
            #"www.evil.example"#,
            #"evil.example"#, #"evil.co.uk/pay?x=1"#, #"ann@evil.example"#, #"mailto:ann@evil.example"#,
            #"http://10.0.0.1/x"#, #"http://[::1]/x"#, #"//evil.example/x"#, #"\\\\evil.example\\share"#,
            #"ftp://evil.example"#, #"javascript:alert(1)"#, #"data:text/html,<b>x</b>"#, #"tel:+4930123456"#,
            #"evil。com"#, #"evil．com"#, #"xn--80ak6aa92e.com"#, #"😀.com"#, #"例え.テスト"#, #"ev\u00adil.com"#,
            #"www.\u200bevil.\u200bcom"#, #"evil\u200c.com"#, #"http:\u200d//evil.com"#,
            #"Ann\r\n\r\nYour account is locked\r\nhttps://evil.example/unlock"#, #"Ann\nBcc: eve@evil.example"#,
            #"Ann\r\nContent-Type: text/html\r\n\r\n<h1>x</h1>"#, #"Ann\u2028\u2029\u0085next"#, #"\u202eelpmaxe.live"#,
            #"\u2066\u2067Ann"#, #"Ann\u0000\u001b[31m\u0007"#, #"<script>alert(1)</script>"#,
            #"<a href=\"https://evil.example\">x</a>"#,
            #"x onmouseover=alert(1)"#, #"\" onmouseover=\"alert(1)"#, #"' autofocus onfocus='x"#, #"--><img src=x>"#,
            #"{{token}} {{link}}"#, #"&#104;ttp://evil.example"#,
            #"Z\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301"#,
            #"]]>=?utf-8?q?evil?="#, #"\ud83d alone"#,
        ] + [String(repeating: "very long ", count: 300), String(repeating: "evil.example ", count: 60)]

    static let honest = [
        "O'Brien", "Łukasz", "山田 太郎", "Jean-Luc", "Dr. A. Smith", "😀 Ann", "J.R.R. Tolkien", "Yahoo! Inc.",
        "Nguyễn Văn A", "AT&T", "👨‍👩‍👧 Ann", "Müller-Lüdenscheidt",
    ]

    private static func composer() throws -> MailComposer {
        try Fixtures.composer(
            subject: "{{name}} invites you\n",
            text: "Hello,\n{{name}} invites you{{#friends}}, and so does {{name}}{{/friends}}.\n\nSee you\n",
            html: """
                <p title="{{name}}">Hello,<br>{{name}} invites you{{#friends}}, and so does {{name}}{{/friends}}.</p>
                <img src="logo" alt='{{name}}'>
                <!-- no value here --><p>See you</p>

                """,
            sample: #"{"name": "Jane", "friends": [{"name": "Jack"}]}"#
        )
    }

    private static func mail(_ name: String) throws -> (ReadMail, Mail) {
        let variables = #"{"name": "\#(name)", "friends": [{"name": "\#(name)"}, "\#(name)"]}"#
        let mail = try composer().compose(Fixtures.message(kind: "k", variables: variables))
        return (try PythonReader.read(mail), mail)
    }

    /// What mail programs make links of: Gmail's, Apple's and Outlook's rules taken together, and more than each.
    private static var links: [Regex<Substring>] {
        [
            #/(?i)[a-z]:\/\/\S/#, #/(?i)\bwww\.\S/#, #/[^\s@]@[^\s@]/#, #/[\p{L}\p{N}\p{So}][.．。][\p{L}]{2,}/#,
            #/\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b/#, #/(?i)\b(?:javascript|mailto|tel|data):\S/#,
            #/(?:^|\s)(?:\/\/|\\\\)\w/#,
        ]
    }

    @Test("no link, paragraph, header or attribute comes of a hostile value, and the mail arrives", arguments: hostile)
    func hostileValue(value: String) throws {
        let (read, mail) = try Self.mail(value)
        #expect(read.defects == [] && read.unbalancedTags == [])
        #expect(read.subject == mail.subject && read.subject.hasSuffix(" invites you"))
        #expect(mail.recipient == "jane@example.com")
        let header = String(decoding: mail.bytes, as: UTF8.self).components(separatedBy: "\r\n\r\n")[0]
        #expect(!header.contains("\r\nBcc:") && header.components(separatedBy: "\r\nContent-Type:").count == 2)
        #expect(read.attributes.sorted() == ["alt", "src", "title"])
        #expect(read.hrefs == [])
        // The lines of the template, and no more.
        #expect(read.text.split(separator: "\n", omittingEmptySubsequences: false).count == 5)
        #expect(read.text.hasPrefix("Hello,\n") && read.text.hasSuffix("\n\nSee you\n"))
        for shown in [read.subject, read.text, read.htmlText, read.attributeValues.joined(separator: " ")] {
            for link in Self.links {
                #expect(shown.firstMatch(of: link) == nil, "\(shown.debugDescription)")
            }
            let strange = shown.unicodeScalars.filter { scalar in
                (scalar.properties.generalCategory == .control && scalar != "\n")
                    || (0x202A...0x202E).contains(scalar.value) || scalar.value == 0x200B
            }
            #expect(strange.isEmpty)
            #expect(shown.unicodeScalars.count < 700)
        }
    }

    @Test("an honest name looks as its owner writes it, in every place", arguments: honest)
    func honestValue(value: String) throws {
        let (read, mail) = try Self.mail(value)
        #expect(read.subject == "\(value) invites you")
        #expect(read.text == "Hello,\n\(value) invites you, and so does \(value), and so does \(value).\n\nSee you\n")
        #expect(read.htmlText.contains("\(value) invites you"))
        #expect(read.attributeValues.contains(value))
        #expect(mail.changedVariables == [])
    }

    @Test("a name of the other direction is isolated in subject and text, and plain in an attribute")
    func otherDirection() throws {
        let (read, mail) = try Self.mail("محمد")
        #expect(read.subject == "\u{2068}محمد\u{2069} invites you")
        #expect(read.text.hasPrefix("Hello,\n\u{2068}محمد\u{2069} invites you"))
        #expect(read.attributeValues.contains("محمد"))
        #expect(mail.changedVariables == [])
    }

    @Test("the names of changed variables are known, without their values")
    func changedNames() throws {
        let composer = try Self.composer()
        let message = Fixtures.message(
            kind: "k",
            variables: #"{"name": "a\nb", "friends": [], "other": "www.x.example"}"#
        )
        #expect(try composer.compose(message).changedVariables == ["name"])
    }

    @Test("a link leads to a declared host, and any other value of it counts as absent")
    func links() throws {
        let folder = try TemporaryFolder()
        try folder.writeTemplates("k/en", html: "<p>{{#page}}<a href=\"{{page}}\">{{page}}</a>{{/page}}</p>\n")
        try folder.write(
            "k/sample.json",
            #"{"variables": {"page": {"sample": "https://example.com/a", "link": ["example.com", "b.example"]}}}"#
        )
        let composer = try folder.composer()
        func html(_ page: String) throws -> String {
            try PythonReader.read(
                composer.compose(Fixtures.message(kind: "k", variables: "{\"page\": \"\(page)\"}"))
            ).html
        }
        #expect(
            try html("https://EXAMPLE.com/x?a=1&b=2")
                == "<p><a href=\"https://EXAMPLE.com/x?a=1&amp;b=2\">https://EXAMPLE.com/x?a=1&amp;b=2</a></p>\n"
        )
        for page in [
            "https://evil.example/", "http://example.com/", "javascript:alert(1)", "https://example.com@evil.example/",
            "https://example.com.evil.example/", "https://example.com:8080/", "//example.com/", "example.com", "",
            #"https://example.com/\" onclick=\"x"#, #"https://example.com\\@evil.example/"#, "https://example.com/ x",
        ] {
            #expect(try html(page) == "<p></p>\n", "\(page)")
        }
    }

    @Test(
        "a variable where escaping does not help stops the start, with file and line",
        arguments: [
            ("<p title={{name}}>", 2, "without quotes"), ("<p title = {{name}}>", 2, "without quotes"),
            ("<p class=a{{name}}>", 2, "without quotes"), ("<a href=\"{{name}}\">", 2, "not declared as a link"),
            ("<a href='x?{{name}}'>", 2, "not declared as a link"),
            ("<IMG SRC=\"{{name}}\">", 2, "not declared as a link"),
            ("<p style=\"color: {{name}}\">", 2, "attribute style"),
            ("<p onclick=\"x('{{name}}')\">", 2, "attribute onclick"),
            ("<script>x('{{name}}')</script>", 2, "within <script>"), ("<style>{{name}}</style>", 2, "within <style>"),
            ("<p {{name}}>", 2, "within a tag"), ("<{{name}}>", 2, "within a tag"), ("</{{name}}>", 2, "within a tag"),
            ("<p\n  {{name}}=\"x\">", 3, "within a tag"),
            ("<p title=\"a\"href={{name}}>", 2, "without quotes"), ("{{name}}.{{other}}", 2, "only punctuation"),
            ("{{name}}@{{other}}", 2, "only punctuation"),
            ("{{#list}}{{.}}/{{/list}}", 2, "only punctuation"),
            ("{{name}}{{#list}}/{{.}} {{/list}}", 2, "only punctuation"),
            ("<p {{#list}}title=\"{{name}}{{/list}}x\">", 2, "in different places"),
        ]
    )
    func refused(html: String, line: Int, reason: String) throws {
        let folder = try TemporaryFolder()
        try folder.writeTemplates("k/en", html: "<p>\n\(html)\n")
        try folder.write("k/sample.json", Fixtures.samples(#"{"name": "Jane", "other": "x", "list": ["a"]}"#))
        let problems = folder.problems()
        #expect(problems.count == 1, "\(problems)")
        #expect(problems.first?.hasPrefix("k/en/body.html.mustache:\(line): ") == true, "\(problems)")
        #expect(problems.first?.contains(reason) == true, "\(problems)")
    }

    @Test("two values without text between them make no link together")
    func neighbours() throws {
        let composer = try Fixtures.composer(
            text: "{{family}}{{given}} {{#list}}{{.}}{{/list}}\n",
            sample: #"{"family": "a", "given": "b", "list": ["c"]}"#
        )
        for (values, text) in [
            (#"{"family": "山田", "given": "太郎", "list": ["a", "b"]}"#, "山田太郎 ab\n"),
            (#"{"family": "evil.", "given": "com", "list": ["www", ".evil", ".com"]}"#, "evil. com www .evil .com\n"),
            (#"{"family": "http:", "given": "//evil", "list": ["ann", "@evil"]}"#, "http: // evil ann @evil\n"),
        ] {
            let mail = try composer.compose(Fixtures.message(kind: "k", variables: values))
            #expect(try PythonReader.read(mail).text == text)
        }
    }

    @Test("the old form of sample.json and wrong rules are refused with a hint")
    func samples() throws {
        let folder = try TemporaryFolder()
        try folder.writeTemplates("k/en", text: "{{name}}\n")
        for (content, reason) in [
            (#"{"name": "Jane"}"#, "has another form than"),
            (#"{"variables": {"name": "Jane"}}"#, "name: write {\"sample\""),
            (#"{"variables": {"name": {"sample": "x", "limt": 3}}}"#, "name: 'limt' is not known"),
            (#"{"variables": {"name": {"sample": "x", "limit": 0}}}"#, "name: limit must be"),
            (#"{"variables": {"name": {"sample": "x", "lines": 1}}}"#, "name: lines must be"),
            (#"{"variables": {"name": {"sample": "x", "link": "example.com"}}}"#, "name: link must be"),
            (#"{"variables": {"name": {"sample": "x", "link": ["https://example.com"]}}}"#, "name: link must be"),
        ] {
            try folder.write("k/sample.json", content)
            #expect(folder.problems().contains { $0.hasPrefix("k/sample.json: ") && $0.contains(reason) }, "\(content)")
        }
    }

    @Test("an address whose local part looks like a URL is broken; any other stays whole")
    func recipients() throws {
        let composer = try Fixtures.composer(text: "{{recipient}}\n")
        for (recipient, shown) in [
            ("//evil.example/x@gmail.com", "// evil. example/x@gmail.com"),
            ("jane.doe@example.com", "jane.doe@example.com"),
            ("a/b@example.com", "a/b@example.com"),
        ] {
            let mail = try composer.compose(Fixtures.message(kind: "k", recipient: recipient))
            #expect(try PythonReader.read(mail).text == shown + "\n")
            #expect(mail.recipient == recipient)
        }
    }
}
