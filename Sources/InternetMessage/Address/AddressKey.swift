// Normalises addresses so that equal mailboxes compare equal. Never decides whether an address is valid.

import Foundation

/// A mail address in its canonical form, for comparing. The mail itself is sent to the address as written (RFC 5321
/// §2.4).
///
/// | differs in | example | compares |
/// |---|---|---|
/// | the case of ASCII letters | `Ann@Example.com` | alike |
/// | the spelling of an international domain | `ann@bücher.example`, `ann@xn--bcher-kva.example` | alike (UTS #46) |
/// | how a letter outside ASCII is composed | `é` as one character or two | alike (RFC 6532 §3.1: NFC) |
/// | the case of other letters before the @ | `Ä@example.com`, `ä@example.com` | not alike |
/// | dots and tags before the @ | `a.nn@`, `ann+tag@` | not alike: what they mean is the mail system's business |
package struct AddressKey: Sendable, Hashable {
    /// The form that is stored and compared.
    package let canonical: String

    /// - Parameter address: an address with an `@`; without one, the whole text is the local part.
    package init(_ address: String) {
        let (localPart, domain) = Self.parts(of: Self.lowercasedASCII(address))
        let composed = localPart.precomposedStringWithCanonicalMapping
        canonical = domain.map { "\(composed)@\(DomainName.aLabels(of: $0) ?? String($0))" } ?? composed
    }

    /// The domain as written in the address, with ASCII letters in lower case; `nil` for an address without an `@`.
    package static func domain(of address: String) -> String? {
        parts(of: lowercasedASCII(address)).domain.map(String.init)
    }

    /// Spellings of the local part that compare equal, apart from the case of ASCII letters; may contain duplicates.
    package static func spellings(ofLocalPartOf address: String) -> [String] {
        let localPart = parts(of: lowercasedASCII(address)).localPart
        return [
            String(localPart), localPart.precomposedStringWithCanonicalMapping,
            localPart.decomposedStringWithCanonicalMapping,
        ]
    }

    private static func parts(of address: String) -> (localPart: Substring, domain: Substring?) {
        guard let at = address.utf8.lastIndex(of: UInt8(ascii: "@")) else { return (address[...], nil) }
        return (address[..<at], address[address.utf8.index(after: at)...])
    }

    /// As SQLite's lower() does it.
    private static func lowercasedASCII(_ text: String) -> String {
        String(decoding: text.utf8.map(\.asciiLowercased), as: UTF8.self)
    }
}
