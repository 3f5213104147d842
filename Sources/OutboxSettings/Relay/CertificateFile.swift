// Checks whether a file contains certificates. Never judges them: libcurl verifies a relay's chain.

import Foundation
import OutboxCore

/// A file of certificate authorities, as in `ca_file`: PEM (RFC 7468).
package enum CertificateFile {
    /// The maximum size of the file, in bytes; a whole system's authorities take a quarter of a megabyte.
    private static let sizeLimit = 16 << 20

    /// The problem of a file and its remedy; `nil` where the file can be read and contains at least one certificate,
    /// and no damaged one.
    package static func problem(_ path: String) -> String? {
        let contents: FileContents
        do {
            contents = try FileContents.read(path, limit: sizeLimit, regularOnly: true)
        } catch {
            let reason =
                switch error {
                case .missing: "there is no such file; create it, or correct ca_file"
                case .denied: "permission is denied; let the user that runs outboxd read it"
                case .notAFile: "it is not a regular file; name a PEM file"
                case .tooLarge(let limit): "it is larger than \(limit) bytes; name a PEM file with certificates"
                case .system(let words): words
                }
            return "the certificates cannot be read from \(path): \(reason)"
        }
        let text = String(decoding: contents.bytes, as: UTF8.self)
        let blocks = text.matches(of: /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(?<body>[^-]*)(?<end>-----END)?/)
        guard !blocks.isEmpty else {
            return "\(path) holds no certificate in PEM form (-----BEGIN CERTIFICATE-----); "
                + "put the relay's certificate authority there, or correct ca_file"
        }
        for (number, block) in blocks.enumerated() where block.end == nil || !isCertificate(block.body) {
            return "\(path): certificate \(number + 1) is damaged; put it there again"
        }
        return nil
    }

    /// Checks all certificate files that the configuration names.
    ///
    /// - Throws: `CertificateError` for the first bad file.
    package static func check(_ settings: Settings) throws(CertificateError) {
        for relay in settings.relays {
            guard let problem = problems(relay).first else { continue }
            throw CertificateError(description: "relay \(relay.configuration.name): \(problem)")
        }
    }

    /// The problems of a relay's certificate files, each with its key.
    package static func problems(_ relay: RelaySettings) -> [String] {
        var files = [("ca_file", relay.configuration.caFile)]
        if case .oauth(let oauth) = relay.credentials?.proof { files.append(("oauth: ca_file", oauth.caFile)) }
        return files.compactMap { key, file in file.flatMap(problem).map { "\(key): \($0)" } }
    }

    /// Base64 of one DER SEQUENCE with the stated length (X.690 §8.1.3); a trusted certificate has further data behind
    /// it.
    private static func isCertificate(_ body: Substring) -> Bool {
        guard let data = Data(base64Encoded: body.filter { !$0.isWhitespace }) else { return false }
        let octets = [UInt8](data)
        guard octets.count > 4, octets[0] == 0x30, octets[1] & 0x80 != 0 else { return false }
        let count = Int(octets[1] & 0x7F)
        guard (1...4).contains(count), octets.count > 2 + count else { return false }
        let length = octets[2..<2 + count].reduce(0) { $0 << 8 | Int($1) }
        return octets.count >= 2 + count + length
    }
}

/// A file of certificates that can't be used.
package struct CertificateError: Error, Sendable, CustomStringConvertible {
    /// The problem and its remedy.
    package let description: String
}
