// Why a password could not be read. Never contains any of it.

/// A password that cannot be read. The program prints `description` and does not start.
package struct PasswordError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The problem and its remedy.
    package let description: String
}
