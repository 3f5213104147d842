// Creates the server's certificates: a small authority of its own and one certificate for loopback. Keys never leave
// memory.

import Crypto
package import Foundation
import NIOCore
package import NIOSSL
import SwiftASN1
import X509

/// A fresh authority and a server certificate issued by it.
package struct LocalCertificate: Sendable {
    /// The certificate as a client sees it that trusts the authority.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Valid for `localhost`, `127.0.0.1` and `::1`.
        case valid
        /// Expired, for the same names.
        case expired
        /// Valid for the same names, for another nine days.
        case endsSoon = "ends-soon"
        /// Not expired, but only for `mail.invalid`.
        case otherHost = "other-host"
    }

    /// The authority's certificate, for a client's `ca_file`.
    package let authorityPEM: String
    let certificatePEM: String
    let privateKeyPEM: String

    /// Creates a certificate with new keys.
    package init(kind: Kind, now: Date) throws {
        let authorityKey = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let serverKey = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let authorityName = try DistinguishedName { CommonName("fake-smtp test authority") }
        let authorityKeyIdentifier = SubjectKeyIdentifier(hash: authorityKey.publicKey)
        let day: TimeInterval = 24 * 60 * 60

        let authority = try Certificate(
            version: .v3,
            serialNumber: .init(),
            publicKey: authorityKey.publicKey,
            notValidBefore: now.addingTimeInterval(-30 * day),
            notValidAfter: now.addingTimeInterval(365 * day),
            issuer: authorityName,
            subject: authorityName,
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                authorityKeyIdentifier
            },
            issuerPrivateKey: authorityKey
        )
        let names: [GeneralName] =
            switch kind {
            case .valid, .expired, .endsSoon:
                [
                    .dnsName("localhost"),
                    .ipAddress(ASN1OctetString(contentBytes: [127, 0, 0, 1])),
                    .ipAddress(ASN1OctetString(contentBytes: ArraySlice(repeatElement(0, count: 15) + [1]))),
                ]
            case .otherHost: [.dnsName("mail.invalid")]
            }
        let daysLeft: Double =
            switch kind {
            case .valid, .otherHost: 365
            case .expired: -10
            case .endsSoon: 9
            }
        let certificate = try Certificate(
            version: .v3,
            serialNumber: .init(),
            publicKey: serverKey.publicKey,
            notValidBefore: now.addingTimeInterval(-20 * day),
            notValidAfter: now.addingTimeInterval(daysLeft * day),
            issuer: authorityName,
            subject: try DistinguishedName { CommonName(kind == .otherHost ? "mail.invalid" : "localhost") },
            signatureAlgorithm: .ecdsaWithSHA256,
            extensions: try Certificate.Extensions {
                Critical(BasicConstraints.notCertificateAuthority)
                Critical(KeyUsage(digitalSignature: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectAlternativeNames(names)
                SubjectKeyIdentifier(hash: serverKey.publicKey)
                AuthorityKeyIdentifier(keyIdentifier: authorityKeyIdentifier.keyIdentifier)
            },
            issuerPrivateKey: authorityKey
        )
        authorityPEM = try authority.serializeAsPEM().pemString + "\n"
        certificatePEM = try certificate.serializeAsPEM().pemString
        privateKeyPEM = try serverKey.serializeAsPEM().pemString
    }

    /// Creates the NIOSSL context that serves this certificate.
    package func makeContext() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(try NIOSSLCertificate(bytes: Array(certificatePEM.utf8), format: .pem))],
            privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(privateKeyPEM.utf8), format: .pem))
        )
        // A client that leaves right after QUIT must not keep the connection open for NIOSSL's five seconds.
        configuration.shutdownTimeout = .seconds(1)
        return try NIOSSLContext(configuration: configuration)
    }
}
