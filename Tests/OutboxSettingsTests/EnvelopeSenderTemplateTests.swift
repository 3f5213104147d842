// The envelope sender with a place for the identifier: permitted settings, and both directions of the conversion.

import Testing

@testable import OutboxSettings

@Suite struct EnvelopeSenderTemplateTests {
    private let id = "0123456789abcdef0123456789abcdef"

    @Test(
        "an identifier goes in and comes out again, wherever it stands in the local part",
        arguments: [
            ("bounces+{id}@example.com", "bounces+0123456789abcdef0123456789abcdef@example.com"),
            ("{id}@example.com", "0123456789abcdef0123456789abcdef@example.com"),
            ("{id}-b.x@example.com", "0123456789abcdef0123456789abcdef-b.x@example.com"),
            ("a{id}b@Example.com", "a0123456789abcdef0123456789abcdefb@Example.com"),
            ("Bounces.{id}@xn--mnchen-3ya.example", "Bounces.0123456789abcdef0123456789abcdef@xn--mnchen-3ya.example"),
        ]
    )
    func thereAndBack(text: String, address: String) throws {
        let template = try EnvelopeSenderTemplate(settingText: text)
        #expect(template.text == text)
        #expect(template.address(for: id) == address)
        #expect(template.envelopeID(in: address) == id)
        #expect(template.envelopeID(in: address.uppercased()) == id)
        #expect(template.envelopeID(in: template.address(for: "x")) == "x")
    }

    @Test("an identifier has 1 to 64 letters and digits")
    func lengths() throws {
        let template = try EnvelopeSenderTemplate(settingText: "b+{id}@example.com")
        let longest = String(repeating: "z9", count: 32)
        #expect(template.envelopeID(in: "b+\(longest)@example.com") == longest)
        #expect(template.envelopeID(in: "b+\(longest)a@example.com") == nil)
        #expect(template.envelopeID(in: "b+@example.com") == nil)
    }

    @Test(
        "an address of another shape has no identifier",
        arguments: [
            "", "b", "b+", "b+a", "+a@example.com", "b+a@example.co", "b+a@example.comm", "b+a@example.org",
            "c+a@example.com", "b-a@example.com", "b+a@example.com.", "<b+a@example.com>", " b+a@example.com",
            "b+a@example.com\n", "b+a b@example.com", "b+a-b@example.com", "b+a+b@example.com", "b+a.b@example.com",
            "b+ä@example.com", "b+a\u{301}@example.com", "b+٣@example.com", "b+a\u{0}@example.com", "b@example.com",
            "b+{id}@example.com", "b+a@example.com@example.com", "b+\u{212A}@example.com", "b+`@example.com",
            "b+a/@example.com", "b+a:@example.com", "b+a[@example.com",
        ]
    )
    func otherAddress(address: String) throws {
        let template = try EnvelopeSenderTemplate(settingText: "b+{id}@example.com")
        #expect(template.envelopeID(in: address) == nil)
    }

    @Test("a non-ASCII letter never matches a letter of the template")
    func kelvinSign() throws {
        let template = try EnvelopeSenderTemplate(settingText: "k+{id}@k.example")
        #expect(template.envelopeID(in: "K+a@K.EXAMPLE") == "a")
        #expect(template.envelopeID(in: "\u{212A}+a@k.example") == nil)
        #expect(template.envelopeID(in: "k+a@\u{212A}.example") == nil)
    }

    @Test("the texts before and behind the identifier must not overlap")
    func overlap() throws {
        let template = try EnvelopeSenderTemplate(settingText: "aa{id}aa@example.com")
        #expect(template.envelopeID(in: "aaa@example.com") == nil)
        #expect(template.envelopeID(in: "aaaa@example.com") == nil)
        #expect(template.envelopeID(in: "aaaaa@example.com") == "a")
    }

    @Test(
        "a template that cannot make an address is refused, with the reason",
        arguments: [
            (
                "bounces@example.com",
                """
                expected an address such as bounces+{id}@example.com, with {id} where the mail's identifier goes, \
                found "bounces@example.com"
                """
            ),
            (
                "b+{ID}@example.com",
                """
                expected an address such as bounces+{id}@example.com, with {id} where the mail's identifier goes, \
                found "b+{ID}@example.com"
                """
            ),
            (
                "{id}+{id}@example.com",
                """
                expected an address such as bounces+{id}@example.com, with {id} only once, found \
                "{id}+{id}@example.com"
                """
            ),
            (
                "{kind}+{id}@example.com",
                """
                expected an address such as bounces+{id}@example.com, found "{kind}+{id}@example.com"; {id} is the \
                only placeholder there is
                """
            ),
            (
                "b+{{id}}@example.com",
                """
                expected an address such as bounces+{id}@example.com, found "b+{{id}}@example.com"; {id} is the only \
                placeholder there is
                """
            ),
            (
                "bounces@{id}.example.com",
                """
                expected an address such as bounces+{id}@example.com, found "bounces@{id}.example.com"; {id} must \
                come before the @
                """
            ),
            (
                "b+{id}",
                "expected an address with one @, such as ann@example.com, found \"b+{id}\""
            ),
            (
                "b+{id}@-example.com",
                "expected a domain name after the @ that mail can go to, such as example.com, found \"b+{id}@-example.com\""
            ),
            (
                "b..{id}@example.com",
                """
                expected single dots before the @, none of them at an end, found \
                "b..{id}@example.com"
                """
            ),
            (
                "<b+{id}@example.com>",
                """
                expected a bare address such as ann@example.com, without a name, spaces or angle brackets, found \
                "<b+{id}@example.com>"; the name beside it has a key of its own, sender.name
                """
            ),
            (
                "abcdefghijklmnopqrstuvwxyz-123456{id}@example.com",
                """
                expected 1 to 64 octets before the @ and at most 254 in all, found \
                "abcdefghijklmnopqrstuvwxyz-123456{id}@example.com"; {id} becomes 32 of them
                """
            ),
        ]
    )
    func refused(text: String, message: String) {
        #expect(problems(text) == ["line 2: sender.envelope_from: \(message)"])
    }

    @Test("the lengths of a valid address are counted with an identifier of 32 octets in place")
    func longest() throws {
        let local = String(repeating: "a", count: 32)
        #expect(try EnvelopeSenderTemplate(settingText: "\(local){id}@example.com").address(for: id).count == 76)
        #expect(throws: InvalidSetting.self) { try EnvelopeSenderTemplate(settingText: "a\(local){id}@example.com") }

        let domain = String(repeating: "abcdefg.", count: 27) + "abcde"
        #expect(try EnvelopeSenderTemplate(settingText: "{id}@\(domain)").address(for: id).utf8.count == 254)
        #expect(problems("{id}@\(domain)f").first?.contains("254 in all") == true)
    }

    @Test("values other than text are refused", arguments: ["yes", "[a]", ""])
    func noText(value: String) {
        let text = Fixture.withRelay.replacing(
            "address: no-reply@example.com",
            with: "address: no-reply@example.com, envelope_from: \(value)"
        )
        let problems = Fixture.problems(text)
        #expect(problems.count == 1)
        #expect(
            problems.first?.hasPrefix("line 2: sender.envelope_from: expected an address with {id} in it, found")
                == true
        )
    }

    private func problems(_ text: String) -> [String] {
        Fixture.problems(
            Fixture.withRelay.replacing(
                "address: no-reply@example.com",
                with: "address: no-reply@example.com, envelope_from: \"\(text)\""
            )
        )
    }
}
