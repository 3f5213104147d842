// Encoding a body line by line gives the same result as encoding the whole.

import Foundation
import InternetMessage
import TestSupport
import Testing

@testable import MailComposer
@testable import MailTemplates

@Suite struct BodyTemplateTests {
    /// Every construct that templates may use, with text at all places that matter for an encoding: at the start and
    /// the end of a line, beside carriage returns, alone on a line.
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
        {{a}}Fro{{#b}}{{b}}{{/b}}m {{#a}}
        Fro{{/a}}m \r{{b}}
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

    @Test("for random values, with and without constants, a body equals the encoding of the whole text")
    func sameAsEncodingTheWhole() async throws {
        var random = SystemRandomNumberGenerator()
        let names = ["token", "recipient", "locale", "kind", "sender_name", "sender_address", "link", "expires"]
        var builtIn: [JSONValue?] = [
            .string("tok=1"), .string("ann@example.com"), .string("en"), .string("verify-email"), .string("Ann & Ben"),
            .string("no-reply@example.com"), .string("https://example.com/?token=tok%3D1&x"), nil,
        ]
        let constants = Dictionary(
            uniqueKeysWithValues: zip(names, builtIn).dropFirst(2).prefix(4).map { ($0, $1 ?? .null) }
        )
        let templates = try [Template.Format.text, .html].flatMap { format in
            try [[:], constants].map { constants in
                BodyTemplate(
                    try Template(source: Self.source, file: "", format: format, builtIn: names, constants: constants) {
                        _ in
                        .unreadable
                    }
                )
            }
        }
        var equal = 0
        var faulty = 0
        for round in 0..<1000 {
            // Other tests wait for mails meanwhile and need the same few threads.
            if round.isMultiple(of: 10) { await Task.yield() }
            var variables: [String: JSONValue] = [:]
            for name in ["a", "b", "items", "list", "object", "flag", "name", "locale"] {
                let texts = (0..<Int.random(in: 0...2)).map { _ in JSONValue.string(Self.texts.randomElement() ?? "") }
                switch name {
                // Arbitrary values make a round end with a fault, so they are rare.
                case _ where Int.random(in: 0..<16) == 0: variables[name] = Self.value(&random)
                case "items", "list": variables[name] = .array(texts)
                case "object": variables[name] = .object(["inner": texts.first ?? .number("1")])
                case "flag": variables[name] = .bool(.random())
                default: variables[name] = .string(Self.texts.randomElement() ?? "")
                }
            }
            builtIn[0] = .string(Self.texts[1 + round % (Self.texts.count - 1)])
            builtIn[7] = round.isMultiple(of: 2) ? nil : .object(["in": .string("30 minutes"), "at": .string("14:30")])
            let renderings = templates.map { $0.template.render(.object(variables), builtIn: builtIn) }
            for index in templates.indices {
                let text = templates[index].template.bytes(of: renderings[index].pieces)
                var bytes: [UInt8] = []
                templates[index].append(renderings[index].pieces, to: &bytes)
                #expect(bytes == Self.encoded(text), "\(variables)")
                let plain = index / 2 * 2
                #expect(text == templates[plain].template.bytes(of: renderings[plain].pieces), "\(variables)")
                #expect(renderings[index].faults == renderings[0].faults, "\(variables)")
            }
            if renderings[0].faults.isEmpty { equal += 1 } else { faulty += 1 }
        }
        #expect(equal > 100)
        #expect(faulty > 100)
    }

    /// Parts of templates and of values, with all that quoted-printable treats in an unusual way.
    private static let fragments = [
        " ", "\t", "word", "\n", "\r\n", "\rx", "From ", "Fro", "F", "rom ", "m", "=", "=20", "ü", "日本", "\u{7F}", "~",
        "<a href=\"x\">",
        String(repeating: "x", count: 71), String(repeating: "=", count: 24), String(repeating: "y ", count: 40),
    ]

    @Test("for random templates and values without a CR at an end, the prepared body equals the encoding of the whole")
    func prepared() async throws {
        var generator = SplitMix(seed: 11)
        let fragment = { Self.fragments[Int.random(in: 0..<Self.fragments.count, using: &generator)] }
        let tags = [
            "{{a}}", "{{b}}", "{{a}}", "{{^a}}never{{/a}}", "{{#c}}{{/c}}{{#b}}{{b}}{{/b}}", "\n", "\n", "\r\n", "\rx",
        ]
        for round in 0..<3000 {
            if round.isMultiple(of: 10) { await Task.yield() }
            var source = ""
            for _ in 0..<Int.random(in: 0...14, using: &generator) {
                source +=
                    Int.random(in: 0..<2, using: &generator) == 0
                    ? fragment() : tags[Int.random(in: 0..<tags.count, using: &generator)]
            }
            let body = BodyTemplate(try Template(source: source, file: "", format: .text) { _ in .unreadable })
            for _ in 0..<4 {
                let value = { (0..<Int.random(in: 0...3, using: &generator)).map { _ in fragment() }.joined() }
                let values = JSONValue.object(["a": .string(value()), "b": .string(value())])
                let pieces = body.template.render(values).pieces
                let text = body.template.bytes(of: pieces)
                var expected: [UInt8] = []
                let length = TransferEncoding.appendQuotedPrintable(text, to: &expected)
                var bytes: [UInt8] = []
                #expect(body.appendPrepared(pieces, to: &bytes) == length, "\(source) \(values)")
                #expect(bytes == expected, "\(source) \(values)")
            }
        }
    }

    @Test(
        "a value or a literal that ends with a CR is left to the encoding of the whole text",
        arguments: [("{{a}}", "x\ny\r"), ("{{a}}\n", "x\r"), ("x\r{{a}}", "y"), ("{{a}}\r", "y")]
    )
    func notPrepared(source: String, value: String) throws {
        let body = BodyTemplate(try Template(source: source, file: "", format: .text) { _ in .unreadable })
        let pieces = body.template.render(.object(["a": .string(value)])).pieces
        var bytes: [UInt8] = []
        #expect(body.appendPrepared(pieces, to: &bytes) == nil)
        bytes = []
        body.append(pieces, to: &bytes)
        #expect(bytes == Self.encoded(body.template.bytes(of: pieces)))
    }

    /// Encodes the whole text at once by RFC 2045, in the shorter of the two encodings.
    private static func encoded(_ text: [UInt8]) -> [UInt8] {
        var normalized: [UInt8] = []
        TransferEncoding.appendNormalized(text, to: &normalized)
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
}
