// The arguments that name mail addresses and messages. Never looks anything up.

import ArgumentParser
import InternetMessage

/// A mail address, or the id of one message.
struct SubjectArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("A mail address, or the id of one message.", valueName: "address|id"))
    var subject: String

    func validate() throws {
        guard subject.contains("@") || id != nil else {
            throw ValidationError("'\(subject)' is neither a mail address nor a message's id")
        }
    }

    /// The id, if the argument is a number.
    var id: Int64? { Int64(subject) }
}

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
