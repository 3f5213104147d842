// A mail domain: its A-labels, and whether it is one that mail can go to. Never asks the DNS.

import Foundation

/// The domain of a mail address.
package enum DomainName {
    /// The A-labels (RFC 5890 §2.3.2.1) of a domain outside ASCII, in lower case; `nil` for one in ASCII, and for one that
    /// IDNA can't map.
    ///
    /// The mapping is Foundation's, which is ICU's UTS #46, non-transitional, with its rules for text from right to left
    /// (RFC 5893) and for joiners (RFC 5892 appendix A): `ß` stays a letter of its own, and a zero-width joiner is refused
    /// where it changes nothing that one can see.
    package static func aLabels(of domain: some StringProtocol) -> String? {
        guard domain.utf8.contains(where: { $0 >= 0x80 }) else { return nil }
        var components = URLComponents()
        components.host = String(domain)
        guard let mapped = components.encodedHost?.lowercased(), !mapped.isEmpty, mapped.utf8.allSatisfy({ $0 < 0x80 }),
            // What it can't map comes back percent-encoded.
            !mapped.contains("%")
        else { return nil }
        return mapped
    }

    /// Whether a domain in ASCII can have mail: labels of letters, digits and hyphens (RFC 5321 §4.1.2) of at most 63
    /// octets, in all at most 253 (RFC 1035 §2.3.4, without the length octets of the first and of the root label). The
    /// last one is not a number, which would make an address of IPv4 of it (RFC 3696 §2).
    package static func isHostName(_ domain: some StringProtocol) -> Bool {
        let labels = Array(domain.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard domain.utf8.count <= 253, let last = labels.last, !last.allSatisfy(\.isASCIIDigit) else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy { $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "-") }
        }
    }
}
