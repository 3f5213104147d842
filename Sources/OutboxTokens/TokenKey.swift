// The key of the minted tokens, and the keys derived from it. Never reads a file, never shows a key.

import Crypto
import Foundation

/// A text that is no key.
package struct InvalidTokenKey: Error, Sendable, CustomStringConvertible {
    package let description = "it is not 32 octets as base64; make one with: outboxctl new-key"
}

/// One master key, and what is derived from it with HKDF-SHA256 (RFC 5869).
///
/// The mint key makes the tokens of links, the code key makes codes. Both stay with outboxd. The check key proves what a
/// person typed as a code; the application has it as well, because eight digits can be tried out against a plain digest
/// within a minute.
package struct TokenKey: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// The length of every key, in octets.
    package static let octets = 32

    /// Identifies the key in the database: 16 hexadecimal digits of the check key's SHA-256. So daemon and application
    /// find the same id, and it reveals neither key.
    package let id: String
    let mintKey: SymmetricKey
    let codeKey: SymmetricKey
    /// The key that the application shares.
    package let checkKey: CheckKey

    /// Reads a master key: 32 octets as base64 (RFC 4648 §4), white space around it ignored.
    ///
    /// - Throws: `InvalidTokenKey`, which never contains the text.
    package init(base64 text: String) throws(InvalidTokenKey) {
        self.init(try Self.octets(in: text))
    }

    /// - Parameter master: 32 random octets.
    init(_ master: SymmetricKey) {
        mintKey = Self.derived(from: master, for: "outboxd token v1")
        codeKey = Self.derived(from: master, for: "outboxd code v1")
        checkKey = CheckKey(Self.derived(from: master, for: "outboxd check v1"))
        id = checkKey.id
    }

    /// A new master key as base64, from the system's source of randomness.
    package static func makeBase64() -> String {
        SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
    }

    static func octets(in text: String) throws(InvalidTokenKey) -> SymmetricKey {
        guard let data = Data(base64Encoded: text.trimmingCharacters(in: .whitespacesAndNewlines)), data.count == octets
        else { throw InvalidTokenKey() }
        return SymmetricKey(data: data)
    }

    private static func derived(from master: SymmetricKey, for purpose: String) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: master, info: Data(purpose.utf8), outputByteCount: octets)
    }

    package static func == (one: Self, other: Self) -> Bool { one.id == other.id }
    package func hash(into hasher: inout Hasher) { hasher.combine(id) }
    package var description: String { "<token key \(id)>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// The key with which an application proves a code that a person typed. It makes neither tokens nor codes.
package struct CheckKey: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// The id of the master key from which this key is derived.
    package let id: String
    private let key: SymmetricKey

    /// Reads a check key: 32 octets as base64, white space around it ignored.
    ///
    /// - Throws: `InvalidTokenKey`, which never contains the text.
    package init(base64 text: String) throws(InvalidTokenKey) { self.init(try TokenKey.octets(in: text)) }

    init(_ key: SymmetricKey) {
        self.key = key
        id = key.withUnsafeBytes { SHA256.hash(data: Data($0)) }.prefix(8).hexadecimal
    }

    /// The key as base64, for the application's file.
    package var base64: String { key.withUnsafeBytes { Data($0).base64EncodedString() } }

    /// HMAC-SHA256 of the message's envelope id and the code, each behind its length: `outbox_token.code_mac`.
    package func mac(of code: String, envelopeID: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Data(lengthPrefixed: [envelopeID, code]), using: key))
    }

    package static func == (one: Self, other: Self) -> Bool { one.id == other.id }
    package func hash(into hasher: inout Hasher) { hasher.combine(id) }
    package var description: String { "<check key \(id)>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

extension Data {
    /// The texts in UTF-8, each behind its number of octets (two octets, the higher one first): no two lists of texts
    /// have the same form.
    init(lengthPrefixed texts: [String]) {
        self.init()
        for text in texts {
            let octets = text.utf8
            precondition(octets.count <= Int(UInt16.max), "kinds, envelope ids and codes are short")
            append(UInt8(octets.count >> 8))
            append(UInt8(octets.count & 0xFF))
            append(contentsOf: octets)
        }
    }
}

extension Sequence<UInt8> {
    fileprivate var hexadecimal: String {
        map { octet in (octet < 16 ? "0" : "") + String(octet, radix: 16) }.joined()
    }
}
