// The values of the parameters of DSN (RFC 3461, RFC 6533). Decides nothing: SMTPSession refuses what is wrong here.

/// The grammar of each parameter.
enum DSNParameter {
    /// RET (RFC 3461 §4.3).
    static func isReturn(_ value: String) -> Bool { ["FULL", "HDRS"].contains(value.uppercased()) }

    /// ENVID (§4.4): xtext of at most 100 octets.
    static func isEnvelopeID(_ value: String) -> Bool { value.utf8.count <= 100 && isXText(value) }

    /// NOTIFY (§4.1): NEVER alone, or a list of the others, each once.
    static func isNotify(_ value: String) -> Bool {
        let words = value.uppercased().split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        if words == ["NEVER"] { return true }
        return Set(words).isSubset(of: ["SUCCESS", "FAILURE", "DELAY"]) && Set(words).count == words.count
    }

    /// ORCPT (§4.2): a type, a semicolon and xtext, at most 500 octets; for the type `utf-8` the encodings of RFC 6533
    /// §3, of which raw UTF-8 needs SMTPUTF8.
    static func isOriginalRecipient(_ value: String, isInternationalized: Bool) -> Bool {
        let parts = value.split(separator: ";", maxSplits: 1, omittingEmptySubsequences: false)
        guard value.utf8.count <= 500, parts.count == 2, !parts[1].isEmpty, isAtom(parts[0]) else { return false }
        let address = String(parts[1])
        guard parts[0].lowercased() == "utf-8" else { return isXText(address) }
        // HEXPOINT: no printable ASCII but space, `+`, `=` and `\`.
        let escape =
            /\\x\{(?:0[1-9]|1[0-9]|20|2B|3D|5C|7F|[89A-F][0-9A-F]|[1-9A-F][0-9A-F]{2,4}|10[0-9A-F]{4})\}/
        return address.replacing(escape, with: "").utf8.allSatisfy { octet in
            octet >= 0x80 ? isInternationalized : isPrintable(octet) && !"+=\\".utf8.contains(octet)
        }
    }

    /// §4: printable ASCII, with `+` and two upper-case hexadecimal digits for `+`, `=` and all other octets.
    private static func isXText(_ text: String) -> Bool {
        text.replacing(/\+[0-9A-F]{2}/, with: "").utf8.allSatisfy { isPrintable($0) && !"+=".utf8.contains($0) }
    }

    private static func isAtom(_ text: Substring) -> Bool {
        text.utf8.first != nil && text.utf8.allSatisfy { isPrintable($0) && !"()<>@,;:\\\".[]+=".utf8.contains($0) }
    }

    private static func isPrintable(_ octet: UInt8) -> Bool { (0x21...0x7E).contains(octet) }
}
