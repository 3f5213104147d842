// The answers to "what became of it": rows of the view outbox_status and of outbox_attempt. Never hold a token.

package import OutboxCore

/// One row of the view `outbox_status`; the properties are its columns.
package struct StatusRecord: Sendable, Hashable {
    /// The message's id.
    package let id: Int64
    /// Which mail it is.
    package let kind: String
    /// The address it goes to.
    package let recipient: String
    /// The application's own key for the person.
    package let account: String?
    /// Where it is on its way.
    package let state: String
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
}

/// One row of `outbox_attempt`; the properties are its columns.
package struct AttemptRecord: Sendable, Hashable {
    /// Counted from 1, without gaps.
    package let attempt: Int
    /// When it was claimed for this attempt.
    package let startedAt: Timestamp
    /// When its outcome was known.
    package let finishedAt: Timestamp?
    /// `accepted`, `deferred`, `rejected` or `uncertain`; `nil` while it is under way.
    package let outcome: String?
    /// The relay that was asked.
    package let relay: String?
    /// How far the conversation came: a raw value of `SMTPStage`.
    package let stage: String?
    /// Whose fault a failure is: a raw value of `FaultScope`.
    package let fault: String?
    /// Why it failed: a raw value of `FailureReason`.
    package let reason: String?
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
