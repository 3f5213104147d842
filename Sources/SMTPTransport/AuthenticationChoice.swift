// Which of the mechanisms that a relay offers libcurl may use. Pure; never sees a password.

import OutboxCore

/// What libcurl may choose from.
///
/// Left to itself it takes the strongest mechanism that is offered and stays with it, even where the relay can't serve it
/// for this account: Exchange offers GSSAPI, NTLM and LOGIN, and without a ticket nothing is mailed.
struct AuthenticationChoice: Equatable {
    /// The only ones to use, in no order; empty: whatever libcurl prefers.
    let mechanisms: [String]

    /// The choice for a relay's first connection.
    init(_ relay: SMTPRelay) {
        if let mechanism = relay.configuration.authentication {
            mechanisms = [mechanism.name]
        } else {
            switch relay.configuration.tls {
            // The connection protects the password.
            case .required, .opportunistic:
                mechanisms = [AuthenticationMechanism.plain.name, AuthenticationMechanism.login.name]
            case .none: mechanisms = []
            }
        }
    }

    private init(mechanisms: [String]) { self.mechanisms = mechanisms }

    /// What else can be tried over another connection where none of these was offered; `nil`: nothing.
    func alternative(offered: [String], at relay: SMTPRelay) -> AuthenticationChoice? {
        guard relay.configuration.authentication == nil, !mechanisms.isEmpty else { return nil }
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

extension AuthenticationMechanism {
    /// The name that EHLO and libcurl have for it.
    var name: String { rawValue.uppercased() }
}
