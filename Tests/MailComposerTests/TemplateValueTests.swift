// How a row's values appear in a mail: variables, escapes, languages, the expiry.

import Foundation
import OutboxCore
import TestSupport
import Testing

@testable import MailComposer

@Suite struct TemplateValueTests {
    /// The text part of a mail of the kind `k` with this template and these variables.
    private func text(_ template: String, _ variables: String, locale: String? = nil) throws -> String {
        let composer = try Fixtures.composer(text: template, sample: variables)
        return try PythonReader.read(
            composer.compose(Fixtures.message(kind: "k", locale: locale, variables: variables))
        ).text
    }

    @Test(
        "objects, lists, booleans, numbers and null mean in a template what they mean in Mustache",
        arguments: [
            ("{{a.b.c}}", #"{"a": {"b": {"c": "deep"}}}"#, "deep"),
            ("{{#list}}<{{.}}>{{/list}}{{^list}}none{{/list}}", #"{"list": ["a", 2, 2.5]}"#, "<a><2><2.5>"),
            ("{{#list}}<{{.}}>{{/list}}{{^list}}none{{/list}}", #"{"list": []}"#, "none"),
            ("{{#rows}}{{#.}}{{.}},{{/.}};{{/rows}}", #"{"rows": [[1, 2], [3]]}"#, "1,2,;3,;"),
            (
                "{{#users}}{{name}} / {{team}} {{/users}}",
                #"{"team": "T", "users": [{"name": "a"}, {"name": "b", "team": "U"}]}"#, "a / T b / U "
            ),
            ("{{#yes}}y{{/yes}}{{#no}}n{{/no}}{{^no}}N{{/no}} {{yes}}", #"{"yes": true, "no": false}"#, "yN true"),
            ("{{#nothing}}x{{/nothing}}{{^nothing}}-{{/nothing}}", #"{"nothing": null}"#, "-"),
            (
                "{{#user}}{{#user.name}}{{user.name}}{{/user.name}}{{^user.age}}?{{/user.age}}{{/user}}",
                #"{"user": {"name": "J"}}"#, "J?"
            ),
            (
                "{{one}} {{minus}} {{half}} {{big}} {{ 2fa }}",
                #"{"one": 1, "minus": -7, "half": 0.5, "big": 9007199254740993, "2fa": "x"}"#,
                "1 -7 0.5 9007199254740993 x"
            ),
        ]
    )
    func mustache(template: String, variables: String, expected: String) throws {
        #expect(try text(template + "\n", variables) == expected + "\n")
    }

    @Test("values are escaped in HTML and nowhere else")
    func escaping() throws {
        let composer = try Fixtures.composer(
            subject: "Hello {{name}}\n",
            text: "Hello {{name}} {{{name}}}\n",
            html: "<p title=\"{{name}}\">{{name}} {{#list}}{{.}}{{/list}}</p>\n",
            sample: #"{"name": "x"}"#
        )
        // The combining accent makes one grapheme cluster with the quotation mark before it.
        let name = #"<b>"\#u{301} O'Hara & Söhne</b> 🚀"#
        let variables =
            String(decoding: try JSONEncoder().encode(["name": name]), as: UTF8.self).dropLast() + #","list":["<&>"]}"#
        let mail = try composer.compose(Fixtures.message(kind: "k", variables: String(variables)))
        let read = try PythonReader.read(mail)
        #expect(read.defects == [])
        #expect(mail.subject == "Hello \(name)")
        #expect(read.subject == "Hello \(name)")
        #expect(read.text == "Hello \(name) \(name)\n")
        let escaped = "&lt;b&gt;&quot;\u{301} O&#39;Hara &amp; Söhne&lt;/b&gt; 🚀"
        #expect(read.html == "<p title=\"\(escaped)\">\(escaped) &lt;&amp;&gt;</p>\n")
        #expect(read.attributes == ["title"])
    }

    @Test(
        "a value that is missing is an error with the line of its tag, and never a hole",
        arguments: [
            ("{{#name}}{{name}}{{/name}}\n\n  {{ name }}\n", "{}", "name", 3),
            ("a\n{{user.name}}", #"{"user": {}}"#, "user.name", 2),
            ("a\n{{user.name.first}}", #"{"user": {"name": "x"}}"#, "user.name.first", 2),
            ("a\n{{user.name}}", "{}", "user.name", 2),
            ("{{#list}}\n\n{{.}}{{/list}}", #"{"list": ["x", null]}"#, "list", 3),
            ("{{#list}}\n{{name}}\n{{/list}}", #"{"list": [{"name": "x"}, {}]}"#, "name", 2),
            ("{{name}}", #"{"name": null}"#, "name", 1),
            ("{{! a\nb }}\n{{ name }}", "{}", "name", 3),
        ]
    )
    func missing(template: String, variables: String, name: String, line: Int) throws {
        let sample = #"{"name": "x", "user": {"name": {"first": "x"}}, "list": []}"#
        let template = template.replacing("{{user.name}}", with: "{{#skip}}{{/skip}}{{user.name}}")
        let composer = try Fixtures.composer(
            text: template,
            sample: template.contains("first") ? sample : sample.replacing(#"{"first": "x"}"#, with: #""x""#)
        )
        let error = #expect(throws: CompositionError.self) {
            try composer.compose(Fixtures.message(kind: "k", variables: variables))
        }
        guard case .missingVariable(name, let file, line)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(file.hasSuffix("k/en/body.txt.mustache"))
    }

    @Test("an object or a list where a text should be is an error")
    func unprintable() throws {
        let composer = try Fixtures.composer(html: "<p>\n{{name}}</p>", sample: #"{"name": "x"}"#)
        for variables in [#"{"name": {"first": "x"}}"#, #"{"name": ["x"]}"#] {
            let error = #expect(throws: CompositionError.self) {
                try composer.compose(Fixtures.message(kind: "k", variables: variables))
            }
            guard case .unprintableVariable("name", _, 2)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    @Test("a variable never takes the place of a built-in value, not even of an absent one")
    func reservedNames() throws {
        let template = """
            {{token}} {{recipient}} {{sender_address}} {{kind}} {{locale}}{{#expires}} {{at}}{{/expires}} {{link}}

            """
        let folder = try TemporaryFolder()
        try folder.writeTemplates("k/en", text: template)
        let variables = #"""
            {"token": "evil", "recipient": "evil", "sender_address": "evil", "kind": "evil", "locale": "evil",
             "link": "evil", "expires": {"at": "evil"}}
            """#
        let message = Fixtures.message(kind: "k", variables: variables, livesFor: nil)
        let mail = try folder.composer(links: ["k": "https://a.example/{token}"]).compose(message)
        #expect(
            try PythonReader.read(mail).text
                == "tok-1 jane@example.com no-reply@cloudone.example k en https://a.example/tok-1\n"
        )
    }

    @Test("line breaks of every kind in a variable become CRLF in the body")
    func lineBreaks() throws {
        let composer = try Fixtures.composer(
            text: "{{name}}\n",
            sample: #"{"name": "x"}"#,
            options: ["lines": true, "limit": 1000]
        )
        for name in [
            #"a\nb\r\nc\rd"#, String(repeating: #"漢字\n"#, count: 200) + "x", #".\n.dot\n..\nFrom here\nFromage"#,
        ] {
            let mail = try composer.compose(Fixtures.message(kind: "k", variables: #"{"name": "\#(name)"}"#))
            let read = try PythonReader.read(mail)
            #expect(read.bareLineEnds == 0)
            #expect(read.fromLines == 0)
            let expected = name.replacing(#"\r\n"#, with: "\n").replacing(#"\r"#, with: "\n").replacing(
                #"\n"#,
                with: "\n"
            )
            #expect(read.text == expected + "\n")
        }
    }

    @Test(
        "a locale is looked up by shortening its tag, and English is the end of it",
        arguments: [
            ("ja", "ja"), ("ja-JP", "ja"), ("JA_jp", "ja"), ("ja-Jpan-JP-x-kansai", "ja"), ("en-GB", "en"),
            ("de", "en"), (nil, "en"),
            ("", "en"), ("../ja", "en"), ("zh-Hant-TW", "zh-Hant"), ("zh-TW", "zh-Hant"), ("zh_HK", "zh-Hant"),
            ("zh-MO", "zh-Hant"), ("zh", "zh-Hans"),
            ("zh-CN", "zh-Hans"), ("zh-SG", "zh-Hans"), ("zh-Hans-HK", "zh-Hans"), ("pt", "pt-BR"), ("pt-PT", "pt-BR"),
            ("PT_br", "pt-BR"), ("jav", "en"),
        ]
    )
    func locales(requested: String?, expected: String) throws {
        let folder = try TemporaryFolder()
        for locale in ["en", "ja", "zh-Hans", "zh-hant", "pt-BR"] {
            try folder.writeTemplates("k/\(locale)", text: "{{locale}}\n")
        }
        let mail = try folder.composer().compose(Fixtures.message(kind: "k", locale: requested))
        let read = try PythonReader.read(mail)
        #expect(read.text == expected + "\n")
        #expect(String(decoding: mail.bytes, as: UTF8.self).contains("\r\nContent-Language: \(expected)\r\n"))
    }

    @Test(
        "the span and the moment of an expiry are worded for people",
        arguments: [
            (0, "1 minute", "1分"), (60, "1 minute", "1分"), (1799, "30 minutes", "30分"), (3600, "1 hour", "1時間"),
            (5400, "90 minutes", "90分"), (9000, "2 hours 30 minutes", "2時間30分"), (86_400, "24 hours", "24時間"),
            (172_800, "2 days", "2日"), (608_400, "7 days 1 hour", "7日1時間"),
        ]
    )
    func spans(seconds: Int, english: String, japanese: String) throws {
        let folder = try TemporaryFolder()
        for locale in ["en", "ja"] {
            try folder.writeTemplates("k/\(locale)", text: "{{#expires}}{{in}}{{/expires}}\n")
        }
        let composer = try folder.composer()
        for (locale, expected) in [("en", english), ("ja", japanese)] {
            let message = Fixtures.message(kind: "k", locale: locale, livesFor: .seconds(seconds))
            #expect(try PythonReader.read(composer.compose(message)).text == expected + "\n")
        }
    }

    @Test(
        "the moment of the request is a time, and has its date where the mail leaves much later",
        arguments: [
            (0, "14:00 UTC", "23:00（日本時間）", "14:00 Uhr (UTC)"),
            (43_200, "14:00 UTC", "23:00（日本時間）", "14:00 Uhr (UTC)"),
            (
                43_201, "23 November 2026, 14:00 UTC", "2026年11月23日 23:00（日本時間）",
                "23. November 2026, 14:00 Uhr (UTC)"
            ),
        ]
    )
    func requests(seconds: Int, english: String, japanese: String, german: String) throws {
        let folder = try TemporaryFolder()
        for locale in ["en", "ja", "de"] { try folder.writeTemplates("k/\(locale)", text: "{{requested.at}}\n") }
        let composer = try folder.composer()
        for (locale, expected) in [("en", english), ("ja", japanese), ("de", german)] {
            let message = Message(
                id: 1,
                kind: "k",
                recipient: "a@b.example",
                token: Token("t"),
                locale: locale,
                envelopeID: "e",
                requestedAt: Fixtures.requestedAt,
                firstAttemptAt: Fixtures.requestedAt + .seconds(seconds)
            )
            #expect(try PythonReader.read(composer.compose(message)).text == expected + "\n")
        }
    }

    @Test(
        "a language knows on which side its lines begin",
        arguments: [
            ("en", "ltr left"), ("ja", "ltr left"), ("ar", "rtl right"), ("ar-EG", "rtl right"), ("he", "rtl right"),
            ("fa", "rtl right"), ("ur", "rtl right"), ("ckb", "rtl right"), ("yi", "rtl right"), ("dv", "rtl right"),
            ("az-Arab", "rtl right"), ("az", "ltr left"), ("pa-Arab", "rtl right"), ("ar-Latn", "ltr left"),
            ("zh-Hant", "ltr left"),
        ]
    )
    func directions(locale: String, expected: String) throws {
        let folder = try TemporaryFolder()
        for locale in Set(["en", locale]) {
            try folder.writeTemplates("k/\(locale)", text: "{{direction}} {{start}}\n")
        }
        let mail = try folder.composer().compose(Fixtures.message(kind: "k", locale: locale))
        #expect(try PythonReader.read(mail).text == expected + "\n")
    }

    @Test("a locale falls back to English where there is no closer one, even to a closer one that people would read")
    func lookUpInFewLocales() throws {
        let folder = try TemporaryFolder()
        for locale in ["en", "zh", "zh-Hant"] { try folder.writeTemplates("k/\(locale)", text: "{{locale}}\n") }
        let composer = try folder.composer()
        for (requested, expected) in [("zh-CN", "zh"), ("zh-TW", "zh-Hant"), ("pt-BR", "en")] {
            let mail = try composer.compose(Fixtures.message(kind: "k", locale: requested))
            #expect(try PythonReader.read(mail).text == expected + "\n")
        }
    }

    @Test("a locale that names a language as its templates do, or none, gets what the lookup of RFC 4647 finds")
    func lookUpByName() throws {
        let locales = ["en", "ja", "pt-BR", "zh-Hans", "zh-Hant", "fr-ca"]
        let folder = try TemporaryFolder()
        for locale in locales { try folder.writeTemplates("k/\(locale)") }
        let composer = try folder.composer()
        let tags = locales.compactMap(LanguageTag.init)
        for requested in locales + [
            "pt-br", "fr-CA", "fr", "pt", "zh", "ZH-hant-TW", "ja-JP", "en_US", "EN", "", "no tag",
        ] {
            let expected = LanguageTag.lookUp(requested, in: tags).canonical
            #expect(try composer.localeInUse(kind: "k", requested: requested) == expected, "\(requested)")
        }
        let mail = try composer.compose(Fixtures.message(kind: "k", locale: nil))
        #expect(String(decoding: mail.bytes, as: UTF8.self).contains("Content-Language: en\r\n"))
    }

    @Test("a language that is neither English nor Japanese gets its own words for an expiry")
    func otherLanguages() throws {
        let folder = try TemporaryFolder()
        for locale in ["en", "de"] {
            try folder.writeTemplates("k/\(locale)", text: "{{#expires}}{{in}} / {{at}}{{/expires}}\n")
        }
        let mail = try folder.composer().compose(Fixtures.message(kind: "k", locale: "de-AT"))
        #expect(try PythonReader.read(mail).text == "30 Minuten / 23. November 2026, 14:30 Uhr (UTC)\n")
    }
}
