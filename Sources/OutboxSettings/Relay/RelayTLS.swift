// What protection a connection to a relay must have.

/// How a connection to a relay is protected. An `smtps` endpoint is always encrypted from its first byte (RFC 8314
/// §3.3) and goes with `required` only; for `smtp` it says what becomes of STARTTLS (RFC 3207).
package enum RelayTLS: String, Sendable, Equatable, CaseIterable {
    /// No mail without TLS and a valid certificate.
    case required
    /// TLS where the relay offers it, otherwise in the clear: protects from listeners, not from an active attacker.
    case opportunistic
    /// Always in the clear; for a relay on this machine.
    case none
}
