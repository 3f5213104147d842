// A password that does not show itself. Never written to a log, an error or a dump by accident.

/// A relay's password. Only `revealed` gives it away; every description, reflection and dump says `<redacted>`.
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
