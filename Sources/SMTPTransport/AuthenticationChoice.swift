// Which of the mechanisms that a relay offers libcurl may use. Pure; never sees a password.

/// A mechanism of AUTH (RFC 4954) by the name that libcurl knows it by.
package enum AuthenticationMechanism: String, Sendable, Hashable, CaseIterable {
    /// RFC 4616.
    case plain = "PLAIN"
    /// What Microsoft's and many other servers offer beside it; never standardised.
    case login = "LOGIN"
    /// RFC 2195.
    case cramMD5 = "CRAM-MD5"
    /// RFC 2831, historic since RFC 6331.
    case digestMD5 = "DIGEST-MD5"
    /// Microsoft's.
    case ntlm = "NTLM"
    /// Kerberos (RFC 4752); needs a ticket of the user that outboxd runs as.
    case gssapi = "GSSAPI"
}

/// What libcurl may choose from.
///
/// Left to itself it takes the strongest mechanism that is offered and stays with it, even where the relay can't serve it
/// for this account: Exchange offers GSSAPI, NTLM and LOGIN, and without a ticket nothing is mailed.
struct AuthenticationChoice: Equatable {
    /// The only ones to use, in no order; empty: whatever libcurl prefers.
    let mechanisms: [String]

    /// The choice for a relay's first connection.
    init(_ relay: SMTPRelay) {
        if let mechanism = relay.authentication {
            mechanisms = [mechanism.rawValue]
        } else {
            switch relay.tls {
            // The connection protects the password.
            case .required, .opportunistic:
                mechanisms = [AuthenticationMechanism.plain.rawValue, AuthenticationMechanism.login.rawValue]
            case .none: mechanisms = []
            }
        }
    }

    private init(mechanisms: [String]) { self.mechanisms = mechanisms }

    /// What else can be tried over another connection where none of these was offered; `nil`: nothing.
    func alternative(offered: [String], at relay: SMTPRelay) -> AuthenticationChoice? {
        guard relay.authentication == nil, !mechanisms.isEmpty else { return nil }
        let withPassword = ["SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "NTLM"].filter(offered.contains)
        if !withPassword.isEmpty { return AuthenticationChoice(mechanisms: withPassword) }
        // Last, because it needs a ticket, not a password.
        return offered.contains("GSSAPI") ? AuthenticationChoice(mechanisms: ["GSSAPI"]) : nil
    }

    /// The value of CURLOPT_LOGIN_OPTIONS; `nil`: libcurl's own.
    var loginOptions: String? {
        mechanisms.isEmpty ? nil : mechanisms.map { "AUTH=\($0)" }.joined(separator: ";")
    }
}
