// The answers to "what became of it": rows of the view outbox_status and of outbox_attempt. Never hold a token.

import GRDB
package import OutboxCore

/// One row of the view `outbox_status`.
package struct StatusRecord: Codable, FetchableRecord, Hashable, Sendable {
    /// The message's id.
    package let id: Int64
    /// Which mail it is.
    package let kind: String
    /// The address it goes to.
    package let recipient: String
    /// The application's own key for the person.
    package let account: String?
    /// Where it is on its way.
    package let state: MessageState
    /// When the application inserted it.
    package let requestedAt: Timestamp
    /// When a relay took responsibility.
    package let acceptedAt: Timestamp?
    /// When its final state was reached.
    package let finishedAt: Timestamp?
    /// When its token stops working.
    package let expiresAt: Timestamp?
    /// How many attempts count in the retry schedule, the one under way included. A relay's own fault does not count.
    package let attempts: Int
    /// When the next attempt is due.
    package let nextAttemptAt: Timestamp?
    /// What it waits for, while it waits: `resend-limit`, `not-before`, `relay`, `retry`, or `turn`.
    package let waitingFor: String?
    /// What the relay, or outboxd itself, last said of it.
    package let detail: String?
    /// An attempt handed the whole mail over and got no answer.
    package let mayArriveTwice: Bool
    /// Codes of `Advice`, joined by commas.
    package let advice: String
    /// Until when to wait, or since when the advice holds.
    package let adviceAt: Timestamp?

    /// The columns' names, and those of JSON.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, kind, recipient, account, state, attempts, detail, advice
        case requestedAt = "requested_at"
        case acceptedAt = "accepted_at"
        case finishedAt = "finished_at"
        case expiresAt = "expires_at"
        case nextAttemptAt = "next_attempt_at"
        case waitingFor = "waiting_for"
        case mayArriveTwice = "may_arrive_twice"
        case adviceAt = "advice_at"
    }
}

/// How an attempt ended. The raw values are those of the column `outbox_attempt.outcome`.
package enum AttemptOutcome: String, CaseIterable, Codable, DatabaseValueConvertible, Sendable {
    /// The relay took responsibility.
    case accepted
    /// It failed for the time being.
    case deferred
    /// It failed for good.
    case rejected
    /// The whole mail was handed over, and no answer came.
    case uncertain
}

/// One row of `outbox_attempt`.
package struct AttemptRecord: Codable, FetchableRecord, Hashable, Sendable {
    /// Counted from 1, without gaps.
    package let attempt: Int
    /// When it was claimed for this attempt.
    package let startedAt: Timestamp
    /// When its outcome was known.
    package let finishedAt: Timestamp?
    /// How it ended; `nil` while it is under way.
    package let outcome: AttemptOutcome?
    /// The relay that was asked.
    package let relay: String?
    /// How far the conversation came.
    package let stage: StoredCode<SMTPStage>?
    /// Whose fault a failure is.
    package let fault: StoredCode<Verdict.Fault>?
    /// Why it failed.
    package let reason: StoredCode<FailureReason>?
    /// Whether the retry schedule counts it.
    package let counts: Bool
    /// The SMTP reply code.
    package let replyCode: Int?
    /// The enhanced status code, such as `4.2.1`.
    package let enhancedStatus: String?
    /// The relay's words, or the reason as libcurl or outboxd knows it.
    package let detail: String?
    /// The relay's own id of the mail.
    package let queueID: String?

    /// The columns' names, and those of JSON.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case attempt, outcome, relay, stage, fault, reason, counts, detail
        case startedAt = "started_at"
        case finishedAt = "finished_at"
        case replyCode = "reply_code"
        case enhancedStatus = "enhanced_status"
        case queueID = "queue_id"
    }
}

/// Which messages to list.
package struct StatusFilter: Sendable {
    /// Only this state.
    package var state: MessageState?
    /// Only this kind.
    package var kind: String?
    /// Only messages requested at or after this moment.
    package var since: Timestamp?
    /// At most so many, the newest ones.
    package var limit: Int

    /// Makes a filter.
    package init(state: MessageState? = nil, kind: String? = nil, since: Timestamp? = nil, limit: Int = 50) {
        self.state = state
        self.kind = kind
        self.since = since
        self.limit = limit
    }
}
