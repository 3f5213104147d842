// Validates arguments that must be mail addresses. Never looks anything up.

import ArgumentParser
import InternetMessage

/// Rejects an argument that is not a deliverable address: a mistyped address must not look like one without any mail.
///
/// - Throws: `ValidationError`, which says what the address must be.
func requireAddress(_ argument: String) throws {
    do throws(InvalidMailbox) {
        _ = try Mailbox(argument)
    } catch {
        throw ValidationError("'\(argument.printable)' is not a mail address; it must be \(error.expected)")
    }
}
