// Arguments that must be mail addresses. Never looks anything up.

import ArgumentParser
import InternetMessage

/// Refuses an argument that is no address that a mail can go to: a mistyped one must not look like one that nothing is
/// known of.
///
/// - Throws: `ValidationError`, which says what the address must be.
func requireAddress(_ argument: String) throws {
    do throws(InvalidMailbox) {
        _ = try Mailbox(argument)
    } catch {
        throw ValidationError("'\(argument.printable)' is not a mail address; it must be \(error.expected)")
    }
}
