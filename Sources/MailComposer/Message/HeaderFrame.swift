// The header fields that do not depend on the message, as octets. Knows no message.

import InternetMessage
import OutboxCore

/// The header fields that all mails of one kind share. What differs between two mails goes between the parts.
struct HeaderFrame: Sendable {
    /// From the end of `Date` to the recipient's address: From, MIME-Version, Auto-Submitted, X-Auto-Response-Suppress,
    /// Reply-To, and the beginning of To.
    let beforeRecipient: [UInt8]
    /// From the end of `X-Entity-Ref-ID` to the subject: Feedback-ID, if the kind has one.
    let beforeSubject: [UInt8]

    /// - Parameters:
    ///   - sender: the sender's display name.
    ///   - mailbox: the sender's address.
    init(sender: String?, mailbox: Mailbox, replyTo: String?, feedbackID: FeedbackID?) {
        var bytes = Array("\r\n".utf8)
        HeaderField.appendMailbox("From", displayName: sender, address: mailbox.address, to: &bytes)
        HeaderField.append("MIME-Version", "1.0", to: &bytes)
        // RFC 3834 §5: keeps vacation responders from answering.
        HeaderField.append("Auto-Submitted", "auto-generated", to: &bytes)
        // Exchange and Outlook obey this field: no out-of-office reply, and no read or delivery receipt (MS-OXCMAIL).
        HeaderField.append("X-Auto-Response-Suppress", "All", to: &bytes)
        if let replyTo { HeaderField.append("Reply-To", replyTo, to: &bytes) }
        bytes.append("To: ")
        beforeRecipient = bytes
        bytes = Array("\r\n".utf8)
        if let feedbackID { HeaderField.append("Feedback-ID", feedbackID.text, to: &bytes) }
        beforeSubject = bytes
    }

    /// The fields behind the subject, up to the boundary's `=_`.
    static func lastFields(language: String) -> [UInt8] {
        var bytes: [UInt8] = []
        HeaderField.append("Content-Language", language, to: &bytes)
        bytes.append("Content-Type: multipart/alternative;\r\n boundary=\"=_")
        return bytes
    }
}
