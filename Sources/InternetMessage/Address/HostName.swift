// Recognises IP addresses, and hosts that are this machine.
// Never asks a resolver.

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Checks on hosts that are IP addresses or this machine; names are checked by ``DomainName``.
package enum HostName {
    /// An IPv4 address in four decimal parts.
    package static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    /// An IPv6 address without brackets and without a zone.
    package static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }

    /// An address in the brackets of RFC 5321 §4.1.3: `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    package static func isAddressLiteral(_ text: String) -> Bool {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return false }
        let inner = String(text.dropFirst().dropLast())
        let tag = "IPv6:"
        return inner.hasPrefix(tag) ? isIPv6(String(inner.dropFirst(tag.count))) : isIPv4(inner)
    }

    /// Whether a host is this machine: 127.0.0.0/8 (RFC 1122 §3.2.1.3), ::1 (RFC 4291 §2.5.3), or a name that always
    /// resolves to it (`localhost`, RFC 6761 §6.3). Returns false in doubt.
    package static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased()
        return name == "localhost" || name.hasSuffix(".localhost") && DomainName.isHostName(name) || name == "::1"
            || isIPv4(name) && name.hasPrefix("127.")
    }
}
