// The encodings of values in the parameters of DSN (RFC 3461, RFC 6533). Never names a parameter.

/// `xtext` (RFC 3461 §4): printable ASCII, with `+` and two upper-case hexadecimal digits for every other octet, for `+`
/// and for `=`.
package enum XText {
    /// Encodes a text.
    package static func encoded(_ text: String) -> String {
        var result = ""
        for octet in text.utf8 {
            if octet.isPrintableASCII, octet != UInt8(ascii: "+"), octet != UInt8(ascii: "=") {
                result.unicodeScalars.append(Unicode.Scalar(octet))
            } else {
                let digits = String(octet, radix: 16, uppercase: true)
                result += octet < 0x10 ? "+0\(digits)" : "+\(digits)"
            }
        }
        return result
    }
}

/// An address with its type, as ORCPT and the fields of reports have it (RFC 3461 §4.2, RFC 6533 §3).
package enum TypedAddress {
    /// The limit of ORCPT's value (RFC 3461 §4.2), in octets.
    private static let limit = 500

    /// The value of ORCPT: `rfc822;` with `xtext`, or `utf-8;` with `\x{…}` for characters outside ASCII. The latter is
    /// RFC 6533's `utf-8-addr-xtext`, which is ASCII, so that a relay without SMTPUTF8 can pass it on.
    ///
    /// - Returns: `nil` for a value that is too long.
    package static func encoded(_ address: String) -> String? {
        let isASCII = address.utf8.allSatisfy { $0 < 0x80 }
        let value = isASCII ? "rfc822;\(XText.encoded(address))" : "utf-8;\(escaped(address))"
        return value.utf8.count <= limit ? value : nil
    }

    private static func escaped(_ address: String) -> String {
        var result = ""
        for scalar in address.unicodeScalars {
            // QCHAR of RFC 6533 §3.
            if let octet = UInt8(exactly: scalar.value), octet.isPrintableASCII, !"+=\\".utf8.contains(octet) {
                result.unicodeScalars.append(scalar)
            } else {
                let digits = String(scalar.value, radix: 16, uppercase: true)
                result += "\\x{\(digits.count < 2 ? "0" : "")\(digits)}"
            }
        }
        return result
    }
}

extension UInt8 {
    /// `VCHAR` of RFC 5234 appendix B.1.
    fileprivate var isPrintableASCII: Bool { (0x21...0x7E).contains(self) }
}
