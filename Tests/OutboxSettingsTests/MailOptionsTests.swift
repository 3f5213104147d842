// What mails show beside their own text: pages, replies, Feedback-ID, logo and colour.

import OutboxCore
import OutboxSettings
import Testing

@Suite struct MailOptionsTests {
    @Test(
        "a colour on which white text can't be read is refused with its contrast",
        arguments: [
            ("#777777", "here it is 4.47:1"), ("#00aa00", "here it is 3.1"), ("#ffffff", "here it is 1.0:1"),
            ("0b57d0", "a colour such as"), ("#0b57d", "a colour such as"), ("#0b57dg", "a colour such as"),
            ("#+b57d0", "a colour such as"),
        ]
    )
    func colors(color: String, reason: String) {
        let problems = Fixture.problems(Fixture.minimal + "brand: {color: \"\(color)\"}\n")
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("line 7: brand.color: expected a ") == true, "\(problems)")
        #expect(problems.first?.contains(reason) == true, "\(problems)")
    }

    @Test(
        "the colours of dark mode have a contrast of 7 or more",
        arguments: ["#0b57d0", "#767676", "#c2185b", "#000000"]
    )
    func darkColors(color: String) throws {
        let brand = try BrandColor(color)
        #expect(brand.text == color)
        // The tint would be refused for white text, and the shade would not.
        #expect(throws: InvalidLink.self) { try BrandColor(brand.dark) }
        #expect(throws: Never.self) { try BrandColor(brand.darkText) }
    }

    @Test(
        "a wrong page, Feedback-ID or reply address is refused with the key",
        arguments: [
            ("help: \"http://example.com\"", "help: expected a URL that begins with https://"),
            ("help: \"https://ann:secret@example.com\"", "help: a user name or password does not belong"),
            ("help: \"https://example.com/a b\"", "help: expected a URL that begins with https://"),
            ("ask_again: {Verify: \"https://example.com\"}", "ask_again.Verify: expected the name of a kind"),
            ("feedback_id: {verify-email: \"a:b:c:d:sender\"}", "feedback_id.verify-email: expected one to four names"),
            ("feedback_id: {verify-email: \"verify:abc\"}", "feedback_id.verify-email: expected one to four names"),
            ("brand: {logo: \"https://example.com/logo.png\"}", "brand: logo needs sender.name"),
        ]
    )
    func refused(line: String, reason: String) {
        let minimal = Fixture.minimal.replacing("name: Trend Cloud One, ", with: "")
        let problems = Fixture.problems(minimal + line + "\n")
        #expect(problems.count == 1 && problems.first?.contains(reason) == true, "\(problems)")
    }
}
