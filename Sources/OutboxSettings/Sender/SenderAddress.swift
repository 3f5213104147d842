// The shape of the sender's address.
// Never asks whether the mailbox exists.

/// Checks `sender.address`.
enum SenderAddress {
    /// The most octets before the @ (RFC 5321 §4.5.3.1.1).
    static let localPartLimit = 64
    /// The most octets in all: the path with its angle brackets has at most 256 (RFC 5321 §4.5.3.1.3).
    static let limit = 254

    /// Whether neither the local part nor the whole is too long.
    static func hasGoodLength(_ text: String) -> Bool {
        text.utf8.count <= limit && text.utf8.prefix { $0 != UInt8(ascii: "@") }.count <= localPartLimit
    }

    /// Returns the text when it is a bare `local-part@domain` (RFC 5321 §4.1.2) in ASCII. A quoted local part and an
    /// address literal are refused although RFC 5321 has them: no sender needs them and many receivers reject them.
    static func checked(_ text: String) throws(InvalidSetting) -> String {
        guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F }) else {
            throw .expected("a bare address such as no-reply@example.com", hint: bareAddressHint)
        }
        guard text.unicodeScalars.allSatisfy(\.isASCII) else {
            throw .expected("an address in ASCII", hint: "write the domain in its xn-- form")
        }
        guard !text.contains("<"), !text.contains(">") else {
            throw .expected("a bare address such as no-reply@example.com", hint: bareAddressHint)
        }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else {
            throw .expected("an address with one @, such as no-reply@example.com")
        }
        guard !parts[0].hasPrefix("\"") else {
            throw .expected("an address without a quoted part, such as no-reply@example.com")
        }
        guard isDotString(parts[0]) else {
            throw .expected(
                "letters, digits and !#$%&'*+-/=?^_`{|}~ before the @, with single dots between them"
            )
        }
        guard hasGoodLength(text) else {
            throw .expected("at most \(localPartLimit) characters before the @ and \(limit) in all")
        }
        guard HostName.isDomain(parts[1]) else {
            throw .expected("a domain name after the @, such as example.com")
        }
        return text
    }

    private static let bareAddressHint = "the name beside it has a key of its own, sender.name"

    /// Dot-string of RFC 5321 §4.1.2: atoms (RFC 5322 §3.2.3) with single dots between them.
    private static func isDotString(_ text: String) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.wholeMatch(of: /[A-Za-z0-9!#$%&'*+\-\/=?^_`{|}~]+/) != nil
        }
    }
}
