// What another mail system reported of one message. Holds no SQL.

package import OutboxCore

/// A row of the table `outbox_report`; the properties are its columns.
package struct DeliveryReportRecord: Sendable, Hashable {
    /// What happened to the mail: a raw value of `ReportedAction`.
    package let action: String
    /// When the report came.
    package let receivedAt: Timestamp
    /// The enhanced status code.
    package let status: String?
    /// Why it failed, or is late: a raw value of `FailureReason`.
    package let reason: String?
    /// The mail system that says so.
    package let reportingMTA: String?
    /// The words of the mail system that refused the mail.
    package let detail: String?

    /// Makes a record.
    package init(
        action: String,
        receivedAt: Timestamp,
        status: String?,
        reason: String?,
        reportingMTA: String?,
        detail: String?
    ) {
        self.action = action
        self.receivedAt = receivedAt
        self.status = status
        self.reason = reason
        self.reportingMTA = reportingMTA
        self.detail = detail
    }
}

/// A message that a report is about.
package struct ReportedMessage: Sendable, Hashable {
    /// The message's id.
    package let id: Int64
    /// The address that it was sent to.
    package let recipient: String
    /// By what the report was found to be about it.
    package let envelopeID: String
}

/// What a report brought about.
package struct ReportEffect: Sendable, Hashable {
    /// The message it was about.
    package let messageID: Int64
    /// The message became `bounced`.
    package let hasBounced: Bool
    /// The state of the message afterwards.
    package let state: String
    /// Until when its address is not mailed any more.
    package let suppressedUntil: Timestamp?

    /// Makes one.
    package init(messageID: Int64, hasBounced: Bool, state: String, suppressedUntil: Timestamp?) {
        self.messageID = messageID
        self.hasBounced = hasBounced
        self.state = state
        self.suppressedUntil = suppressedUntil
    }
}
