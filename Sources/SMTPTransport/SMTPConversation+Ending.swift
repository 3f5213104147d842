// The result of a mail for the lane that sent it. Decides nothing.

import OutboxCore

extension SMTPConversation {
    /// The result of a mail.
    struct Ending: Equatable {
        let result: TransmissionResult
        /// Both sides are in step, so another mail can use the connection.
        var keepsConnection: Bool
        /// Nothing was transmitted, and only this connection failed: the mail may be sent over a new one at once, as part
        /// of the same attempt.
        var isForNewConnection: Bool
        /// The relay answered MAIL with 421 on a connection that had carried mails: it may take no more over one connection.
        var isRefusedAnotherMail = false
        /// The number of negative replies. A relay counts each of them, also those to the rest of a group.
        var negativeReplies = 0
        /// What the replies to a group of commands show about the relay's PIPELINING.
        var pipelining = PipeliningEvidence.none
    }

    /// Evidence of a relay's support of PIPELINING (RFC 2920), which it offers.
    enum PipeliningEvidence {
        case none
        /// All commands of a group were answered.
        case wholeGroup
        /// A reply to a group is missing. The relay may have lost a command, or may only be slow.
        case missingReply
        /// Replies to a group were out of step.
        case outOfStep

        /// Whether a connection in lockstep is needed to understand the relay.
        var isDoubt: Bool { self == .missingReply || self == .outOfStep }
    }
}
