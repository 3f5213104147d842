// Why a password could not be read. Never contains any of it.

/// A password that cannot be had. The program prints `description` and does not start.
package struct PasswordError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong and what to do about it.
    package let description: String
}
