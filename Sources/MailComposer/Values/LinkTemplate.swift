// Builds the URL of a mail's button. Only inserts the token; never shows it anywhere else.

import Foundation
import InternetMessage
import OutboxCore

/// A URL with `{token}` as the placeholder for the token.
struct LinkTemplate: Sendable {
    private static let placeholder = "{token}"
    private let pieces: [String]

    /// - Throws: the problem of the template and its remedy.
    init(_ template: String) throws(InvalidLink) {
        pieces = template.components(separatedBy: Self.placeholder)
        guard pieces.count >= 2 else { throw InvalidLink("has no {token}: write it where the token goes") }
        guard template.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw InvalidLink("has a space or a character outside ASCII: percent-encode it")
        }
        let sample = pieces.joined(separator: "token")
        guard !sample.utf8.contains(where: { "{}<>\"\\^`|".utf8.contains($0) }) else {
            throw InvalidLink(
                "has a character that a URL can't have: percent-encode it ({token} is the only placeholder)"
            )
        }
        guard let parts = URLComponents(string: sample), let scheme = parts.scheme?.lowercased(),
            ["https", "http"].contains(scheme), let host = parts.host, !host.isEmpty
        else {
            throw InvalidLink("is not a web address: write https://, a host and a path")
        }
        // The token must not be in the scheme or the host, because it would then decide where the link leads.
        guard let first = pieces.first, let path = first.range(of: "://"),
            first[path.upperBound...].contains(where: { "/?#".contains($0) })
        else {
            throw InvalidLink("has {token} in its host: put it into the path, the query or the fragment")
        }
    }

    /// The link for this token. The token is percent-encoded except for the unreserved characters (RFC 3986 §2.3).
    func url(for token: Token) -> String {
        pieces.joined(separator: Self.percentEncoded(token.secret))
    }

    private static func percentEncoded(_ text: String) -> String {
        // Nearly every token consists of unreserved characters.
        if text.utf8.allSatisfy(isUnreserved) { return text }
        var bytes: [UInt8] = []
        for byte in text.utf8 {
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

/// Why a link template can't be used. The text follows the name of its configuration key.
struct InvalidLink: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
