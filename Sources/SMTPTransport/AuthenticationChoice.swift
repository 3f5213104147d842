// Which of a relay's mechanisms libcurl may use. Pure; never sees a password.

import OutboxCore

/// The mechanisms that libcurl may choose from.
///
/// By default libcurl picks the strongest offered mechanism and stays with it, even where the relay can't use it for
/// this account: Exchange offers GSSAPI, NTLM and LOGIN, and without a ticket nothing is mailed.
struct AuthenticationChoice: Equatable {
    /// The only permitted mechanisms, in no order; empty means libcurl's own choice.
    let mechanisms: [String]

    /// The choice for a relay's first connection.
    init(_ relay: SMTPRelay) {
        if let mechanism = relay.configuration.authentication {
            mechanisms = [mechanism.name]
        } else if relay.credentials?.tokens != nil {
            // Microsoft's and Google's own first. With both permitted, libcurl takes OAUTHBEARER, and with neither
            // offered it would send LOGIN if it were permitted.
            mechanisms = [AuthenticationMechanism.xoauth2.name]
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

    /// The choice to try over another connection if none of these mechanisms was offered; `nil` where there is none.
    func alternative(offered: [String], at relay: SMTPRelay) -> AuthenticationChoice? {
        guard relay.configuration.authentication == nil, !mechanisms.isEmpty else { return nil }
        guard relay.credentials?.tokens == nil else {
            let standard = AuthenticationMechanism.oauthBearer.name
            return offered.contains(standard) ? AuthenticationChoice(mechanisms: [standard]) : nil
        }
        let withPassword = ["SCRAM-SHA-256", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "NTLM"].filter(offered.contains)
        if !withPassword.isEmpty { return AuthenticationChoice(mechanisms: withPassword) }
        // Tried last, because it needs a ticket instead of a password.
        return offered.contains("GSSAPI") ? AuthenticationChoice(mechanisms: ["GSSAPI"]) : nil
    }

    /// The value of CURLOPT_LOGIN_OPTIONS; `nil` means libcurl's default.
    var loginOptions: String? {
        mechanisms.isEmpty ? nil : mechanisms.map { "AUTH=\($0)" }.joined(separator: ";")
    }
}

extension AuthenticationMechanism {
    /// The mechanism's name in EHLO and in libcurl.
    var name: String { rawValue.uppercased() }
}
