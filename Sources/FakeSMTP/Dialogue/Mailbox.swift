// Reads the path of MAIL and RCPT. Strict, so that a client's mistakes show; never resolves a domain.

/// A path of RFC 5321 §4.1.2: `<local@domain>`, `<>` for the null sender, `<Postmaster>`; source routes are dropped
/// (appendix C).
struct Mailbox: Equatable {
    /// The address without angle brackets; empty for the null path.
    let address: String

    /// Whether the address needs SMTPUTF8 (RFC 6531).
    var isASCII: Bool { address.utf8.allSatisfy { $0 < 0x80 } }

    /// Removes a path from the front of `text`; `nil` if there is no well-formed path.
    static func take(from text: inout Substring) -> Mailbox? {
        guard text.first == "<" else { return nil }
        var isQuoted = false
        var isEscaped = false
        let end = text.utf8.dropFirst().firstIndex { byte in
            defer { isEscaped = isQuoted && byte == UInt8(ascii: "\\") && !isEscaped }
            if byte == UInt8(ascii: "\""), !isEscaped { isQuoted.toggle() }
            return byte == UInt8(ascii: ">") && !isQuoted
        }
        guard let end else { return nil }
        var inner = text[text.utf8.index(after: text.startIndex)..<end]
        text = text[text.utf8.index(after: end)...]
        if inner.first == "@" {
            guard let colon = inner.firstIndex(of: ":") else { return nil }
            inner = inner[inner.index(after: colon)...]
        }
        guard inner.isEmpty || inner.lowercased() == "postmaster" || isAddress(inner) else { return nil }
        return Mailbox(address: String(inner))
    }

    private static func isAddress(_ text: Substring) -> Bool {
        let bytes = text.utf8
        let localEnd: String.Index
        if bytes.first == UInt8(ascii: "\"") {
            var isEscaped = false
            let close = bytes.dropFirst().firstIndex { byte in
                defer { isEscaped = byte == UInt8(ascii: "\\") && !isEscaped }
                return byte == UInt8(ascii: "\"") && !isEscaped
            }
            guard let close else { return false }
            localEnd = bytes.index(after: close)
        } else {
            guard let at = bytes.firstIndex(of: UInt8(ascii: "@")), isDotString(bytes[..<at]) else { return false }
            localEnd = at
        }
        guard localEnd < bytes.endIndex, bytes[localEnd] == UInt8(ascii: "@") else { return false }
        // RFC 5321 §4.5.3.1.1 and .2: 64 octets before the @, 255 after it.
        let domain = bytes[bytes.index(after: localEnd)...]
        return bytes[..<localEnd].count <= 64 && domain.count <= 255 && isDomain(domain)
    }

    private static func isDotString(_ local: Substring.UTF8View) -> Bool {
        let atoms = local.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return atoms.allSatisfy { atom in !atom.isEmpty && atom.allSatisfy(isAtomText) }
    }

    /// `atext` of RFC 5322 §3.2.3, with the non-ASCII characters of RFC 6531 §3.3.
    private static func isAtomText(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...0xFF:
            true
        default: false
        }
    }

    private static func isDomain(_ domain: Substring.UTF8View) -> Bool {
        if domain.first == UInt8(ascii: "[") {
            // An address literal (RFC 5321 §4.1.3). Its kind does not matter to a server that delivers nothing.
            let content = domain.dropFirst().dropLast()
            return domain.last == UInt8(ascii: "]") && !content.isEmpty
                && content.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"[]\\".utf8.contains($0) }
        }
        let labels = domain.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let hyphen = UInt8(ascii: "-")
        return labels.allSatisfy { label in
            !label.isEmpty && label.first != hyphen && label.last != hyphen
                && label.allSatisfy { isLetterOrDigit($0) || $0 == hyphen }
        }
    }
}
