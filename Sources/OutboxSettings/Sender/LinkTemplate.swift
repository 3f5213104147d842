// The URL templates of the links in mails, and the names of their kinds.
// Never sees a token.

import Foundation
import InternetMessage

/// Checks the entries of `links`.
enum LinkTemplate {
    /// The placeholder for the token.
    static let placeholder = "{token}"

    /// Returns the name of a kind if it matches `^[a-z][a-z0-9-]{0,63}$`, as the database requires.
    static func checkedKind(_ name: String) throws(InvalidSetting) -> String {
        guard name.wholeMatch(of: /[a-z][a-z0-9\-]{0,63}/) != nil else {
            throw .expected(
                "the name of a kind of mail: 1 to 64 lower-case letters, digits and hyphens, a letter first"
            )
        }
        return name
    }

    /// Returns the text if it is an absolute https URL, or an http URL of this machine, with the placeholder once.
    static func checked(_ text: String) throws(InvalidSetting) -> String {
        let example = "a URL such as https://example.com/verify?token=\(placeholder)"
        switch text.ranges(of: placeholder).count {
        case 0: throw .expected("\(example), with \(placeholder) where the token goes")
        case 1: break
        default: throw .expected("\(example), with \(placeholder) only once")
        }
        // A URL can't contain the placeholder's braces (RFC 3986 §2), so the check puts a token in its place.
        let sample = "TOKEN"
        let filled = text.replacing(placeholder, with: sample)
        guard !filled.contains("{"), !filled.contains("}") else {
            throw .expected(example, hint: "\(placeholder) is the only placeholder there is")
        }
        guard let url = URLComponents(string: filled, encodingInvalidCharacters: false) else {
            throw .expected(example, hint: "percent-encode what is not allowed in a URL")
        }
        guard let scheme = url.scheme?.lowercased(), let host = url.host, !host.isEmpty else {
            throw .expected("an absolute URL such as https://example.com/verify?token=\(placeholder)")
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
            throw .expected(example, hint: "\(placeholder) must come after the host")
        }
        guard scheme == "https" || HostName.isLoopback(address) else {
            throw .expected(
                "a URL that begins with https://",
                hint: "over http:// anyone on the way can read the token; http is allowed for localhost only"
            )
        }
        return text
    }
}
