// By what two spellings of an address are the same. Never decides whether an address is a good one.

import Foundation

/// A mail address in the form in which addresses are compared: ASCII letters in lower case, the domain in A-labels
/// (RFC 5890 §2.3.2.1). The mail itself goes to the address as it was written (RFC 5321 §2.4).
package struct AddressKey: Sendable, Hashable {
    /// The form that is stored and compared.
    package let canonical: String

    /// - Parameter address: one with an `@`; of one without, the whole is taken for the local part.
    package init(_ address: String) {
        let folded = Self.lowercasedASCII(address)
        guard let at = folded.utf8.lastIndex(of: UInt8(ascii: "@")) else {
            canonical = folded
            return
        }
        let domain = folded[folded.utf8.index(after: at)...]
        canonical = folded[...at] + (Self.aLabels(of: String(domain)) ?? String(domain))
    }

    /// The A-labels of a domain outside ASCII; `nil` for one in ASCII, and for one that IDNA (UTS #46) can't map.
    static func aLabels(of domain: String) -> String? {
        guard domain.utf8.contains(where: { $0 >= 0x80 }) else { return nil }
        var components = URLComponents()
        components.host = domain.lowercased()
        guard let mapped = components.encodedHost?.lowercased(), !mapped.isEmpty, !mapped.contains("%") else {
            return nil
        }
        return mapped
    }

    /// As SQLite's lower() does it.
    private static func lowercasedASCII(_ text: String) -> String {
        String(
            decoding: text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 },
            as: UTF8.self
        )
    }
}
