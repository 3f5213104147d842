// Rows of the view outbox_status, and the filter that chooses them. Never hold a token.

import GRDB
package import OutboxCore

/// One row of the view `outbox_status`.
package struct StatusRecord: Codable, FetchableRecord, Hashable, Sendable {
    /// The message's id.
    package let id: Int64
    /// Which mail it is.
    package let kind: String
    /// The recipient's address.
    package let recipient: String
    /// The application's own key for the person.
    package let account: String?
    /// The message's state.
    package let state: MessageState
    /// When the application inserted it.
    package let requestedAt: Timestamp
    /// When a relay took responsibility.
    package let acceptedAt: Timestamp?
    /// When a mail system's report of its delivery arrived.
    package let deliveredAt: Timestamp?
    /// When the newest report arrived that it is late.
    package let delayedAt: Timestamp?
    /// When its final state was reached.
    package let finishedAt: Timestamp?
    /// When its token stops working.
    package let expiresAt: Timestamp?
    /// When its link or its code was used.
    package let redeemedAt: Timestamp?
    /// How many attempts count in the retry schedule, the one under way included. A relay's own fault does not count.
    package let attempts: Int
    /// When the next attempt is due.
    package let nextAttemptAt: Timestamp?
    /// The reason for waiting, while the message waits: `restored-file`, `resend-limit`, `not-before`, `relay`, `retry`,
    /// or `turn`.
    package let waitingFor: String?
    /// The last reply of the relay, or outboxd's own last words on the message.
    package let detail: String?
    /// An attempt transmitted the whole mail and got no reply.
    package let mayArriveTwice: Bool
    /// Codes of `Advice`, joined by commas.
    package let advice: String
    /// For `wait`, when the waiting ends; for other advice, since when it applies.
    package let adviceAt: Timestamp?

    /// The column names, which are also the JSON keys.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case id, kind, recipient, account, state, attempts, detail, advice
        case requestedAt = "requested_at"
        case acceptedAt = "accepted_at"
        case deliveredAt = "delivered_at"
        case delayedAt = "delayed_at"
        case finishedAt = "finished_at"
        case expiresAt = "expires_at"
        case redeemedAt = "redeemed_at"
        case nextAttemptAt = "next_attempt_at"
        case waitingFor = "waiting_for"
        case mayArriveTwice = "may_arrive_twice"
        case adviceAt = "advice_at"
    }
}

/// The values of `waiting_for`: why a message waits.
package enum WaitingReason: String, CaseIterable, Sendable {
    /// The file was restored; an operator decides whether the message may be sent.
    case restoredFile = "restored-file"
    /// A limit on resends.
    case resendLimit = "resend-limit"
    /// The application's `not_before`.
    case notBefore = "not-before"
    /// No relay is up.
    case relay
    /// The next attempt is not due yet.
    case retry
    /// It is due.
    case turn
}

/// Which messages to list.
package struct StatusFilter: Sendable {
    /// Only this state.
    package var state: MessageState?
    /// Only messages that wait for this reason.
    package var waitingFor: WaitingReason?
    /// Only this kind.
    package var kind: String?
    /// Only messages requested at or after this moment.
    package var since: Timestamp?
    /// The maximum number of messages; the newest are listed.
    package var limit: Int

    /// Creates a filter.
    package init(
        state: MessageState? = nil,
        waitingFor: WaitingReason? = nil,
        kind: String? = nil,
        since: Timestamp? = nil,
        limit: Int = 50
    ) {
        self.state = state
        self.waitingFor = waitingFor
        self.kind = kind
        self.since = since
        self.limit = limit
    }
}
