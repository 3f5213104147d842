// The parts of a mail that an operator can preview. Only the names; MailComposer.preview does the work.

/// A part of a mail for `MailComposer.preview`; an operator types its raw value.
package enum PreviewPart: String, Sendable, CaseIterable {
    /// The subject, decoded.
    case subject
    /// The text of the `text/plain` part.
    case text
    /// The source of the `text/html` part.
    case html
    /// The whole message as it would go to the relay, header and encoded parts.
    case message
}
