// One mail address, checked, in the form a header and the envelope take. Never a display name, never a list.

import OutboxCore

/// An `addr-spec` (RFC 5322 §3.4.1) whose local part may be UTF-8 (RFC 6532 §3.2).
struct Mailbox: Sendable, Hashable {
    /// The address for a header and for SMTP: a local part that needs quotes has them, and the domain is ASCII.
    let address: String
    /// The domain in ASCII: A-labels where it was not.
    let domain: String
    /// The local part is outside ASCII.
    let needsSMTPUTF8: Bool

    /// - Throws: what is wrong with `text`, without repeating it.
    init(_ text: String) throws(InvalidMailbox) {
        guard let at = text.utf8.lastIndex(of: UInt8(ascii: "@")) else { throw InvalidMailbox("it has no @") }
        let local = text[..<at]
        // RFC 5321 §4.5.3.1.1
        guard (1...64).contains(local.utf8.count) else {
            throw InvalidMailbox("the part before the @ is not 1 to 64 octets long")
        }
        domain = try Self.asciiDomain(text[text.utf8.index(after: at)...])
        address = "\(try Self.headerForm(ofLocalPart: local))@\(domain)"
        needsSMTPUTF8 = !local.utf8.allSatisfy { $0 < 0x80 }
    }

    /// As it is if it is a dot-atom or a quoted string. Dots in places where RFC 5321 has none, which some Japanese
    /// carriers once allowed, get quotes.
    private static func headerForm(ofLocalPart local: Substring) throws(InvalidMailbox) -> String {
        if local.utf8.count >= 2, local.utf8.first == UInt8(ascii: "\""), local.utf8.last == UInt8(ascii: "\"") {
            var isEscaped = false
            for scalar in local.unicodeScalars.dropFirst().dropLast() {
                guard !scalar.isControl, isEscaped || scalar != "\"" else {
                    throw InvalidMailbox(
                        "the quoted part before the @ has a bare quotation mark or a control character"
                    )
                }
                isEscaped = !isEscaped && scalar == "\\"
            }
            guard !isEscaped else { throw InvalidMailbox("the quoted part before the @ does not end") }
            return String(local)
        }
        for scalar in local.unicodeScalars {
            let isAllowed =
                scalar.isASCII
                ? scalar == "." || isAtomText(UInt8(truncatingIfNeeded: scalar.value))
                : !isInvisible(scalar)
            guard isAllowed else {
                throw InvalidMailbox("the part before the @ has a space, a control character or one of ()<>[]:;@\\,\"")
            }
        }
        return local.utf8.hasDotsOnlyBetweenOthers ? String(local) : "\"\(local)\""
    }

    /// `atext` of RFC 5322 §3.2.3.
    static func isAtomText(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
        }
    }

    /// Shows nothing or means nothing, so that two addresses look the same, or a letter got lost. The schema refuses what is
    /// known for ever; which characters are assigned changes with each version of Unicode.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isDefaultIgnorableCodePoint { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse,
            .unassigned:
            return true
        default:
            // A blank of Braille, and what stands for something that got lost.
            return ["\u{2800}", "\u{FFFC}", "\u{FFFD}"].contains(scalar)
        }
    }

    private static func asciiDomain(_ domain: Substring) throws(InvalidMailbox) -> String {
        if domain.utf8.first == UInt8(ascii: "["), domain.utf8.last == UInt8(ascii: "]") {
            // An address literal (RFC 5321 §4.1.3): 192.0.2.1, IPv6:2001:db8::1
            let inner = domain.utf8.dropFirst().dropLast()
            guard (1...64).contains(inner.count),
                inner.allSatisfy({ isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") })
            else { throw InvalidMailbox("the address literal after the @ is not one") }
            return String(domain)
        }
        let ascii = domain.utf8.allSatisfy { $0 < 0x80 } ? String(domain) : DomainName.aLabels(of: domain)
        guard let ascii, DomainName.isHostName(ascii) else {
            throw InvalidMailbox("what follows the @ is not a domain that mail can go to")
        }
        return ascii
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}

extension Sequence<UInt8> {
    /// No dot is first, last or beside another one, as in a dot-atom (RFC 5322 §3.2.3); false for nothing at all.
    var hasDotsOnlyBetweenOthers: Bool {
        let dot = UInt8(ascii: ".")
        var previous = dot
        for byte in self {
            if byte == dot, previous == dot { return false }
            previous = byte
        }
        return previous != dot
    }
}

/// Why a text is not a mail address; never holds the text.
struct InvalidMailbox: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
