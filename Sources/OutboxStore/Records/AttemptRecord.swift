// Rows of the table outbox_attempt. Never hold a token.

import GRDB
package import OutboxCore

/// How an attempt ended. The raw values are those of the column `outbox_attempt.outcome`.
package enum AttemptOutcome: String, CaseIterable, Codable, DatabaseValueConvertible, Sendable {
    /// The relay took responsibility.
    case accepted
    /// The attempt failed temporarily.
    case deferred
    /// The attempt failed permanently.
    case rejected
    /// The whole mail was transmitted, and no reply came.
    case uncertain
}

/// One row of `outbox_attempt`.
package struct AttemptRecord: Codable, FetchableRecord, Hashable, Sendable {
    /// Counted from 1, without gaps.
    package let attempt: Int
    /// When the message was claimed for this attempt.
    package let startedAt: Timestamp
    /// When the outcome was known.
    package let finishedAt: Timestamp?
    /// The outcome; `nil` while the attempt is in progress.
    package let outcome: AttemptOutcome?
    /// The relay that was used.
    package let relay: String?
    /// The stage that the conversation reached.
    package let stage: StoredCode<SMTPStage>?
    /// Whose fault a failure is.
    package let fault: StoredCode<Verdict.Fault>?
    /// Why it failed.
    package let reason: StoredCode<FailureReason>?
    /// Whether the retry schedule counts the attempt.
    package let counts: Bool
    /// The SMTP reply code.
    package let replyCode: Int?
    /// The enhanced status code, such as `4.2.1`.
    package let enhancedStatus: String?
    /// The relay's words, or the reason given by libcurl or outboxd.
    package let detail: String?
    /// The relay's own id of the mail.
    package let queueID: String?

    /// The column names, which are also the JSON keys.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case attempt, outcome, relay, stage, fault, reason, counts, detail
        case startedAt = "started_at"
        case finishedAt = "finished_at"
        case replyCode = "reply_code"
        case enhancedStatus = "enhanced_status"
        case queueID = "queue_id"
    }
}
