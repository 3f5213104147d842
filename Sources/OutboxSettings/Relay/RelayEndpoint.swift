// The address of a relay: scheme, host and port of its URL.
// Never opens a connection, never resolves a name.

import Foundation
import InternetMessage

/// The address of a relay, `smtp://host[:port]` or `smtps://host[:port]`.
package struct RelayEndpoint: Sendable, Equatable, Hashable {
    /// How a connection starts.
    package enum Scheme: String, Sendable {
        /// Clear text, then STARTTLS according to `TLSPolicy`.
        case smtp
        /// TLS from the first byte.
        case smtps

        /// The submission port (587, RFC 6409 §3.1) or the port for submission over TLS (465, RFC 8314 §3.3). libcurl's
        /// default would be 25, which is for relaying between servers (RFC 5321 §4.5.4.2).
        package var defaultPort: Int {
            switch self {
            case .smtp: 587
            case .smtps: 465
            }
        }
    }

    /// How a connection starts.
    package var scheme: Scheme
    /// A host name, an IPv4 address, or an IPv6 address without brackets.
    package var host: String
    /// 1 to 65535.
    package var port: Int

    /// Creates an endpoint; the default port depends on the scheme.
    package init(scheme: Scheme, host: String, port: Int? = nil) {
        self.scheme = scheme
        self.host = host
        self.port = port ?? scheme.defaultPort
    }

    /// `host:port`, an IPv6 address in brackets: the default name of a relay.
    package var hostAndPort: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// The URL with its port, without a path.
    package var url: String { "\(scheme.rawValue)://\(hostAndPort)" }

    /// Whether the relay is on this machine, so that nothing sent to it crosses a network.
    package var isLoopback: Bool { HostName.isLoopback(host) }
}

extension RelayEndpoint {
    /// Parses the value of a `url` key.
    init(settingText text: String) throws(InvalidSetting) {
        // Checked first, so that no later message can quote a password.
        guard !text.utf8.contains(UInt8(ascii: "@")) else {
            throw .refused("a user name or password does not belong in the URL; use the keys user and password")
        }
        let example = "a URL such as smtp://smtp.example.com:587 or smtps://smtp.example.com"
        guard text.contains("://") else {
            throw .expected(example, hint: "put smtp:// or smtps:// before the host")
        }
        guard let components = URLComponents(string: text, encodingInvalidCharacters: false) else {
            throw .expected(example)
        }
        guard let scheme = components.scheme.flatMap({ Scheme(rawValue: $0.lowercased()) }) else {
            throw .expected("a URL that begins with smtp:// or smtps://")
        }
        guard components.path.isEmpty else {
            throw .expected(
                "a URL that ends after the host and port",
                hint: "remove the path; the name to say in EHLO has a key of its own, helo"
            )
        }
        guard components.query == nil, components.fragment == nil else {
            throw .expected(
                "a URL that ends after the host and port",
                hint: "remove the query; TLS, names and timeouts have keys of their own"
            )
        }
        let host = components.host.map { $0.hasPrefix("[") ? String($0.dropFirst().dropLast()) : $0 } ?? ""
        guard DomainName.isHostName(host) || HostName.isIPv4(host) || HostName.isIPv6(host) else {
            throw .expected(example, hint: "the host must be a name in ASCII, an IPv4 address or an [IPv6 address]")
        }
        let endsInColon = text.hasSuffix(":")
        guard !endsInColon, (1...65535).contains(components.port ?? scheme.defaultPort) else {
            throw .expected("a port from 1 to 65535 after the host, or no port for \(scheme.defaultPort)")
        }
        self.init(scheme: scheme, host: host, port: components.port)
    }
}
