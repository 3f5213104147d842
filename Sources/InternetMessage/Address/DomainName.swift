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
        let labels = Array(domain.utf8).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard domain.utf8.count <= 253, let last = labels.last, !last.allSatisfy(\.isASCIIDigit) else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy { $0.isASCIILetterOrDigit || $0 == UInt8(ascii: "-") }
        }
    }
}
