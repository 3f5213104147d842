// The argument that names a person's mails or one message. Never looks anything up.

import ArgumentParser

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
