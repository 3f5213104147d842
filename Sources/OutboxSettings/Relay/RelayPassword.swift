// A password that hides itself from logs, errors and dumps.

/// A relay's password. Only `revealed` returns it; every description, reflection and dump shows `<redacted>`.
package struct RelayPassword: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The password itself, for SMTP AUTH and nothing else.
    package let revealed: String

    /// Wraps a password.
    package init(_ password: String) {
        revealed = password
    }

    /// `<redacted>`.
    package var description: String { "<redacted>" }
    /// `<redacted>`.
    package var debugDescription: String { description }
    /// A mirror without children.
    package var customMirror: Mirror { Mirror(self, children: []) }
}
