// A mail made from a skeleton is the mail that Mustache would have made.

import Foundation
import InternetMessage
import OutboxCore
import Testing

@testable import MailComposer

@Suite struct SkeletonTests {
    /// Every construct that templates may use, with texts at all places that matter to an encoding: at the start and the
    /// end of a line, beside carriage returns, alone on a line.
    private static let source = """
        {{#items}}{{name}} is {{.}}{{/items}}
        {{a}}{{b}}
        From {{a}}\r
        {{#a}}{{a}}: {{token}}{{/a}}{{^a}}nothing, {{recipient}}{{/a}}
        {{#list}}- {{.}}
        {{/list}}
        {{#object}}{{inner}} {{b}} {{object.inner}}{{/object}}
        trailing {{#flag}}flag {{/flag}}
        {{! a comment }}
        {{#expires}}{{in}} until {{at}}{{/expires}} {{link}}
        .{{locale}} {{kind}} {{#sender_name}}{{sender_name}}{{/sender_name}}\r{{sender_address}}
        A long line that quoted-printable has to break, because it goes on and on until long after {{a}} = {{b}} stand in it.

        """

    private static let texts = [
        "", "Ann", "Ünï", "日本語の名前", "a\r", "\n", "line\r\nline", " ", "tab\t", "From me", "=", "<b>&\"'\u{301}", ".",
        String(repeating: "long ", count: 30), "\u{FFFF}0\u{FFFF}", "{{token}}",
    ]

    private static func value(_ random: inout SystemRandomNumberGenerator, depth: Int = 0) -> JSONValue {
        switch Int.random(in: 0..<(depth < 2 ? 9 : 6), using: &random) {
        case 0: .null
        case 1: .bool(.random(using: &random))
        case 2: .number("-1.5")
        case 3...5: .string(texts.randomElement(using: &random) ?? "")
        case 6: .array((0..<Int.random(in: 0...3, using: &random)).map { _ in value(&random, depth: depth + 1) })
        default:
            .object(
                Dictionary(
                    ["inner", "b", "name", "1:x"].filter { _ in Bool.random(using: &random) }
                        .map { ($0, value(&random, depth: depth + 1)) }
                ) { $1 }
            )
        }
    }

    @Test("for random values, the body is what rendering and encoding the whole gives, faults included")
    func sameAsRendering() async throws {
        var random = SystemRandomNumberGenerator()
        let subject = try Template(source: "Subject {{token}}", file: "subject", isHTML: false)
        let text = try Template(source: Self.source, file: "text", isHTML: false)
        let html = try Template(source: Self.source, file: "html", isHTML: true)
        let templates = MailTemplates(subject: subject, text: text, html: html)
        let kind = MailKind(
            name: "verify-email",
            templates: [.fallback: templates],
            link: try LinkTemplate("https://example.com/?token={token}"),
            sampleVariables: [:]
        )
        var equal = 0
        var faulty = 0
        for round in 0..<1000 {
            // The other tests wait for mails meanwhile, on as few threads.
            if round.isMultiple(of: 10) { await Task.yield() }
            var variables: [String: JSONValue] = [:]
            for name in ["a", "b", "items", "list", "object", "flag", "name", "locale"] {
                let texts = (0..<Int.random(in: 0...2)).map { _ in JSONValue.string(Self.texts.randomElement() ?? "") }
                switch name {
                // Anything at all makes most rounds end with a fault.
                case _ where Int.random(in: 0..<16) == 0: variables[name] = Self.value(&random)
                case "items", "list": variables[name] = .array(texts)
                case "object": variables[name] = .object(["inner": texts.first ?? .number("1")])
                case "flag": variables[name] = .bool(.random())
                default: variables[name] = .string(Self.texts.randomElement() ?? "")
                }
            }
            let values = TemplateValues(
                of: Message(
                    id: Int64(round),
                    kind: "verify-email",
                    recipient: "ann@example.com",
                    token: Token(Self.texts[1 + round % (Self.texts.count - 1)]),
                    envelopeID: "preview",
                    requestedAt: Timestamp(milliseconds: 1_795_442_400_000),
                    expiresAt: round.isMultiple(of: 2) ? nil : Timestamp(milliseconds: 1_795_444_400_000)
                ),
                variables: variables,
                kind: kind,
                language: .fallback,
                sender: Sender(name: round.isMultiple(of: 3) ? nil : "Ann & Ben", address: "no-reply@example.com")
            )
            do throws(CompositionError) {
                let skeleton = try templates.skeleton(for: values)
                for (template, body) in [(text, skeleton.text), (html, skeleton.html)] {
                    var bytes: [UInt8] = []
                    body.append(values.texts, to: &bytes)
                    #expect(bytes == Self.encoded(try template.render(values.all)), "\(variables)")
                }
                equal += 1
            } catch {
                let rendering = #expect(throws: CompositionError.self) {
                    _ = try text.render(values.all)
                    _ = try html.render(values.all)
                }
                #expect(rendering?.description == error.description)
                faulty += 1
            }
        }
        #expect(equal > 100 && faulty > 100)
    }

    /// The whole text at once, as RFC 2045 has it: the shorter one of both encodings.
    private static func encoded(_ text: String) -> [UInt8] {
        var normalized: [UInt8] = []
        TransferEncoding.appendNormalized(Array(text.utf8), to: &normalized)
        var quotedPrintable: [UInt8] = []
        TransferEncoding.appendQuotedPrintable(normalized, to: &quotedPrintable)
        let field = "Content-Transfer-Encoding: "
        if quotedPrintable.count <= TransferEncoding.base64Length(of: normalized.count) {
            return Array("\(field)quoted-printable\r\n\r\n".utf8) + quotedPrintable
        }
        var bytes = Array("\(field)base64\r\n\r\n".utf8)
        TransferEncoding.appendBase64(normalized, to: &bytes)
        return bytes
    }

    @Test("values of two messages have the same shape only if no section can tell them apart")
    func shapes() throws {
        func shape(_ json: String) throws -> [UInt8] {
            let variables = try JSONReader.members(of: json)
            let kind = MailKind(name: "k", templates: [:], link: nil, sampleVariables: [:])
            return TemplateValues(
                of: Message(
                    id: 1,
                    kind: "k",
                    recipient: "a@b.c",
                    token: Token("t"),
                    envelopeID: "e",
                    requestedAt: Timestamp(milliseconds: 1_795_442_400_000)
                ),
                variables: variables,
                kind: kind,
                language: .fallback,
                sender: Sender(name: nil, address: "a@b.c")
            ).shape
        }
        #expect(try shape(#"{"a": "x", "b": 1}"#) == shape(#"{"b": "7", "a": ""}"#))
        let different = [
            "{}", #"{"a": "x"}"#, #"{"b": "x"}"#, #"{"a": null}"#, #"{"a": true}"#, #"{"a": false}"#, #"{"a": []}"#,
            #"{"a": ["x"]}"#, #"{"a": ["x", "y"]}"#, #"{"a": {}}"#, #"{"a": {"b": "x"}}"#, #"{"a": {}, "b": "x"}"#,
            #"{"a": [["x"]]}"#, #"{"a": [[], "x"]}"#, #"{"as1:b": "x"}"#, #"{"a": "x", "b": "x"}"#,
        ]
        #expect(try Set(different.map(shape)).count == different.count)
    }

    @Test("a template with U+FFFF, which marks a text's place, is refused with its line")
    func delimiter() throws {
        let error = #expect(throws: TemplateLoadingError.self) {
            try Template(source: "one\ntwo \u{FFFF}1\u{FFFF}", file: "body.txt", isHTML: false)
        }
        #expect(error?.problems.map(\.description) == ["body.txt:2: has U+FFFF, which is no character"])
    }
}
