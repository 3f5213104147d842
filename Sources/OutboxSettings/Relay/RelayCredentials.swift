// The user name for a relay together with the place of its password: there is never one without the other.
// Never holds the password itself.

/// What SMTP AUTH (RFC 4954) needs.
package struct RelayCredentials: Sendable, Equatable {
    /// The user name, 1 to 255 characters without control characters.
    package var user: String
    /// Where the password is read from.
    package var password: PasswordSource

    /// Credentials; nothing is read yet.
    package init(user: String, password: PasswordSource) {
        self.user = user
        self.password = password
    }
}
