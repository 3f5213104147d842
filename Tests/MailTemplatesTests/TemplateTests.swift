// Behaviour beyond the specification: places of errors, rejected templates, constants.

import Testing

@testable import MailTemplates

@Suite struct TemplateTests {
    /// Compiles this source, with files that it may include.
    private func template(
        _ source: String,
        _ partials: [String: String] = [:],
        format: Template.Format = .html,
        builtIn: [String] = [],
        constants: [String: JSONValue] = [:]
    ) throws(InvalidTemplate) -> Template {
        try Template(source: source, file: "root", format: format, builtIn: builtIn, constants: constants) { name in
            partials[name].map { .found(file: name, source: $0, isWords: false) }
                ?? .missing(places: ["a/\(name)", "b/\(name)"])
        }
    }

    private func problems(_ source: String, _ partials: [String: String] = [:]) -> [String] {
        do throws(InvalidTemplate) {
            _ = try template(source, partials)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    private func text(_ template: Template, _ variables: String, builtIn: [JSONValue?] = []) throws -> String {
        let (pieces, faults) = template.render(.object(try JSONReader.members(of: variables)), builtIn: builtIn)
        #expect(faults == [])
        return String(decoding: template.bytes(of: pieces), as: UTF8.self)
    }

    @Test("a template that is nested too deeply, or that grows with each level, is refused at once")
    func limits() {
        let deep = String(repeating: "{{#a}}", count: 30_000)
        #expect(problems(deep) == ["root:1: sections and blocks are nested more than 100 levels deep"])
        let fine = String(repeating: "{{#a}}", count: 99) + String(repeating: "{{/a}}", count: 99)
        #expect(problems(fine) == [])
        let open = String(repeating: "{{<p}}{{$b}}", count: 40)
        let growing = open + "x" + String(repeating: "{{/b}}{{/p}}", count: 40)
        let problems = problems(growing, ["p": "{{$b}}-{{/b}}{{$b}}-{{/b}}"])
        #expect(problems.count == 1 && problems[0].contains("more than 100000 parts"), "\(problems)")
    }

    @Test("within a line, the newline that ends a partial is removed, whether LF or CRLF", arguments: ["\n", "\r\n"])
    func partialWithinLine(newline: String) throws {
        #expect(try text(try template("a {{>p}} c", ["p": "b\(newline)"]), "{}") == "a b c")
    }

    @Test("every problem of a template and of what it includes is reported, each with its own file and line")
    func allProblems() {
        let problems = problems(
            "{{#a}}\n{{x y}}\n{{/b}}\n{{>one}}\n{{<two}}\nlost\n{{$title}}{{=}}{{/title}}{{name}}{{/two}}\n{{/c}}\n{{#d}}\n",
            ["one": "\n{{&html}}{{>gone}}", "two": "{{$title}}-{{/title}}\n\n{{open"]
        )
        #expect(
            problems == [
                "root:2: 'x y' is not a name: use letters, digits, '_' and '-', with dots between names",
                "root:3: {{/b}} closes a tag that is not the innermost open one",
                "one:2: values in HTML are always escaped: write {{html}}",
                "one:2: there is no 'gone' to include: looked for a/gone, b/gone",
                "root:5: text within {{<two}} is never shown: write it into a block",
                "root:7: other delimiters ({{=) are not supported: use {{ and }}",
                "root:7: {{<two}} may contain only blocks, {{$name}}…{{/name}}",
                "two:3: a tag is not closed: add }}",
                "root:8: {{/c}} closes a tag that is not the innermost open one",
                "root:9: {{/d}} is missing: this tag is not closed",
            ]
        )
    }

    @Test(
        "a section, a block and a parent that do not end are reported where they begin",
        arguments: ["{{#name}}", "{{^name}}", "{{$name}}", "{{<name}}", "{{<name}}{{$name}}"]
    )
    func unclosed(tag: String) {
        #expect(
            problems("one\n\(tag)\n\n", ["name": "{{$name}}-{{/name}}"]).first
                == "root:2: {{/name}} is missing: this tag is not closed"
        )
    }

    @Test("files that include each other are refused with the whole chain, wherever it begins")
    func recursion() {
        let partials = ["a": "{{>b}}", "b": "\n{{<c}}{{/c}}", "c": "{{#s}}\n\n{{>a}}{{/s}}"]
        #expect(problems("{{>a}}", partials) == ["c:3: a file includes itself: a → b → c → a"])
        #expect(problems("{{>b}}", partials) == ["a:1: a file includes itself: b → c → a → b"])
        #expect(problems("{{>root}}", ["root": "{{>root}}"]) == ["root:1: a file includes itself: root → root"])
    }

    @Test("files that include each other twice, and those again, are refused before they take all memory")
    func manyInclusions() {
        let partials = Dictionary(uniqueKeysWithValues: (0..<40).map { ("p\($0)", "{{>p\($0 + 1)}}{{>p\($0 + 1)}}") })
        let problems = problems("{{>p0}}", partials.merging(["p40": "x"]) { $1 })
        #expect(Set(problems.map { $0.drop { $0 != " " } }) == [" a template includes more than 1000 files"])
    }

    @Test("content for a block that the parent doesn't have is refused, and not lost")
    func unknownBlock() {
        let partials = [
            "parent": "{{<layout}}{{$body}}{{$inner}}-{{/inner}}{{/body}}{{/layout}}",
            "layout": "{{$body}}-{{/body}}{{>foot}}", "foot": "{{$foot}}-{{/foot}}",
        ]
        #expect(problems("{{<parent}}\n{{$inner}}x{{/inner}}{{$foot}}y{{/foot}}{{/parent}}", partials) == [])
        #expect(
            problems("{{<parent}}\n{{$iner}}x{{/iner}}{{/parent}}{{$iner}}{{/iner}}", partials)
                == ["root:2: {{<parent}} has no block 'iner'"]
        )
        #expect(
            problems("{{<parent}}{{$inner}}x{{/inner}}\n{{$inner}}y{{/inner}}{{/parent}}", partials)
                == ["root:2: the block 'inner' is given twice"]
        )
    }

    @Test("a block without a default, for which there is nothing, is reported, and not left empty")
    func emptyBlock() {
        let partials = ["layout": "{{$a}}default{{/a}}\n{{$b}}{{/b}}{{>foot}}", "foot": "\n\n{{$b}}{{/b}}{{$c}}{{/c}}"]
        #expect(problems("{{<layout}}{{$b}}{{/b}}{{$c}}c{{/c}}{{/layout}}", partials) == [])
        #expect(
            problems("{{<layout}}{{$c}}c{{/c}}{{/layout}}", partials) == [
                "layout:2: the block 'b' has no default, and root has no content for it",
                "foot:3: the block 'b' has no default, and root has no content for it",
            ]
        )
    }

    @Test("the line break that ends a file is kept where its tag has a line to itself, and dropped within a line")
    func finalLineBreak() throws {
        let template = try template("a {{>part}} b\n  {{>part}}\nc {{<part}}{{/part}}.", ["part": "{{$x}}X{{/x}}\n"])
        #expect(try text(template, "{}") == "a X b\n  X\nc X.")
    }

    @Test("a missing value is reported with the file and line of its tag, in a partial, a block and a default")
    func missingValues() throws {
        let template = try template(
            "{{<layout}}\n{{$a}}\n{{one}}{{/a}}\n{{/layout}}{{#list}}\n{{.}}{{>part}}{{/list}}",
            ["layout": "{{$a}}{{/a}}\n{{$b}}{{two.x}}{{/b}}", "part": "\n\n{{.}}{{three}}"]
        )
        let (_, faults) = template.render(.object(["list": .array([.null]), "two": .object([:])]))
        #expect(
            faults.map { "\($0.file):\($0.line): \($0.name)" } == [
                "root:3: one", "layout:2: two.x", "root:5: list", "part:3: list", "part:3: three",
            ]
        )
        #expect(faults.allSatisfy { $0.reason == .missing })
        #expect(template.names == ["one", "two", "list", "three"])
    }

    @Test(
        "a template's text is known in advance if no message changes it",
        arguments: [
            ("Hello", "Hello"), ("", ""), ("{{! a comment }}{{c}}{{#c}}, {{.}}{{/c}}", "&lt;C&gt;, &lt;C&gt;"),
            ("{{.}}", nil),
            ("a{{b}}", nil), ("{{#b}}a{{/b}}", nil), ("{{^b}}a{{/b}}", nil),
        ]
    )
    func constantText(source: String, expected: String?) throws {
        let template = try template(source, builtIn: ["c"], constants: ["c": .string("<C>")])
        #expect(template.constantText == expected)
    }

    @Test(
        "of a row's variables, only those that a template asks for are kept",
        arguments: [
            "{}", #"{"a": 1, "b": {"a": 2, "c": [{"d": 3}]}, "c": "x"}"#, #"{"a": 1, "a": "last"}"#,
            #"{"\u0061": "\"\\\n"}"#,
            #"{"b": "\ud83d", "c": [], "a": null}"#,
        ]
    )
    func namedMembers(text: String) throws {
        let all = try JSONReader.members(of: text)
        for names: Set in [[], ["a"], ["b", "c"], ["a", "d"]] {
            #expect(try JSONReader.members(of: text, named: names) == all.filter { names.contains($0.key) })
        }
        #expect(throws: JSONReader.Fault.notAnObject) { try JSONReader.members(of: text + "x", named: []) }
    }

    @Test("a built-in value wins over a variable, and an absent one is missing, whatever the variables say")
    func builtIn() throws {
        let template = try template("{{a}}{{#b}}x{{/b}}{{^b}}-{{/b}}{{#o}}{{a}}{{/o}}", builtIn: ["a", "b"])
        let variables = #"{"a": "evil", "b": "evil", "o": {"a": "own"}}"#
        #expect(try text(template, variables, builtIn: [.string("good"), nil]) == "good-own")
        let (_, faults) = template.render(.object(["a": .string("evil")]), builtIn: [nil, nil])
        #expect(faults.map(\.name) == ["a"])
    }

    @Test(
        "constants are folded into the text, escaped, and change nothing else",
        arguments: [
            ("{{c}} {{x}}", "&lt;C&gt; 1"), ("{{#c}}<{{.}}>{{c}}{{x}}{{/c}}{{^c}}none{{/c}}", "<&lt;C&gt;>&lt;C&gt;1"),
            ("{{^c}}{{x}}{{/c}}{{#no}}{{x}}{{/no}}{{^no}}no{{/no}}", "no"),
            ("{{#list}}{{.}}{{#o}}{{c}}{{/o}},{{/list}}", "aown,bown,"),
            ("{{#o}}{{c}}{{/o}}{{^o}}{{c}}{{/o}}", "own"), ("{{#s}}{{#c}}{{.}}{{x}}{{/c}}{{/s}}", "&lt;C&gt;1"),
            ("{{#s}}{{c}}{{#no}}{{c}}{{/no}}{{/s}}{{^s}}{{c}}{{/s}}", "&lt;C&gt;"),
        ]
    )
    func constants(source: String, expected: String) throws {
        let builtIn = [JSONValue.string("<C>"), .bool(false)]
        let plain = try template(source, builtIn: ["c", "no"])
        let folded = try template(source, builtIn: ["c", "no"], constants: ["c": builtIn[0], "no": builtIn[1]])
        let variables = #"{"x": 1, "list": ["a", "b"], "o": {"c": "own"}, "s": "s"}"#
        #expect(try text(plain, variables, builtIn: builtIn) == expected)
        #expect(try text(folded, variables, builtIn: builtIn) == expected)
        let values = JSONValue.object(try JSONReader.members(of: variables))
        let joined = plain.render(values, builtIn: builtIn)
        for count in 0...2 {
            let (first, others) = (Array(builtIn.prefix(count)), Array(builtIn.dropFirst(count)))
            #expect(plain.render(values, builtIn: first, constants: others) == joined)
        }
        let faults = [plain, folded].map { $0.render(.object([:]), builtIn: builtIn).faults }
        #expect(faults[0] == faults[1])
    }

    @Test("adjacent text is one literal, wherever it comes from")
    func literals() throws {
        let template = try template(
            "a{{! comment }}b{{>part}}{{c}}{{<layout}}{{$x}}X{{/x}}{{/layout}}.",
            ["part": "P{{$x}}-{{/x}}", "layout": "<{{$x}}{{/x}}>"],
            builtIn: ["c"],
            constants: ["c": .string("C")]
        )
        #expect(template.literals.map { String(decoding: $0, as: UTF8.self) } == ["abP-C<X>."])
    }
}
