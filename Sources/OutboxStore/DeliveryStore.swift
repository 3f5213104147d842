// What delivery needs of a store, engine apart. Holds no SQL; every implementation passes the same test suite.

package import OutboxCore

/// The outbox as the delivery services use it.
///
/// Every method is one transaction, durable when it returns. Two daemons may use one store: a claim belongs to the
/// one that made it, and a completion counts only while its claim is held.
package protocol DeliveryStore: Sendable {
    /// Claims due messages, highest priority first, then the longest due, and records that an attempt of each begins.
    ///
    /// Messages whose deadline has passed become `expired` instead.
    /// - Parameters:
    ///   - limit: at most so many.
    ///   - now: the present.
    ///   - lease: how long the claims are held unless they are renewed.
    ///   - giveUpAfter: the deadline, from the request on, of messages without `expires_at`.
    func claim(limit: Int, now: Timestamp, lease: Duration, giveUpAfter: Duration) async throws -> ClaimBatch

    /// Records how attempts ended.
    ///
    /// - Returns: the completions whose claim was lost, because its lease had run out or the message is gone; their
    ///   results were dropped.
    func finish(_ completions: [Completion], now: Timestamp) async throws -> [Completion]

    /// Gives claims back of which nothing was sent: no attempt is counted, and they are due at once.
    func returnUnsent(_ claims: [Claim]) async throws

    /// Prolongs the claims this process holds.
    func renewLeases(until: Timestamp) async throws

    /// Ends claims whose lease ran out: their attempt is `uncertain`, and they are due at once.
    ///
    /// - Returns: the ids of the messages.
    func rescue(now: Timestamp) async throws -> [Int64]

    /// Makes open messages `expired` whose `expires_at` has come.
    ///
    /// - Returns: the ids of the messages.
    func expire(now: Timestamp) async throws -> [Int64]

    /// The next moments at which something is to be done, unless something else happens before.
    func nextMoments() async throws -> NextMoments

    /// Changes whenever another connection has committed.
    func commitCounter() async throws -> Int

    /// Removes the traces that wiped tokens leave in the store's log, if no other program is in the way.
    func truncateLog() async throws
}

/// When there is something to do by time. Moments may lie in the past; `nil` is never.
package struct NextMoments: Sendable, Hashable {
    /// The first message that waits falls due.
    package let due: Timestamp?
    /// The first lease runs out.
    package let lease: Timestamp?
    /// The first message that waits expires.
    package let expiry: Timestamp?

    /// Makes them.
    package init(due: Timestamp?, lease: Timestamp?, expiry: Timestamp?) {
        self.due = due
        self.lease = lease
        self.expiry = expiry
    }

    /// The first of all.
    package var next: Timestamp? { [due, lease, expiry].compactMap(\.self).min() }
}

/// A message claimed for one attempt.
package struct Claim: Sendable, Hashable {
    /// The message.
    package let message: Message
    /// The attempt's number, from 1. It fences the completion.
    package let attempt: Int

    /// Makes a claim.
    package init(message: Message, attempt: Int) {
        self.message = message
        self.attempt = attempt
    }
}

/// What one claiming transaction did.
package struct ClaimBatch: Sendable {
    /// The claimed messages, in the order to send them.
    package let claims: [Claim]
    /// The ids of messages whose deadline had passed.
    package let expired: [Int64]

    /// Makes a batch.
    package init(claims: [Claim], expired: [Int64]) {
        self.claims = claims
        self.expired = expired
    }
}

/// How one attempt ended.
package struct Completion: Sendable, Hashable {
    /// What follows for the message.
    package enum Outcome: Sendable, Hashable {
        /// A relay took responsibility.
        case accepted(SMTPReply)
        /// It failed, and is tried again at the given moment.
        case deferred(TransmissionFailure, FaultScope, next: Timestamp)
        /// It failed for good.
        case rejected(TransmissionFailure, FaultScope)
        /// It failed, and the deadline leaves no room for another attempt.
        case expired(TransmissionFailure, FaultScope)
        /// Nothing was sent because the deadline came while the message waited; the attempt is not counted.
        case expiredUnsent
    }

    /// The claim under which the attempt was made.
    package let claim: Claim
    /// What follows.
    package let outcome: Outcome
    /// The relay that was asked; `nil` where none was.
    package let relay: String?
    /// When the attempt ended.
    package let finishedAt: Timestamp

    /// Makes a completion.
    package init(claim: Claim, outcome: Outcome, relay: String?, finishedAt: Timestamp) {
        self.claim = claim
        self.outcome = outcome
        self.relay = relay
        self.finishedAt = finishedAt
    }
}
