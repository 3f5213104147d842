// A relay with its password. Never opens a connection.

package import OutboxCore

/// A user name and password for AUTH. Its description shows neither.
package struct SMTPCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    let user: String
    let password: String

    /// Creates credentials; the password is passed only to libcurl.
    package init(user: String, password: String) {
        self.user = user
        self.password = password
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

    /// Creates a relay.
    package init(_ configuration: RelayConfiguration, credentials: SMTPCredentials? = nil) {
        self.configuration = configuration
        self.credentials = credentials
    }
}

extension SMTPRelay {
    /// Removes the password from the relay's words, also where the relay repeats a response of AUTH PLAIN (RFC 4616),
    /// with or without an authorisation identity, or of AUTH LOGIN.
    var mask: SecretMask {
        guard let credentials else { return .none }
        let response = [0] + Array(credentials.user.utf8) + [0] + Array(credentials.password.utf8)
        return SecretMask([credentials.password], encodings: [response, Array(credentials.user.utf8) + response])
    }
}
