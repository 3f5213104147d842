// YAML that is broken, hostile, or too clever for a configuration.

import Testing

@testable import OutboxSettings

@Suite struct YAMLDocumentTests {
    @Test(
        "a file without content says what it needs",
        arguments: ["", "\n", "# only a comment\n", "---\n", "~\n", "---\n...\n"]
    )
    func empty(text: String) {
        #expect(
            Fixture.problems(text) == ["the file is empty; it needs at least database, sender, links and relays"]
        )
    }

    @Test("a file without a mapping is refused and not quoted", arguments: ["canary\n", "'canary'\n", "- canary\n"])
    func noMapping(text: String) {
        let problems = Fixture.problems(text)
        #expect(problems.count == 1)
        #expect(
            problems.first?.hasPrefix(
                "line 1, column 1: expected a mapping with the keys database, sender, links and relays, found "
            ) == true
        )
        #expect(!problems.joined().contains("canary"))
    }

    @Test(
        "broken YAML is reported with its place and without the line, which could hold a password",
        arguments: [
            ("sender: {address: canary\nrelays: x\n", "line 2, column 7: "),
            ("password: \"canary\n", "line 2, column 1: "),
            ("a: canary\n\tb: canary\n", "line 2, column 1: "),
            ("a: canary: canary\n", "line 1, column 10: "),
            ("a: *canary\n", "line 1, column 4: "),
            ("a: %canary\n", "line 1, column 4: "),
            ("a: canary\n b: c\n", "line 2, column 3: "),
        ]
    )
    func broken(text: String, place: String) {
        let problems = Fixture.problems(text)
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("\(place)this is not valid YAML: ") == true, "\(problems)")
        #expect(!problems.joined().contains("canary"))
    }

    @Test("a control character in the file is refused")
    func controlCharacter() {
        let problems = Fixture.problems(Fixture.minimal + "lease: 5\u{1}s\n")
        #expect(problems.count == 1)
        #expect(problems.first?.contains("control characters are not allowed; remove what is not text") == true)
    }

    @Test("a second document is refused")
    func secondDocument() {
        #expect(
            Fixture.problems(Fixture.minimal + "---\n" + Fixture.minimal) == [
                "line 7, column 1: a second YAML document begins here; keep only one in the file"
            ]
        )
    }

    @Test("a key that is given twice is refused with its place")
    func duplicate() {
        #expect(
            Fixture.problems(Fixture.minimal + "lease: 15m\nlog: {level: info}\n\"lease\": 16m\n") == [
                "line 7, column 1: \"lease\": given more than once in the same mapping, here first; keep one"
            ]
        )
        #expect(Fixture.relayProblems("tls: none", "tls: required").count == 1)
        #expect(Fixture.problems(Fixture.minimal + "  verify-email: 'https://example.com/{token}'\n").count == 1)
    }

    @Test("a password that is written as a key twice is not shown")
    func duplicatePassword() {
        let problems = Fixture.relayProblems("user: me", "password: {Canary1, Canary1}")
        #expect(problems.count == 1)
        #expect(
            problems.first?.hasPrefix("line 7, column 16: the key here: given more than once") == true,
            "\(problems)"
        )
        #expect(!problems.joined().contains("Canary1"))
    }

    @Test("anchors and aliases are refused at their place")
    func anchors() {
        let message = "YAML anchors and aliases (& and *) are not used here; write the value out"
        #expect(Fixture.problems(Fixture.minimal + "lease: &a 15m\n") == ["line 7, column 8: \(message)"])
        #expect(
            Fixture.problems(Fixture.minimal + "lease: &a 15m\ngive_up_after: *a\n") == ["line 7, column 8: \(message)"]
        )
    }

    @Test("a bomb of nested aliases is refused before it grows, as a value and as a key")
    func aliasBomb() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<30 {
            let alias = "*a\(level - 1)"
            text += "a\(level): &a\(level) [\(Array(repeating: alias, count: 10).joined(separator: ", "))]\n"
        }
        for end in ["b: *a29\n", "? *a29\n: b\n"] {
            #expect(
                Fixture.problems(text + end) == [
                    "line 2, column 50: YAML anchors and aliases (& and *) are not used here; write the value out"
                ]
            )
        }
    }

    @Test("aliases cannot hide behind a # that begins no comment")
    func aliasBombBehindHash() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<30 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\"\n  # \", \(aliases)]\n"
        }
        let problems = Fixture.problems(text + "? *a29\n: b\n")
        #expect(problems.count == 1)
        #expect(problems.first?.contains("YAML anchors and aliases") == true)
    }

    @Test("an anchor deep in other values is found")
    func deepAnchor() {
        let text = "a: \(String(repeating: "[", count: 900))&b c\(String(repeating: "]", count: 900))\n"
        #expect(
            Fixture.problems(text) == [
                "line 1, column 904: YAML anchors and aliases (& and *) are not used here; write the value out"
            ]
        )
    }

    @Test("stars in comments and patterns are not aliases")
    func stars() throws {
        let text = Fixture.minimal.replacing("Trend Cloud One", with: "'*One* & *Two*'")
        #expect(try Fixture.read("#*a *b *c *d *e *f *g *h *i *j\n" + text).sender.name == "*One* & *Two*")
    }

    @Test("very deep nesting is refused", arguments: ["[", "{a: ", "- "])
    func deep(opening: String) {
        let problems = Fixture.problems(String(repeating: opening, count: 100_000) + "\n")
        #expect(problems.count == 1)
        #expect(problems.first?.contains("this is not valid YAML") == true)
    }

    @Test("nesting within YAML's limit is refused by its key")
    func nested() {
        let text =
            Fixture.minimal + "lease: \(String(repeating: "[", count: 900))\(String(repeating: "]", count: 900))\n"
        #expect(Fixture.problems(text) == ["line 7: lease: expected a duration such as 5s, 1m30s or 24h, found a list"])
    }
}
