// Problems that prevent the start: broken, missing and surplus templates, links and senders. Each names its place.

import Foundation
import MailComposer
import OutboxCore
import TestSupport
import Testing

@Suite struct TemplateCheckTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.writeTemplates("k/en")
    }

    @Test(
        "a broken tag is reported with its file and line",
        arguments: [
            ("one\ntwo {{name\nthree\n", 2, "a tag is not closed"),
            ("one\ntwo {{name\n}} three\n", 2, "without a line break"),
            ("one\n{{#a}}\ntext {{/b}}\n", 3, "closes a tag that is not the innermost"),
            ("one\n{{#a}}\ntext\n", 2, "{{/a}} is missing"),
            ("one\ntwo\n{{a b}}\n", 3, "'a b' is not a name"),
            ("\n{{! never ends\n\n", 2, "a tag is not closed"),
        ]
    )
    func brokenTag(source: String, line: Int, reason: String) throws {
        try folder.writeTemplates("k/en", text: source)
        let problems = folder.problems()
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("k/en/body.txt.mustache:\(line): ") == true)
        #expect(problems.first?.contains(reason) == true)
    }

    @Test(
        "what Mustache can do and outboxd does not is refused with its line",
        arguments: [
            ("a\n{{> ../k/en/body}}\n", "not the name of a partial"), ("a\n{{>*name}}\n", "not the name of a partial"),
            ("a\n{{=<% %>=}}\n", "delimiters"), ("a\n{{%CONTENT_TYPE:HTML}}\n", "not a name"),
            ("a\n{{.link}}\n", "not a name"),
            ("a\n{{uppercased(link)}}\n", "not a name"), ("a\n{{1?link}}\n", "not a name"),
            ("a\n{{link.}}\n", "not a name"),
        ]
    )
    func refusedTag(source: String, reason: String) throws {
        try folder.writeTemplates("k/en", text: source)
        let problems = folder.problems()
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("k/en/body.txt.mustache:2: ") == true)
        #expect(problems.first?.contains(reason) == true)
    }

    @Test(
        "unescaped values are refused in HTML and the same as others in text",
        arguments: ["{{{recipient}}}", "{{&recipient}}"]
    )
    func unescaped(tag: String) throws {
        try folder.writeTemplates("k/en", text: tag)
        #expect(folder.problems() == [])
        try folder.writeTemplates("k/en", html: "<p>\n\(tag)</p>")
        #expect(
            folder.problems() == ["k/en/body.html.mustache:2: values in HTML are always escaped: write {{recipient}}"]
        )
    }

    @Test("a comment may say anything, and a brace that is no tag is text")
    func commentsAndBraces() throws {
        let text = "{{! {{> x\n > # ^ }}a { b } {c} }} { {{recipient}} }\n@media{a{b:c}}\n"
        try folder.writeTemplates("k/en", text: text)
        let composer = try folder.composer()
        #expect(
            try composer.preview(kind: "k", locale: nil, part: .text)
                == "a { b } {c} }} { jane.doe@example.com }\n@media{a{b:c}}\n"
        )
    }

    @Test(
        "a partial is looked for beside the template, then for the language, then for all; none is an error with the places"
    )
    func partials() throws {
        for language in ["en", "de-AT"] {
            try folder.writeTemplates("k/\(language)", text: "{{>a}} {{>b}} {{>c}}", html: "{{>a}}")
        }
        try folder.write("k/en/a.txt.mustache", "a of k")
        try folder.write("partials/en/a.txt.mustache", "a of en")
        try folder.write("partials/de/a.txt.mustache", "a of de")
        try folder.write("partials/en/b.txt.mustache", "b of en")
        try folder.write("partials/b.txt.mustache", "b of all")
        try folder.write("partials/c.txt.mustache", "c of all")
        try folder.write("partials/a.html.mustache", "<p>{{recipient}}</p>")
        let composer = try folder.composer()
        #expect(try composer.preview(kind: "k", locale: "en", part: .text) == "a of k b of en c of all")
        #expect(try composer.preview(kind: "k", locale: "de-at", part: .text) == "a of de b of all c of all")
        #expect(try composer.preview(kind: "k", locale: "en", part: .html) == "<p>jane.doe@example.com</p>")
        #expect(composer.kinds == ["k"])

        try folder.remove("partials/c.txt.mustache")
        let places = ["k/de-AT", "partials/de-AT", "partials/de", "partials"].map { "\($0)/c.txt.mustache" }
        #expect(
            folder.problems().first
                == "k/de-AT/body.txt.mustache:1: there is no 'c' to include: looked for \(places.joined(separator: ", "))"
        )
    }

    @Test("a subject may be a partial, whose last newline is not part of it")
    func subjectPartial() throws {
        try folder.writeTemplates("k/en", subject: "{{>words}}\n")
        try folder.write("partials/en/words.txt.mustache", "Hello {{recipient}}\r\n")
        #expect(try folder.composer().preview(kind: "k", locale: "en", part: .subject) == "Hello jane.doe@example.com")
    }

    @Test("a layout's problems are reported once, with its own file and line, and so are its missing values")
    func layouts() throws {
        let words = "{{<layout}}{{$title}}{{recipient}}{{/title}}{{/layout}}"
        for language in ["en", "ja"] { try folder.writeTemplates("k/\(language)", html: words) }
        try folder.write("partials/layout.html.mustache", "<h1>\n{{$title}}{{/title}}</h1>\n{{plan}}\n")
        #expect(folder.problems().map { $0.prefix { $0 != " " } } == ["partials/layout.html.mustache:3:"])
        try folder.write("partials/layout.html.mustache", "<h1>{{$title}}{{/title}}</h1>\n{{&link}}")
        #expect(
            folder.problems() == ["partials/layout.html.mustache:2: values in HTML are always escaped: write {{link}}"]
        )
        try folder.write("partials/layout.html.mustache", "<h1>{{$title}}{{/title}}</h1>\n{{>layout}}")
        let chain = folder.problems().map { $0.replacing(folder.path + "/", with: "") }
        #expect(
            chain == [
                "partials/layout.html.mustache:2: a file includes itself: partials/layout.html.mustache → partials/layout.html.mustache"
            ]
        )
        try folder.write("partials/layout.html.mustache", "<h1>{{$title}}{{/title}}</h1>\n")
        #expect(
            try folder.composer().preview(kind: "k", locale: "ja", part: .html) == "<h1>jane.doe@example.com</h1>\n"
        )
    }

    @Test("problems in the folder of partials are reported, even of a partial that is never included")
    func partialFolder() throws {
        try folder.write("partials/unused.html.mustache", "\n{{#a}}")
        try folder.write("partials/ja/words.txt.mustache", Data([0x66, 0xFC]))
        try folder.write("partials/layout.htm", "x")
        try folder.write("partials/not a language/x.txt.mustache", "x")
        try folder.write("k/en/also_unused.txt.mustache", "{{a b}}")
        try folder.writeTemplates("k/ja", text: "{{>words}}")
        #expect(
            folder.problems().map { $0.prefix { $0 != " " } } == [
                "partials/ja/words.txt.mustache:", "partials/layout.htm:", "partials/not",
                "partials/unused.html.mustache:2:",
                "k/en/also_unused.txt.mustache:1:",
            ]
        )
    }

    @Test("every missing and every unknown file is reported, all of them at once")
    func files() throws {
        try folder.remove("k/en/body.html.mustache")
        try folder.write("k/en/body.htm.mustache", "x")
        try folder.writeTemplates("k/ja")
        try folder.remove("k/ja/subject.txt.mustache")
        try folder.write("k/notes.txt", "x")
        try folder.write("README", "x")
        try folder.write("k/en/.hidden", "x")
        try folder.write(".git/config", "x")
        let places = folder.problems().map { $0.prefix { $0 != ":" } }
        #expect(
            places == [
                "README", "k/en/body.htm.mustache", "k/en/body.html.mustache", "k/ja/subject.txt.mustache",
                "k/notes.txt",
            ]
        )
    }

    @Test("a kind without English, a folder that is no language and a language twice are reported")
    func languages() throws {
        try folder.writeTemplates("other/ja")
        try folder.writeTemplates("k/EN")
        try folder.writeTemplates("k/not a language")
        let problems = folder.problems()
        #expect(problems.count == 3)
        #expect(problems.contains { $0.hasPrefix("other: has no en.mustache and no folder 'en'") })
        #expect(problems.contains { $0.hasPrefix("k/en: is the same language") })
        #expect(problems.contains { $0.hasPrefix("k/not a language: is not named after a language") })
    }

    @Test("an empty folder, and one that does not exist, are reported")
    func noFolder() throws {
        let empty = try TemporaryFolder()
        #expect(empty.problems().first?.contains("has no templates") == true)
        #expect(throws: TemplateLoadingError.self) {
            try MailComposer(templates: empty.path + "/absent", links: [:], sender: Fixtures.sender)
        }
    }

    @Test("a file that is not UTF-8 and a sample that is no object are reported")
    func encodings() throws {
        try folder.write("k/en/body.txt.mustache", Data([0x66, 0xFC, 0x72]))
        try folder.write("k/sample.json", "[1]")
        let problems = folder.problems()
        #expect(problems.contains { $0.hasPrefix("k/en/body.txt.mustache: is not UTF-8") })
        #expect(problems.contains { $0.hasPrefix("k/sample.json: is not a JSON object") })
    }

    @Test("a folder that is a symbolic link is read like any other")
    func symbolicLinks() throws {
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/linked",
            withDestinationPath: "\(folder.path)/k"
        )
        #expect(try folder.composer().kinds == ["k", "linked"])
    }

    @Test("a variable that is neither built in nor in sample.json stops the start, with a hint")
    func unknownVariable() throws {
        try folder.writeTemplates(
            "k/en",
            subject: "Hello {{name}}\n",
            html: "<p>\n{{#user}}{{name}}{{/user}} {{plan.title}}</p>"
        )
        let problems = folder.problems()
        #expect(problems.count == 2)
        #expect(problems.first?.hasPrefix("k/en/subject.txt.mustache:1: {{name}} has no text") == true)
        #expect(problems.last?.hasPrefix("k/en/body.html.mustache:2: {{plan.title}} has no text") == true)
        #expect(problems.allSatisfy { $0.contains("k/sample.json") })

        try folder.write("k/sample.json", Fixtures.samples(#"{"name": "Jane", "plan": {"title": "Pro"}, "user": {}}"#))
        #expect(folder.problems() == [])
        #expect(try folder.composer().preview(kind: "k", locale: nil, part: .subject) == "Hello Jane")
    }

    @Test("a template that needs an expiry or a sender's name, which a mail may lack, stops the start")
    func optionalBuiltIns() throws {
        try folder.writeTemplates("k/en", text: "until\n{{expires.at}} {{sender_name}}")
        #expect(folder.problems().count == 1)
        #expect(
            folder.problems().first?.hasPrefix("k/en/body.txt.mustache:2: {{expires.at}} has no text: not every")
                == true
        )
        let nameless = Sender(name: nil, address: "a@b.example")
        #expect(folder.problems(sender: nameless).contains { $0.contains("{{sender_name}}") })
        try folder.writeTemplates(
            "k/en",
            text: "{{#expires}}{{at}}{{expires.in}}{{/expires}}{{^sender_name}}x{{/sender_name}}"
        )
        #expect(folder.problems(sender: nameless) == [])
    }

    @Test("a kind whose templates use a link needs one, even where the tag is in a section")
    func links() throws {
        try folder.writeTemplates("k/en", html: "{{#never}}<a href=\"{{link}}\">x</a>{{/never}}")
        #expect(folder.problems().map { $0.prefix(20) } == ["links.k: is not set,"])
        #expect(folder.problems(links: ["k": "https://a.example/{token}"]) == [])
        let surplus = folder.problems(links: ["k": "https://a.example/{token}", "gone": "https://a.example/{token}"])
        #expect(surplus.count == 1)
        #expect(surplus.first?.hasPrefix("links.gone: has no folder") == true)
    }

    @Test("a kind in tokens.codes whose mails show no code stops the start, and the error names the locales")
    func codes() throws {
        let code = "{{#code}}Code: {{code}}{{/code}}"
        try folder.writeTemplates("k/en", text: code, html: "<p>{{#code}}{{.}}{{/code}}</p>")
        try folder.writeTemplates("k/ja", text: "{{^code}}no code{{/code}}", html: code)
        try folder.writeTemplates("k/de", text: code)
        #expect(folder.problems() == [])
        let problems = folder.problems(codes: ["k"])
        #expect(problems.count == 1)
        #expect(problems.first?.contains("tokens.codes: has k, whose mails do not show {{code}}") == true)
        #expect(problems.first?.contains("k: de, ja)") == true)
        try folder.writeTemplates("k/ja", text: code, html: code)
        try folder.writeTemplates("k/de", text: code, html: code)
        #expect(folder.problems(codes: ["k"]) == [])
    }

    @Test("a sender that can't stand in a header stops the start")
    func badSenders() throws {
        #expect(folder.problems(sender: Sender(name: "a\nBcc: x@y.example", address: "a@b.example")).count == 1)
        #expect(
            folder.problems(sender: Sender(name: " ", address: "nobody")).map { $0.prefix { $0 != ":" } } == [
                "sender.name", "sender.address",
            ]
        )
    }

    @Test("a subject of two lines, and an empty one, stop the start")
    func badSubjects() throws {
        try folder.writeTemplates("k/en", subject: "one\ntwo\n")
        #expect(folder.problems() == ["k/en/subject.txt.mustache: the subject is not one line of text"])
        try folder.writeTemplates("k/en", subject: "{{! nothing }} \n")
        #expect(folder.problems() == ["k/en/subject.txt.mustache: the subject is empty"])
    }
}
