// One validated mail address in the form for a header and for the envelope. Never a display name, never a list.

/// A `Mailbox` (RFC 5321 §4.1.2) whose local part may be UTF-8 (RFC 6531 §3.3, RFC 6532 §3.2).
///
/// Quoted local parts and address literals, which RFC 5321 also defines, are refused: nobody signs up with one, and
/// many mail systems refuse them. The CHECKs of `outbox.recipient` refuse the same addresses, as far as SQL can check;
/// only this type knows which characters are assigned and what IDNA can map.
package struct Mailbox: Sendable, Hashable {
    /// The address for a header and for SMTP, with quotes around the local part where needed and an ASCII domain.
    package let address: String
    /// The domain in ASCII, converted to A-labels where needed.
    package let domain: String
    /// The local part has non-ASCII characters, so the relay must offer SMTPUTF8 (RFC 6531 §3.4).
    package let needsSMTPUTF8: Bool
    /// The local part is a `Dot-string`: no dot at either end or beside another dot, which some Japanese carriers once
    /// allowed. Other local parts get quotes.
    package let isDotString: Bool

    /// The maximum number of octets before the @ (RFC 5321 §4.5.3.1.1).
    package static let localPartLimit = 64
    /// The maximum number of octets in total: a path with its angle brackets has at most 256 (RFC 5321 §4.5.3.1.3).
    package static let limit = 254

    /// - Throws: the problem of `text`, without repeating the text.
    package init(_ text: String) throws(InvalidMailbox) {
        if let domain = Self.domain(ofUsual: text) {
            self.init(address: text, domain: domain, needsSMTPUTF8: false, isDotString: true)
        } else {
            try self.init(any: text)
        }
    }

    private init(address: String, domain: String, needsSMTPUTF8: Bool, isDotString: Bool) {
        self.address = address
        self.domain = domain
        self.needsSMTPUTF8 = needsSMTPUTF8
        self.isDotString = isDotString
    }

    /// The domain of an address in ASCII with a `Dot-string`, as nearly all are: it needs no change for a header, and
    /// one look at each octet. `nil` for every other text, valid or not.
    private static func domain(ofUsual text: String) -> String? {
        let octets = text.utf8Span.span
        guard octets.count <= limit else { return nil }
        let dot = UInt8(ascii: ".")
        var previous = dot
        var length = 0
        while length < octets.count, octets[length] != UInt8(ascii: "@") {
            let octet = octets[length]
            guard octet == dot ? previous != dot : isAtomText(octet) else { return nil }
            previous = octet
            length += 1
        }
        guard (1...localPartLimit).contains(length), previous != dot, length < octets.count,
            DomainName.isHostName(octets.extracting((length + 1)...))
        else { return nil }
        return String(text.utf8.dropFirst(length + 1))
    }

    /// The general case, which finds out what is wrong.
    init(any text: String) throws(InvalidMailbox) {
        guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && !$0.isControl && $0 != "<" && $0 != ">" }) else {
            throw .notBare
        }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw .atSigns }
        let (local, domain) = (parts[0], parts[1])
        guard local.first != "\"" else { throw .quoted }
        guard local.unicodeScalars.allSatisfy(Self.isAllowed) else { throw .localPart }
        guard (1...Self.localPartLimit).contains(local.utf8.count), text.utf8.count <= Self.limit else { throw .length }
        let ascii = domain.utf8.allSatisfy { $0 < 0x80 } ? String(domain) : DomainName.aLabels(of: domain)
        guard let ascii, DomainName.isHostName(ascii), domain.unicodeScalars.allSatisfy(Self.isVisible) else {
            throw .domain
        }
        self.domain = ascii
        isDotString = local.utf8.hasDotsOnlyBetweenOthers
        address = isDotString ? "\(local)@\(ascii)" : "\"\(local)\"@\(ascii)"
        needsSMTPUTF8 = !local.utf8.allSatisfy { $0 < 0x80 }
        // The domain is longer with A-labels.
        guard address.utf8.count <= Self.limit else { throw .length }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? scalar == "." || isAtomText(UInt8(truncatingIfNeeded: scalar.value)) : !isInvisible(scalar)
    }

    /// IDNA ignores invisible characters. In a domain, only joiners and variation selectors are allowed, and IDNA knows
    /// the rules for them.
    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII || scalar.properties.isJoinControl || scalar.properties.isVariationSelector
            || !isInvisible(scalar)
    }

    /// `atext` of RFC 5322 §3.2.3.
    private static func isAtomText(_ byte: UInt8) -> Bool {
        byte.isASCIILetterOrDigit || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    /// The character is invisible or meaningless, so that two addresses look the same, or it replaces a lost letter.
    /// The schema refuses the characters that are fixed for ever; the assigned characters change with each version of
    /// Unicode.
    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.properties.isDefaultIgnorableCodePoint { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse,
            .unassigned:
            return true
        default:
            // A Braille blank, and the replacement characters for lost text.
            return ["\u{2800}", "\u{FFFC}", "\u{FFFD}"].contains(scalar)
        }
    }
}

extension Sequence<UInt8> {
    /// No dot is first, last or beside another dot, as in a dot-atom (RFC 5322 §3.2.3); false for an empty text.
    package var hasDotsOnlyBetweenOthers: Bool {
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
package enum InvalidMailbox: Error, Hashable, CaseIterable, Sendable {
    /// The text has a space, a control character or angle brackets.
    case notBare
    /// The text has no @, or more than one.
    case atSigns
    /// The local part is in quotation marks.
    case quoted
    /// The local part has a character that is not allowed in an address, or is invisible.
    case localPart
    /// The local part, or the whole address, is too short or too long.
    case length
    /// No mail can be sent to the domain.
    case domain

    /// The violated requirement, to follow "must be" or "is not".
    package var expected: String {
        switch self {
        case .notBare: "a bare address such as ann@example.com, without a name, spaces or angle brackets"
        case .atSigns: "an address with one @, such as ann@example.com"
        case .quoted: "an address without quotation marks, such as ann@example.com"
        case .localPart: "letters, digits and !#$%&'*+-/=?^_`{|}~. before the @"
        case .length: "1 to \(Mailbox.localPartLimit) octets before the @ and at most \(Mailbox.limit) in all"
        case .domain: "a domain name after the @ that mail can go to, such as example.com"
        }
    }
}
