// The URL of a mail's button, and the place of the token in it. Only inserts the token; never shows it anywhere else.

import Foundation
import InternetMessage

/// An absolute https URL, or an http URL of this machine, with `{token}` as the placeholder for the token.
package struct LinkTemplate: Sendable, Hashable {
    /// The placeholder for the token.
    package static let placeholder = "{token}"

    private let beforeToken: String
    private let afterToken: String

    /// Checks a template: one placeholder, after the host, because the token must not decide where the link leads.
    package init(_ text: String) throws(InvalidLink) {
        let example = "a URL such as https://example.com/verify?token=\(Self.placeholder)"
        let pieces = text.components(separatedBy: Self.placeholder)
        switch pieces.count {
        case 1: throw .expected("\(example), with \(Self.placeholder) where the token goes")
        case 2: break
        default: throw .expected("\(example), with \(Self.placeholder) only once")
        }
        (beforeToken, afterToken) = (pieces[0], pieces[1])
        // A URL can't contain the placeholder's braces (RFC 3986 §2), so the check puts a token in its place.
        var sample = "TOKEN"
        while text.contains(sample) { sample += "N" }
        let filled = beforeToken + sample + afterToken
        guard !filled.contains("{"), !filled.contains("}") else {
            throw .expected(example, hint: "\(Self.placeholder) is the only placeholder there is")
        }
        guard let url = URLComponents(string: filled, encodingInvalidCharacters: false) else {
            throw .expected(example, hint: "percent-encode what is not allowed in a URL")
        }
        guard let scheme = url.scheme?.lowercased(), let host = url.host, !host.isEmpty else {
            throw .expected("an absolute URL such as https://example.com/verify?token=\(Self.placeholder)")
        }
        guard scheme == "https" || scheme == "http" else {
            throw .expected("a URL that begins with https://")
        }
        guard url.user == nil, url.password == nil else {
            throw .refused("a user name or password does not belong in a link that is mailed; remove it")
        }
        let address = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        guard DomainName.isHostName(address) || HostName.isIPv4(address) || HostName.isIPv6(address),
            (1...65535).contains(url.port ?? 443)
        else {
            throw .expected(example, hint: "the host must be a name in ASCII or an IP address")
        }
        guard [url.path, url.query ?? "", url.fragment ?? ""].contains(where: { $0.contains(sample) }) else {
            throw .expected(example, hint: "\(Self.placeholder) must come after the host")
        }
        guard scheme == "https" || HostName.isLoopback(address) else {
            throw .expected(
                "a URL that begins with https://",
                hint: "over http:// anyone on the way can read the token; http is allowed for localhost only"
            )
        }
    }

    /// The link for this token. The token is percent-encoded except for the unreserved characters (RFC 3986 §2.3).
    package func url(for token: Token) -> String {
        let token = Self.percentEncoded(token.secret)
        var url = ""
        url.reserveCapacity(beforeToken.utf8.count + token.utf8.count + afterToken.utf8.count)
        url += beforeToken
        url += token
        url += afterToken
        return url
    }

    private static func percentEncoded(_ text: String) -> String {
        // Nearly every token consists of unreserved characters.
        let octets = text.utf8Span.span
        guard octets.indices.contains(where: { !isUnreserved(octets[$0]) }) else { return text }
        var bytes: [UInt8] = []
        for index in octets.indices {
            let byte = octets[index]
            if isUnreserved(byte) {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                bytes.appendHexadecimal(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        byte.isASCIILetterOrDigit || "-._~".utf8.contains(byte)
    }
}

/// Why a text is not a link template.
package enum InvalidLink: Error, Equatable {
    /// What the text must be, and a hint for its remedy.
    case expected(String, hint: String? = nil)
    /// A complete sentence that does not quote the text, which may contain a password.
    case refused(String)
}
