// Hashes passwords with scrypt (RFC 7914). Never runs on an event loop or on Swift's few cooperative threads.

import Crypto
import CryptoExtras
import Foundation
import NIOPosix

/// Hashes and checks passwords, a few at a time: each takes 32 MiB and a tenth of a second or more.
final class Passwords: Sendable {
    /// Too many passwords wait for their turn.
    struct Busy: Error {}

    /// N = 2^15, r = 8, p = 3: one of the settings that OWASP's Password Storage Cheat Sheet names as equally strong.
    private static let rounds = 1 << 15
    private static let blockSize = 8
    private static let parallelism = 3
    private static let scheme = "scrypt-15-8-3"

    /// The lengths in characters that a password may have. NIST SP 800-63B-4 asks for at least 8 and allows to 64.
    static let lengths = 10...256

    private let pool = NIOThreadPool(numberOfThreads: 2)
    private let waiting = Counter(limit: 64)
    /// Stands in where there is no password to compare, so that a missing account takes the same time.
    private let decoy: String

    /// Starts the threads.
    init() throws {
        decoy = try Self.hash("decoy", salt: Data(count: 16))
        pool.start()
    }

    /// Ends the threads.
    func stop() async throws { try await pool.shutdownGracefully() }

    /// The text to store for a password.
    func hash(_ password: String) async throws -> String {
        let salt = SymmetricKey(size: .bits128).withUnsafeBytes { Data($0) }
        return try await run { try Self.hash(password, salt: salt) }
    }

    /// Whether the password is the stored one. Without a stored one it takes as long, and the answer is no.
    func verify(_ password: String, against stored: String?) async throws -> Bool {
        let hasPassword = stored.map { $0.hasPrefix(Self.scheme) } ?? false
        let parts = (hasPassword ? stored ?? decoy : decoy).split(separator: "$").map(String.init)
        let salt = parts.count == 3 ? Data(base64Encoded: parts[1]) ?? Data() : Data()
        let expected = parts.count == 3 ? Data(base64Encoded: parts[2]) ?? Data() : Data()
        let derived = try await run { try Self.derive(password, salt: salt) }
        return derived.withUnsafeBytes { bytes in
            // The whole of both is compared, so that the time tells nothing.
            bytes.count == expected.count && zip(bytes, expected).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
        } && hasPassword
    }

    private func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        guard waiting.enter() else { throw Busy() }
        defer { waiting.leave() }
        return try await pool.runIfActive(work)
    }

    private static func hash(_ password: String, salt: Data) throws -> String {
        let derived = try derive(password, salt: salt).withUnsafeBytes { Data($0) }
        return "\(scheme)$\(salt.base64EncodedString())$\(derived.base64EncodedString())"
    }

    /// One password can be typed in several compositions, so all become one (NFC) first.
    private static func derive(_ password: String, salt: Data) throws -> SymmetricKey {
        try KDF.Scrypt.deriveKey(
            from: Data(password.precomposedStringWithCanonicalMapping.utf8),
            salt: salt,
            outputByteCount: 32,
            rounds: rounds,
            blockSize: blockSize,
            parallelism: parallelism
        )
    }
}
