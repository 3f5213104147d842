// What another mail system reported of one message. Holds no SQL.

import GRDB
package import OutboxCore

/// A row of the table `outbox_report`.
package struct DeliveryReportRecord: Codable, FetchableRecord, Hashable, Sendable {
    /// What happened to the mail.
    package let action: ReportedAction
    /// When the report came.
    package let receivedAt: Timestamp
    /// The enhanced status code.
    package let status: String?
    /// Why it failed, or is late.
    package let reason: StoredCode<FailureReason>?
    /// The mail system that says so.
    package let reportingMTA: String?
    /// The words of the mail system that refused the mail.
    package let detail: String?

    /// The columns' names, and those of JSON.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case action, status, reason, detail
        case receivedAt = "received_at"
        case reportingMTA = "reporting_mta"
    }

    /// Makes a record.
    package init(
        action: ReportedAction,
        receivedAt: Timestamp,
        status: String? = nil,
        reason: FailureReason? = nil,
        reportingMTA: String? = nil,
        detail: String?
    ) {
        self.action = action
        self.receivedAt = receivedAt
        self.status = status
        self.reason = reason.map { StoredCode($0) }
        self.reportingMTA = reportingMTA
        self.detail = detail
    }
}

/// A message that a report is about.
package struct ReportedMessage: Decodable, FetchableRecord, Hashable, Sendable {
    /// The message's id.
    package let id: Int64
    /// The address that it was sent to.
    package let recipient: String
    /// By what the report was found to be about it.
    package let envelopeID: String

    private enum CodingKeys: String, CodingKey {
        case id, recipient
        case envelopeID = "envelope_id"
    }
}

/// What a report brought about.
package struct ReportEffect: Sendable, Hashable {
    /// The message it was about.
    package let messageID: Int64
    /// The message became `bounced`.
    package let hasBounced: Bool
    /// The state of the message afterwards.
    package let state: MessageState
    /// Until when its address is not mailed any more.
    package let suppressedUntil: Timestamp?

    /// Makes one.
    package init(messageID: Int64, hasBounced: Bool, state: MessageState, suppressedUntil: Timestamp?) {
        self.messageID = messageID
        self.hasBounced = hasBounced
        self.state = state
        self.suppressedUntil = suppressedUntil
    }
}
