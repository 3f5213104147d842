// How far a mail has come in its present step. Decides nothing.

extension SMTPConversation {
    /// The state of a mail's present step.
    enum Progress: Equatable {
        /// Must be written, once all of the relay's input is read.
        case due
        case writing(left: Int)
        /// Everything is written.
        case awaitingReply
        /// The relay said 354; the sender is asked whether the content may be sent.
        case awaitingPermission
        /// The mail has its ``ending``.
        case over
    }

    /// Everything was written, and the relay must reply.
    var awaitsReply: Bool { progress == .awaitingReply }

    /// The relay waits for the content, and the sender must permit or withhold it.
    var asksForPermission: Bool { progress == .awaitingPermission }

    /// Whether the mail has its ``ending``.
    var isOver: Bool { progress == .over }
}
