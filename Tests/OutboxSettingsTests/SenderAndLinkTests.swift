// The sender's address and name, and the links.

import OutboxCore
import TestSupport
import Testing

@testable import OutboxSettings

@Suite struct SenderAndLinkTests {
    @Test(
        "an address of RFC 5321 is taken",
        arguments: [
            "no-reply@example.com", "a.b+c@example.com", "root@localhost", "o'hara@xn--mnchen-3ya.example",
            "{x}@a.b-c.d",
        ]
    )
    func goodAddress(address: String) throws {
        #expect(try SenderAddress.checked(address) == address)
    }

    @Test(
        "an address that is none is refused, with the reason",
        arguments: [
            ("", "an address with one @"), ("a", "an address with one @"), ("a@b@c.example", "an address with one @"),
            ("@example.com", "before the @"), (".a@example.com", "before the @"), ("a..b@example.com", "before the @"),
            ("a.@example.com", "before the @"), ("a(b)@example.com", "before the @"),
            ("a,b@example.com", "before the @"),
            ("a@", "a domain name"), ("a@-b.example", "a domain name"), ("a@b..example", "a domain name"),
            ("a@example.com.", "a domain name"), ("a@[192.0.2.1]", "a domain name"), ("a@192.0.2.1", "a domain name"),
            ("\"a\"@example.com", "without quotation marks"), ("ü@example.com", "in ASCII"),
            ("Me <a@example.com>", "a bare address"), ("<a@example.com>", "a bare address"),
            ("a@example.com\r\nBcc:b", "a bare address"),
            ("a\u{7F}@example.com", "a bare address"), ("a\u{0}@example.com", "a bare address"),
            (String(repeating: "a", count: 65) + "@example.com", "1 to 64 octets"),
            ("a@" + String(repeating: "abcdefg.", count: 31) + "abcdef", "254 in all"),
        ]
    )
    func badAddress(address: String, reason: String) throws {
        let error = try #require(throws: InvalidSetting.self) { try SenderAddress.checked(address) }
        guard case .expected(let expected, _) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(expected.contains(reason))
    }

    @Test("a sender is a valid mail address, in ASCII before the @", arguments: addressTable)
    func table(row: AddressCase) {
        #expect(((try? SenderAddress.checked(row.address)) != nil) == row.isSender)
    }

    @Test("an international domain is converted to A-labels")
    func internationalDomain() throws {
        #expect(try SenderAddress.checked("no-reply@münchen.example") == "no-reply@xn--mnchen-3ya.example")
    }

    @Test("the error for an address with a name says where the name belongs")
    func nameInAddress() {
        let text = Fixture.minimal.replacing("no-reply@cloudone.trendmicro.com", with: "\"Me <me@example.com>\"")
        #expect(
            Fixture.problems(text) == [
                "line 2: sender.address: expected a bare address such as ann@example.com, without a name, spaces or angle "
                    + "brackets, found "
                    + "\"Me <me@example.com>\"; the name beside it has a key of its own, sender.name"
            ]
        )
    }

    @Test("a sender's name has no control characters and at most 128 characters")
    func senderName() {
        let text = Fixture.minimal.replacing("Trend Cloud One", with: "\"a\\r\\nBcc: b\"")
        #expect(
            Fixture.problems(text) == [
                "line 2: sender.name: expected the name of the sender without control characters, found "
                    + "\"a\\r\\nBcc: b\""
            ]
        )
        let long = Fixture.minimal.replacing("Trend Cloud One", with: String(repeating: "x", count: 129))
        #expect(Fixture.problems(long).first?.contains("of at most 128 characters") == true)
    }

    @Test(
        "a link that can carry a token is taken",
        arguments: [
            "https://example.com/verify?token={token}", "https://example.com/{token}", "https://example.com/#{token}",
            "HTTPS://example.com:8443/a?x=1&token={token}", "http://localhost/{token}",
            "http://127.0.0.1:8080/?t={token}",
            "http://[::1]/{token}", "https://192.0.2.1/{token}",
        ]
    )
    func goodLink(link: String) throws {
        #expect(throws: Never.self) { try LinkTemplate(link) }
    }

    @Test(
        "a link that cannot is refused, with the reason",
        arguments: [
            ("https://example.com/", "with {token} where the token goes"),
            ("https://example.com/{token}?t={token}", "with {token} only once"),
            ("https://example.com/{kind}/{token}", "{token} is the only placeholder there is"),
            ("https://example.com/{{token}}", "{token} is the only placeholder there is"),
            ("/verify?token={token}", "an absolute URL"), ("example.com/{token}", "an absolute URL"),
            ("https:///{token}", "an absolute URL"), ("ftp://example.com/{token}", "begins with https://"),
            ("javascript:{token}", "an absolute URL"), ("https://{token}.example.com/", "must come after the host"),
            ("https://{token}.example.com/TOKEN", "must come after the host"),
            ("https://u:p@example.com/{token}", "does not belong in a link"),
            ("https://example.com/a b/{token}", "percent-encode"), ("https://example.com/\n{token}", "percent-encode"),
            ("https://example.com/ü?t={token}", "percent-encode"),
            ("https://example.com/\" onclick={token}", "percent-encode"),
            ("https://example.com{token}", "must come after the host"),
            ("https://example.com:0/{token}", "the host must be"), ("https://10.0.0.300/{token}", "the host must be"),
            ("http://example.com/{token}", "over http:// anyone on the way can read the token"),
            ("http://localhost.example.com/{token}", "over http:// anyone on the way can read the token"),
        ]
    )
    func badLink(link: String, reason: String) throws {
        let error = try #require(throws: InvalidLink.self) { try LinkTemplate(link) }
        #expect("\(error)".contains(reason), "\(error)")
    }

    @Test("http is refused with the reason and what to write")
    func plainHTTP() {
        let text = Fixture.minimal.replacing(
            "https://cloudone.trendmicro.com/v",
            with: "http://cloudone.trendmicro.com/v"
        )
        #expect(
            Fixture.problems(text) == [
                "line 5: links.verify-email: expected a URL that begins with https://, found "
                    + "\"http://cloudone.trendmicro.com/verify-email?token={token}\"; over http:// anyone on the way "
                    + "can read the token; http is allowed for localhost only"
            ]
        )
    }

    @Test("there must be a link", arguments: ["{}", "[]", "https://example.com/"])
    func noLink(value: String) {
        let text = "links: \(value)\n" + Fixture.withRelay.replacing(/links:.*\n/, with: "")
        #expect(Fixture.problems(text).first?.hasPrefix("line 1: links: expected a mapping from each kind") == true)
    }

    @Test(
        "the name of a kind is checked, at the key",
        arguments: ["Verify", "1a", "-a", "a_b", "a b", String(repeating: "a", count: 65)]
    )
    func badKind(kind: String) {
        let problems = Fixture.problems(Fixture.minimal + "  \"\(kind)\": \"https://example.com/{token}\"\n")
        #expect(problems.count == 1)
        #expect(problems.first?.contains("expected the name of a kind of mail: 1 to 64 lower-case letters") == true)
        #expect(problems.first?.hasPrefix("line 7: links.") == true)
    }

    @Test("the longest name of a kind is accepted")
    func longestKind() throws {
        let kind = String(repeating: "a", count: 64)
        #expect(try KindName.checked(kind) == kind)
        #expect(throws: InvalidSetting.self) { try KindName.checked("a\n") }
    }
}
