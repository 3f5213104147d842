// Addresses, and the verdict of each part of the program: the grammar, the schema, the configuration and outboxctl.

/// One address and the parts that accept it.
package struct AddressCase: Sendable {
    /// The text of the address.
    package let address: String
    /// Whether mail can be sent to it.
    package let isRecipient: Bool
    /// Only the schema accepts it: SQL knows neither Unicode's tables nor IDNA's rules, which forbid it.
    package let isBeyondSQL: Bool
    /// Whether `sender.address` accepts it.
    package let isSender: Bool

    /// All parts accept it.
    static func good(_ address: String) -> AddressCase {
        AddressCase(address: address, isRecipient: true, isBeyondSQL: false, isSender: true)
    }

    /// Mail can be sent to it, but not from it.
    static func recipientOnly(_ address: String) -> AddressCase {
        AddressCase(address: address, isRecipient: true, isBeyondSQL: false, isSender: false)
    }

    /// No part accepts it.
    static func bad(_ address: String) -> AddressCase {
        AddressCase(address: address, isRecipient: false, isBeyondSQL: false, isSender: false)
    }

    /// Only the schema accepts it.
    static func beyondSQL(_ address: String) -> AddressCase {
        AddressCase(address: address, isRecipient: false, isBeyondSQL: true, isSender: false)
    }
}

/// The table.
package let addressTable: [AddressCase] = [
    .good("ann@example.com"),
    .good("Ann@Example.COM"),
    .good("ann.lee@mail.example.com"),
    .good("ann+tag@example.com"),
    .good("o'hara@example.com"),
    .good("{x}#!$%&*/=?^_`|~-@example.com"),
    .good("1@example.com"),
    .good("ann@localhost"),
    .good("ann@1and1.example"),
    .good("ann@163.com"),
    .good("ann@xn--bcher-kva.example"),
    .good("ann@bücher.example"),
    .good("ann@r3---sn.example"),
    .good("ann@a.b-c.d1"),
    .good("\(String(repeating: "a", count: 64))@example.com"),
    .good("ann@\(String(repeating: "x", count: 63)).example"),
    .recipientOnly("ünal@example.com"),
    .recipientOnly("安@例え.jp"),
    .recipientOnly("jose\u{301}@example.com"),
    .recipientOnly("a..b@example.com"),
    .recipientOnly(".ann@example.com"),
    .recipientOnly("ann.@example.com"),
    .bad(""),
    .bad("@"),
    .bad("ann"),
    .bad("ann@"),
    .bad("@example.com"),
    .bad("ann@lee@example.com"),
    .bad("Ann <ann@example.com>"),
    .bad("<ann@example.com>"),
    .bad("ann@example.com, ben@example.com"),
    .bad("ann@example.com;ben@example.com"),
    .bad(" ann@example.com"),
    .bad("ann@example.com "),
    .bad("ann lee@example.com"),
    .bad("ann@example.com\r\nBcc: ben@example.com"),
    .bad("ann\t@example.com"),
    .bad("ann\u{7F}@example.com"),
    .bad("ann\u{85}@example.com"),
    .bad("\"ann\"@example.com"),
    .bad("\"ann lee\"@example.com"),
    .bad("ann(lee)@example.com"),
    .bad("ann\\@example.com"),
    .bad("ann:lee@example.com"),
    .bad("ann@[192.0.2.1]"),
    .bad("ann@[IPv6:2001:db8::1]"),
    .bad("ann@192.0.2.1"),
    .bad("ann@example.1"),
    .bad("ann@-example.com"),
    .bad("ann@example-.com"),
    .bad("ann@exa_mple.com"),
    .bad("ann@example..com"),
    .bad("ann@.example.com"),
    .bad("ann@example.com."),
    .bad("ann@\(String(repeating: "x", count: 64)).example"),
    .bad("\(String(repeating: "a", count: 65))@example.com"),
    .bad("ann@\(Array(repeating: String(repeating: "x", count: 60), count: 4).joined(separator: ".")).example"),
    .bad("a\u{202E}nn@example.com"),
    .bad("ann\u{200B}@example.com"),
    .bad("ann\u{AD}@example.com"),
    .bad("ann\u{200D}@example.com"),
    .bad("ann@exam\u{2060}ple.com"),
    .bad("ann\u{FFFD}@example.com"),
    .bad("ann\u{A0}@example.com"),
    .beyondSQL("a\u{378}@example.com"),
    .beyondSQL("ann@\u{378}.example"),
    .beyondSQL("ann@例\u{200D}え.jp"),
    .beyondSQL("ann@\u{915}\u{94D}\u{200C}\u{627}.example"),
]
