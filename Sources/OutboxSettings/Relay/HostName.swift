// What a host name, an IP address and a mail domain look like.
// Never asks a resolver.

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

/// Checks on host names and addresses in the text of a setting.
enum HostName {
    /// A domain name in ASCII: labels of letters, digits and inner hyphens, at most 63 octets each and 253 in all
    /// (RFC 1035 §2.3.1 and §2.3.4, RFC 1123 §2.1). The last label is not a number (RFC 3696 §2), so that a
    /// mistyped IPv4 address is not taken for a name.
    static func isDomain(_ text: String) -> Bool {
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard text.utf8.count <= 253, let last = labels.last else { return false }
        let hyphen = UInt8(ascii: "-")
        return labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != hyphen && label.last != hyphen
                && label.allSatisfy { isDigit($0) || isLetter($0) || $0 == hyphen }
        } && !last.allSatisfy(isDigit)
    }

    /// An IPv4 address in four decimal parts.
    static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    /// An IPv6 address without brackets and without a zone.
    static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }

    /// An address in the brackets of RFC 5321 §4.1.3: `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
    static func isAddressLiteral(_ text: String) -> Bool {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return false }
        let inner = String(text.dropFirst().dropLast())
        let tag = "IPv6:"
        return inner.hasPrefix(tag) ? isIPv6(String(inner.dropFirst(tag.count))) : isIPv4(inner)
    }

    /// Whether a host is this machine: 127.0.0.0/8 (RFC 1122 §3.2.1.3), ::1 (RFC 4291 §2.5.3), or a name that
    /// resolves to nothing else (`localhost`, RFC 6761 §6.3). In doubt it is not.
    static func isLoopback(_ host: String) -> Bool {
        let name = host.lowercased()
        return name == "localhost" || name.hasSuffix(".localhost") && isDomain(name) || name == "::1"
            || isIPv4(name) && name.hasPrefix("127.")
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
