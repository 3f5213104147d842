// By what two spellings of an address are the same. Never decides whether an address is a good one.

import Foundation

/// A mail address in the form in which addresses are compared: the local part exactly as it is (RFC 5321 §2.4), the
/// domain in lower case and in A-labels (RFC 5890 §2.3.2.1).
package struct AddressKey: Sendable, Hashable {
    /// The form that is stored and compared.
    package let canonical: String
    /// Every spelling of the domain that an application may have used, in ASCII and in Unicode.
    let spellings: [String]

    /// - Parameter address: one with an `@`; of one without, the whole is taken for the local part.
    package init(_ address: String) {
        guard let at = address.utf8.lastIndex(of: UInt8(ascii: "@")) else {
            canonical = address
            spellings = [address]
            return
        }
        let local = address[...at]
        let domain = address[address.utf8.index(after: at)...].lowercased()
        guard Self.hasSpellings(domain) else {
            canonical = local + domain
            spellings = [canonical]
            return
        }
        // Foundation's IDNA (UTS #46). A host that it can't map stays as it is.
        var components = URLComponents()
        components.host = domain
        let ascii = components.encodedHost?.lowercased() ?? domain
        let isMapped = !ascii.isEmpty && !ascii.contains("%")
        components.host = isMapped ? ascii : domain
        canonical = local + (isMapped ? ascii : domain)
        let unicode = components.host?.lowercased() ?? domain
        spellings = Set([canonical, local + domain, local + unicode]).sorted()
    }

    /// Whether the domain can be spelled in more than one way, case apart.
    static func hasSpellings(_ address: String) -> Bool {
        !address.utf8.allSatisfy { $0 < 0x80 }
            || address.utf8.contains(UInt8(ascii: "-")) && address.lowercased().contains("xn--")
    }
}
