// Which messages get a token of outboxd's own, and which token. Pure; never stores anything.

import Crypto
import Foundation

/// The configuration's rules about tokens.
package struct TokenRules: Sendable, Hashable {
    /// The keys, the one that mints first; the others serve messages that were mailed with them. Empty mints nothing.
    package var keys: [TokenKey]
    /// The kinds whose mails show the token, in the link or elsewhere: only these are minted for.
    package var kinds: Set<String>
    /// The kinds whose mails show a code.
    package var codes: Set<String>

    /// Creates rules; without keys nothing is minted.
    package init(keys: [TokenKey] = [], kinds: Set<String> = [], codes: Set<String> = []) {
        self.keys = keys
        self.kinds = kinds
        self.codes = codes
    }

    /// The key for a message.
    ///
    /// - Parameter id: the id of the key that an earlier attempt used; `nil` before the first attempt.
    /// - Returns: `nil` where that key, or any key, is not configured.
    package func key(_ id: String?) -> TokenKey? {
        guard let id else { return keys.first }
        return keys.first { $0.id == id }
    }
}

extension TokenKey {
    /// Distinguishes these tokens from those of later versions.
    private static let version = "1"

    /// The token of a message: base64url (RFC 4648 §5, without padding) of HMAC-SHA256 over version, kind and envelope
    /// id, 43 characters. The same message gives the same token every time.
    package func token(kind: String, envelopeID: String) -> String {
        Data(authenticationCode(mintKey, kind, envelopeID)).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    /// The code of a message: eight decimal digits, the first eight octets of an HMAC-SHA256 modulo 10⁸.
    package func code(kind: String, envelopeID: String) -> String {
        let number = authenticationCode(codeKey, kind, envelopeID).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let digits = String(number % 100_000_000)
        return String(repeating: "0", count: Self.codeDigits - digits.count) + digits
    }

    /// How many digits a code has.
    package static let codeDigits = 8

    private func authenticationCode(_ key: SymmetricKey, _ kind: String, _ envelopeID: String) -> [UInt8] {
        Array(
            HMAC<SHA256>.authenticationCode(for: Data(lengthPrefixed: [Self.version, kind, envelopeID]), using: key)
        )
    }
}

/// Digests of tokens: all that the database keeps of a token after its mail left.
package enum TokenDigest {
    /// A given token with fewer characters gets no digest: a six-digit code would be read out of it in half a second.
    package static let shortestToken = 22

    /// SHA-256 of the token as mailed, 32 octets; `nil` for a token that could be guessed from it.
    package static func digest(of token: String) -> [UInt8]? {
        // Nearly every token is ASCII: then its characters need not be counted.
        let count = token.utf8Span.isKnownASCII ? token.utf8.count : token.unicodeScalars.count
        return count < shortestToken ? nil : digest(ofAny: token)
    }

    /// SHA-256 of a token that somebody presents, whatever its length.
    package static func digest(ofAny token: String) -> [UInt8] {
        // Twice as fast as with `Data`, and as `Array(digest)`, which copies octet by octet.
        SHA256.hash(data: Array(token.utf8)).withUnsafeBytes { Array($0) }
    }
}
