// Which texts are mail addresses, by the table that the schema, settings and outboxctl are also compared with.

import TestSupport
import Testing

@testable import InternetMessage

@Suite struct MailboxTests {
    @Test("mail addresses are told from other texts", arguments: addressTable)
    func table(row: AddressCase) {
        let mailbox = try? Mailbox(row.address)
        #expect((mailbox != nil) == row.isRecipient)
        #expect(mailbox.map { $0.address.utf8.count <= Mailbox.limit && DomainName.isHostName($0.domain) } ?? true)
    }

    @Test(
        "the refusal names what is wrong",
        arguments: [
            ("Ann <ann@example.com>", InvalidMailbox.notBare), ("ann@example.com\n", .notBare), ("ann", .atSigns),
            ("a@b@example.com", .atSigns), ("\"a\"@example.com", .quoted), ("a(b)@example.com", .localPart),
            ("ann\u{200B}@example.com", .localPart), ("@example.com", .length),
            ("\(String(repeating: "a", count: 65))@example.com", .length), ("ann@", .domain),
            ("ann@192.0.2.1", .domain),
        ]
    )
    func reasons(address: String, reason: InvalidMailbox) {
        #expect(throws: reason) { try Mailbox(address) }
    }

    @Test("international domains become A-labels, non-ASCII local parts need SMTPUTF8, unusual dots get quotes")
    func forms() throws {
        #expect(try Mailbox("ann@bücher.example").address == "ann@xn--bcher-kva.example")
        #expect(try Mailbox("ann@bücher.example").needsSMTPUTF8 == false)
        #expect(try Mailbox("ünal@example.com").needsSMTPUTF8)
        #expect(try Mailbox("a..b@example.com").address == "\"a..b\"@example.com")
    }

    @Test("an address that is too long with its domain in A-labels is refused", arguments: [(26, true), (28, false)])
    func longALabels(labels: Int, isTaken: Bool) throws {
        let domain = Array(repeating: "ü", count: labels).joined(separator: ".")
        let address = "\(String(repeating: "a", count: 38))@\(domain).example"
        #expect(address.utf8.count <= Mailbox.limit)
        #expect(((try? Mailbox(address)) != nil) == isTaken)
    }

    @Test("the short way for usual addresses has the result of the general one")
    func usualAddresses() {
        var generator = SplitMix(seed: 5)
        let texts = [
            "a", "Z", "9", "ann", "example", "com", ".", ".", "-", "+", "_", "\"", "/", "@", "<", " ", "\n", "\u{7F}",
            "ü",
            "\u{301}", String(repeating: "x", count: 30),
        ]
        var valid = 0
        for round in 0..<20_000 {
            let part = { (longest: Int) in
                (0..<Int.random(in: 0...longest, using: &generator)).map { _ in
                    // Most rounds have only what an address may have.
                    texts[Int.random(in: 0..<(round.isMultiple(of: 4) ? texts.count : 11), using: &generator)]
                }.joined()
            }
            let address = "\(part(4))@\(part(6))"
            let mailbox = Result { () throws(InvalidMailbox) in try Mailbox(address) }
            #expect(mailbox == Result { () throws(InvalidMailbox) in try Mailbox(any: address) }, "\(address)")
            if case .success = mailbox { valid += 1 }
        }
        #expect(valid > 2000)
        for count in [64, 65, 253, 254] {
            let domain = Array(repeating: String(repeating: "x", count: 61), count: 4).joined(separator: ".")
            for address in ["\(String(repeating: "a", count: count))@a.example", "a@\(domain)".padded(to: count)] {
                #expect(
                    Result { () throws(InvalidMailbox) in try Mailbox(address) }
                        == Result { () throws(InvalidMailbox) in try Mailbox(any: address) },
                    "\(count)"
                )
            }
        }
    }

    @Test(
        "an envelope id is 1 to 64 lower-case letters and digits",
        arguments: [
            ("0", true), (String(repeating: "f", count: 64), true), ("", false),
            (String(repeating: "f", count: 65), false),
            ("ABC", false), ("a-b", false), ("a.b", false), ("ä", false), ("a\n", false),
        ]
    )
    func envelopeIDs(text: String, isOne: Bool) { #expect((EnvelopeID(text) != nil) == isOne) }
}

extension String {
    fileprivate func padded(to count: Int) -> String {
        self + String(repeating: "y", count: max(0, count - utf8.count))
    }
}
