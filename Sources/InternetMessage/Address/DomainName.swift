// A mail domain: its A-labels, and whether mail can be sent to it. Never asks the DNS.

import Foundation

/// The domain of a mail address.
package enum DomainName {
    /// The A-labels (RFC 5890 §2.3.2.1) of a non-ASCII domain, in lower case; `nil` for an ASCII domain, and for a
    /// domain that IDNA can't map.
    ///
    /// The mapping is Foundation's, which is ICU's UTS #46, non-transitional, with its rules for right-to-left text
    /// (RFC 5893) and for joiners (RFC 5892 appendix A): `ß` stays a separate letter, and a zero-width joiner is
    /// refused where it has no visible effect.
    package static func aLabels(of domain: some StringProtocol) -> String? {
        guard domain.utf8.contains(where: { $0 >= 0x80 }) else { return nil }
        var components = URLComponents()
        components.host = String(domain)
        guard let mapped = components.encodedHost?.lowercased(), !mapped.isEmpty, mapped.utf8.allSatisfy({ $0 < 0x80 }),
            // Characters that can't be mapped come back percent-encoded.
            !mapped.contains("%")
        else { return nil }
        return mapped
    }

    /// Whether an ASCII domain can have mail: labels of letters, digits and hyphens (RFC 5321 §4.1.2) of at most 63
    /// octets each, at most 253 in total (RFC 1035 §2.3.4, without the length octets of the first and of the root
    /// label). The last label is not a number, because that would make it an IPv4 address (RFC 3696 §2).
    package static func isHostName(_ domain: some StringProtocol) -> Bool {
        let text = String(domain)
        return isHostName(text.utf8Span.span)
    }

    /// The same for a domain in UTF-8.
    static func isHostName(_ domain: Span<UInt8>) -> Bool {
        let (hyphen, dot) = (UInt8(ascii: "-"), UInt8(ascii: "."))
        guard domain.count <= 253 else { return false }
        var labelLength = 0
        var isNumber = true
        var previous = dot
        for index in domain.indices {
            let octet = domain[index]
            if octet == dot {
                guard (1...63).contains(labelLength), previous != hyphen else { return false }
                labelLength = 0
                isNumber = true
            } else {
                guard octet.isASCIILetterOrDigit || octet == hyphen && labelLength > 0 else { return false }
                labelLength += 1
                isNumber = isNumber && octet.isASCIIDigit
            }
            previous = octet
        }
        return (1...63).contains(labelLength) && previous != hyphen && !isNumber
    }
}
