// What another mail system did with a mail of ours, as a stable word. Never says how it is recognised.

/// What happened to a mail that a relay had accepted. The raw values are those of the column `outbox_report.action`.
package enum ReportedAction: String, CaseIterable, Codable, Sendable {
    /// It will not be delivered (RFC 3464 §2.3.3).
    case failed
    /// It has not been delivered yet; the mail system goes on trying.
    case delayed
    /// It was delivered.
    case delivered
    /// It was passed on to a mail system that makes no reports.
    case relayed
    /// It was delivered to a list, which passed it on.
    case expanded
    /// A mail system sent something back, and does not clearly say whether it has given up.
    case returned
    /// A program answered in the recipient's name.
    case answered
    /// The recipient, or a provider, called it junk.
    case complained
}
