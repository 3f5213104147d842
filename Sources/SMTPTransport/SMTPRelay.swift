// A relay with its login. Never opens a connection.

package import OutboxCore

/// A user name, with a password or access tokens, for AUTH. Its description shows none of them.
package struct SMTPCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    /// The proof of identity.
    enum Proof {
        case password(String)
        case tokens(AccessTokens)
    }

    let user: String
    let proof: Proof

    /// Creates credentials; the password is passed only to libcurl.
    package init(user: String, password: String) {
        self.user = user
        proof = .password(password)
    }

    /// Creates credentials for XOAUTH2 and OAUTHBEARER; the tokens are passed only to libcurl.
    package init(user: String, tokens: AccessTokens) {
        self.user = user
        proof = .tokens(tokens)
    }

    /// The access tokens; `nil` for a password.
    package var tokens: AccessTokens? {
        switch proof {
        case .password: nil
        case .tokens(let tokens): tokens
        }
    }

    package var description: String { "<credentials>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// One relay in the form that its lanes use.
package struct SMTPRelay: Sendable {
    /// Where the relay is, and how to connect to it.
    package var configuration: RelayConfiguration
    /// The credentials for AUTH; `nil` means no AUTH.
    package var credentials: SMTPCredentials?
    /// What its conversations showed about PIPELINING. Copies share it.
    let pipelining = SharedPipeliningTrust()

    /// Creates a relay.
    package init(_ configuration: RelayConfiguration, credentials: SMTPCredentials? = nil) {
        self.configuration = configuration
        self.credentials = credentials
    }
}

extension SMTPRelay {
    /// Removes the password from the relay's words, also where the relay repeats a response of AUTH PLAIN (RFC 4616),
    /// with or without an authorisation identity, or of AUTH LOGIN. Removes the client's secrets and the last tokens,
    /// also where the relay repeats a response of XOAUTH2 or OAUTHBEARER.
    package var mask: SecretMask {
        guard let credentials else { return .none }
        switch credentials.proof {
        case .password(let password):
            let response = [0] + Array(credentials.user.utf8) + [0] + Array(password.utf8)
            return SecretMask([password], encodings: [response, Array(credentials.user.utf8) + response])
        case .tokens(let tokens):
            return tokens.mask
        }
    }

    /// Continues to use a former relay's tokens where nothing about their client has changed: a server may have replaced
    /// the stored refresh token.
    package mutating func keepTokens(of former: SMTPRelay) {
        guard let credentials, let tokens = credentials.tokens, let known = former.credentials?.tokens,
            known.client == tokens.client
        else { return }
        self.credentials = SMTPCredentials(user: credentials.user, tokens: known)
    }
}
