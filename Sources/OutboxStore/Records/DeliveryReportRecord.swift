// Another mail system's report about one message. Holds no SQL.

import GRDB
package import OutboxCore

/// A row of the table `outbox_report`.
package struct DeliveryReportRecord: Codable, FetchableRecord, Hashable, Sendable {
    /// What happened to the mail.
    package let action: ReportedAction
    /// When the report arrived.
    package let receivedAt: Timestamp
    /// The enhanced status code.
    package let status: String?
    /// Why the mail failed or is late.
    package let reason: StoredCode<FailureReason>?
    /// The reporting mail system.
    package let reportingMTA: String?
    /// The words of the mail system that rejected the mail.
    package let detail: String?

    /// The column names, which are also the JSON keys.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case action, status, reason, detail
        case receivedAt = "received_at"
        case reportingMTA = "reporting_mta"
    }

    /// Creates a record.
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
    /// The address of its recipient.
    package let recipient: String
    /// The envelope id that linked the report to this message.
    package let envelopeID: String

    private enum CodingKeys: String, CodingKey {
        case id, recipient
        case envelopeID = "envelope_id"
    }
}

/// The effect of a report.
package struct ReportEffect: Sendable, Hashable {
    /// The message that the report was about.
    package let messageID: Int64
    /// The message became `bounced`.
    package let hasBounced: Bool
    /// The state of the message afterwards.
    package let state: MessageState
    /// When the suppression of the address ends; `nil` where it isn't suppressed.
    package let suppressedUntil: Timestamp?

    /// Creates an effect.
    package init(messageID: Int64, hasBounced: Bool, state: MessageState, suppressedUntil: Timestamp?) {
        self.messageID = messageID
        self.hasBounced = hasBounced
        self.state = state
        self.suppressedUntil = suppressedUntil
    }
}
