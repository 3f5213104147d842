// Another mail system's action on an accepted mail, as a stable word. Never says how it is recognised.

/// What happened to a mail after a relay accepted it. The raw values are those of the column `outbox_report.action`.
package enum ReportedAction: String, CaseIterable, Codable, Sendable {
    /// The mail will not be delivered (RFC 3464 §2.3.3).
    case failed
    /// The mail has not been delivered yet; the mail system goes on trying.
    case delayed
    /// The mail was delivered.
    case delivered
    /// The mail was passed on to a mail system that sends no reports.
    case relayed
    /// The mail was delivered to a list, which passed it on.
    case expanded
    /// A mail system sent something back, but does not clearly say whether it has given up.
    case returned
    /// A program answered in the recipient's name.
    case answered
    /// The recipient, or a provider, reported the mail as junk.
    case complained
}
