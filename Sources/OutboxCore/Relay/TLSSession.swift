// How one connection to a relay is protected, as a value. Never judges a certificate: libcurl has verified it.

/// The TLS protocol, cipher and certificate of a connection.
package struct TLSSession: Sendable, Hashable {
    /// The protocol, such as `TLSv1.3`.
    package let version: String
    /// The cipher suite, by OpenSSL's name.
    package let cipher: String
    /// The common name in the relay's certificate, else its first DNS name; `nil` where it has neither.
    package let certificateName: String?
    /// The end of the certificate's validity.
    package let certificateExpiresAt: Timestamp?

    /// Before the end of its validity, a certificate should have been replaced by this time. Automatic renewal happens
    /// 30 days before the end or earlier, so two weeks mean that it fails.
    package static let renewalMargin = Duration.seconds(14 * 86_400)

    /// Creates a session.
    package init(version: String, cipher: String, certificateName: String?, certificateExpiresAt: Timestamp?) {
        self.version = version
        self.cipher = cipher
        self.certificateName = certificateName
        self.certificateExpiresAt = certificateExpiresAt
    }

    /// Whether a certificate's end is so near that it should have been replaced.
    package static func endsSoon(_ end: Timestamp, now: Timestamp) -> Bool { end - renewalMargin <= now }
}
