// Which spellings of an address are equal, and which domains mail can go to.

import InternetMessage
import TestSupport
import Testing

@Suite("Addresses")
struct AddressTests {
    @Test(
        "two spellings of one address are equal",
        arguments: [
            ["ann@example.com", "Ann@Example.COM", "ann@ｅｘａｍｐｌｅ.com", "ann@example\u{3002}com"],
            ["ann@xn--bcher-kva.example", "ann@bücher.example", "ann@BÜCHER.example", "ann@XN--BCHER-KVA.example"],
            // One character, or a letter and its accent.
            ["jos\u{E9}@example.com", "jose\u{301}@example.com", "JOS\u{E9}@example.com"],
            ["ann@xn--caf-dma.example", "ann@caf\u{E9}.example", "ann@cafe\u{301}.example"],
            ["ann@xn--r8jz45g.jp", "ann@例え.jp", "ann@例え．jp"],
            // With and without the selector that makes the character an emoji.
            ["ann@xn--i-7iq.example", "ann@i❤️.example", "ann@i❤.example"],
            ["ann@xn--berall-2ya.example", "ann@überall.example", "ann@xn--berALL-2ya.example"],
        ]
    )
    func alike(addresses: [String]) {
        // Compares octets, because Swift treats equivalent compositions as equal.
        #expect(Set(addresses.map { Array(AddressKey($0).canonical.utf8) }) == [Array(addresses[0].utf8)])
    }

    @Test(
        "two addresses are different",
        arguments: [
            ("ann@example.com", "anna@example.com"), ("ann@example.com", "ann+tag@example.com"),
            ("ann@example.com", "a.nn@example.com"), ("ä@example.com", "Ä@example.com"),
            ("ann@faß.example", "ann@fass.example"), ("ann@bücher.example", "ann@bucher.example"),
        ]
    )
    func different(one: String, other: String) { #expect(AddressKey(one) != AddressKey(other)) }

    @Test(
        "a visible joiner stays, and makes a different domain",
        arguments: [
            ("\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}", "xn--mgbn2ecje63gr19l"),
            ("\u{645}\u{6CC}\u{62E}\u{648}\u{627}\u{647}\u{645}", "xn--mgbn2ecje63g"),
            ("\u{DC1}\u{DCA}\u{200D}\u{DBB}\u{DD3}", "xn--10cl1a0b660p"),
        ]
    )
    func joiners(label: String, aLabel: String) {
        #expect(DomainName.aLabels(of: "\(label).example") == "\(aLabel).example")
    }

    @Test(
        "a domain that IDNA can't map stays unchanged",
        arguments: [
            "bü cher.example", "例\u{200D}え.jp", "\u{378}.example", "👨\u{200D}👩.example", "bücher\u{FFFD}.example",
            // One joiner in its place, one not; and a label with both writing directions (RFC 5893 §2).
            "\u{915}\u{94D}\u{200C}\u{915}a\u{200C}b.example", "\u{915}\u{94D}\u{200C}\u{627}.example",
        ]
    )
    func unmapped(domain: String) {
        #expect(DomainName.aLabels(of: domain) == nil)
        #expect(AddressKey("ann@\(domain)").canonical == "ann@\(domain)")
    }

    @Test(
        "mail can go to these domains",
        arguments: [
            "example.com", "EXAMPLE.com", "localhost", "a-b.example", "xn--bcher-kva.example", "1.example", "1and1.de",
            "r3---sn.example", "\(String(repeating: "x", count: 63)).example", "example.x1", "163.com", "0x7f.example",
        ]
    )
    func hostNames(domain: String) { #expect(DomainName.isHostName(domain)) }

    @Test(
        "mail can't go to these domains",
        arguments: [
            "", ".", "example.", ".example", "a..b", "-x.example", "x-.example", "x.-example", "exa_mple.com",
            "127.0.0.1", "123",
            "example.1", "bücher.example", "exa mple.com", "\(String(repeating: "x", count: 64)).example",
            "a/b.example",
            Array(repeating: String(repeating: "x", count: 62), count: 4).joined(separator: ".") + ".ex",
        ]
    )
    func noHostNames(domain: String) { #expect(!DomainName.isHostName(domain)) }

    @Test("mail can go to a random domain if each of its labels is one, and the last is no number")
    func randomHostNames() {
        var generator = SplitMix(seed: 7)
        let texts = ["a", "Z", "0", "7", "-", ".", ".", "_", "ü", String(repeating: "x", count: 60)]
        var valid = 0
        for _ in 0..<20_000 {
            let domain = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                texts[Int.random(in: 0..<texts.count, using: &generator)]
            }.joined()
            let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
            let areLabels = labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                    && label.utf8.allSatisfy { $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "-") }
            }
            let isNumber = labels.last?.utf8.allSatisfy(\.isASCIIDigit) ?? true
            let isHostName = areLabels && !isNumber && domain.utf8.count <= 253
            #expect(DomainName.isHostName(domain) == isHostName, "\(domain)")
            valid += isHostName ? 1 : 0
        }
        #expect(valid > 1000)
    }
}
