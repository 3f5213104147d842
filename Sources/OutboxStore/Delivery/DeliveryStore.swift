// The storage interface that delivery uses, independent of the database engine. Holds no SQL; every implementation
// passes the same test suite.

package import OutboxCore

/// The outbox as the delivery services use it.
///
/// Every method is one transaction, durable when it returns. Two daemons may use one store: a claim belongs to the
/// daemon that made it, and a completion is recorded only while its claim is held.
package protocol DeliveryStore: Sendable {
    /// Claims due messages, highest priority first, then longest due, and records the start of an attempt for each.
    ///
    /// Messages that the rules keep from being sent are finished or held instead. A transaction handles a bounded
    /// number of those, so a batch may be short although more messages are due.
    /// - Parameters:
    ///   - limit: the maximum number of claims.
    ///   - now: the present.
    ///   - lease: how long the claims last unless they are renewed.
    ///   - selection: which of the due messages to claim.
    ///   - expiryHold: after the clock was set forward, how long messages with a passed deadline neither expire nor are
    ///     sent.
    func claim(
        _ selection: ClaimSelection,
        limit: Int,
        now: Timestamp,
        lease: Duration,
        rules: DeliveryRules,
        expiryHold: Duration?
    ) async throws -> ClaimBatch

    /// Makes unsent messages `superseded` when a newer message was inserted since the last call, and returns the
    /// claimed messages that were cancelled.
    ///
    /// - Parameter sequence: only messages inserted after this sequence can supersede others. `nil` supersedes nothing,
    ///   brings the addresses of all open messages into canonical form, and returns the newest sequence.
    func supersede(newerThan sequence: Int64?, now: Timestamp, rules: DeliveryRules) async throws -> Supersession

    /// Records how attempts ended.
    ///
    /// A completion that a rule of the application refuses doesn't stop the other completions.
    /// - Parameter clock: read after the transaction has begun. The clock may be set while the transaction waits for
    ///   the file, and a time of the old clock would delay a message until the new clock reaches it.
    func finish(
        _ completions: [Completion],
        clock: @escaping @Sendable () -> Timestamp,
        rules: DeliveryRules
    ) async throws -> FinishResult

    /// Removes the suppressions that the rejections of these messages created: the relay was at fault.
    func liftSuppressions(causedBy messages: [Int64]) async throws

    /// Stores the health of the relays.
    func record(_ relays: [RelayStatus]) async throws

    /// Releases claims for which nothing was sent. No attempt is counted. The messages are due at once, or superseded
    /// where a newer message exists.
    func returnUnsent(_ claims: [Claim], now: Timestamp, rules: DeliveryRules) async throws

    /// Extends the leases of this process's claims.
    func renewLeases(until: Timestamp) async throws

    /// Claims of other daemons whose lease has run out, or ends later than any lease that begins now. A process never
    /// asks about its own claims, because it knows their outcome.
    ///
    /// Takes the write lock, so that the caller learns how long other writers had to wait for it.
    func expiredClaims(now: Timestamp, lease: Duration) async throws -> [ExpiredClaim]

    /// Ends claims of dead daemons, unless the claims have changed since they were read. Their attempts become
    /// `uncertain`. The messages are due at once, or superseded where a newer message exists.
    ///
    /// A message that was interrupted three times while it was tried alone is rejected, because it ends the daemon.
    func rescue(_ claims: [ExpiredClaim], now: Timestamp, rules: DeliveryRules) async throws -> Rescue

    /// Ends the exclusive trial of the message that this process tries alone.
    func endTryingAlone() async throws

    /// Corrects the due times that outboxd itself wrote, after the clock was set.
    ///
    /// Due times within a retry's delay move with the clock; due times further ahead than any rule sets them become
    /// now. `not_before` and `expires_at` belong to the application and stay.
    /// - Parameters:
    ///   - step: how far the clock was set forward, negative for back; `nil` where the step is unknown, as at the
    ///     start.
    ///   - since: when the step was noticed: attempts that ended later already used the new clock.
    ///   - clock: read after the transaction has begun, as in `finish`.
    ///   - longestDelay: the longest delay in the retry schedule.
    /// - Returns: the number of changed messages. Each call changes a bounded number, so repeat the call until it
    ///   returns 0.
    func followClock(
        step: Duration?,
        since: Timestamp,
        clock: @escaping @Sendable () -> Timestamp,
        longestDelay: Duration
    ) async throws -> Int

    /// Makes open messages `expired` whose `expires_at` has passed. Each call expires a bounded number, the longest
    /// expired first.
    ///
    /// - Returns: the ids of the messages.
    func expire(now: Timestamp) async throws -> [Int64]

    /// The next times at which work becomes due.
    func nextMoments(now: Timestamp) async throws -> NextMoments

    /// Removes the traces that wiped tokens leave in the store's log. No writer has to wait for this.
    ///
    /// - Returns: whether it succeeded. A reader may prevent it; then the caller tries again later.
    func truncateLog() async throws -> Bool

    /// Removes some entries that are older than a given time. The age of a message counts from its final state, that of
    /// an id from the removal of its message, and that of an idempotency key from its last use.
    ///
    /// - Parameters:
    ///   - before: only entries of this time or older are removed.
    ///   - place: where the previous slice ended; `nil` begins with the oldest entry.
    ///   - pace: the size of the slice.
    ///   - uptime: a monotonic clock.
    func retire(
        _ step: RetentionStep,
        before: Timestamp,
        from place: RetentionPlace?,
        pace: SlicePace,
        now: Timestamp,
        uptime: @Sendable @escaping () -> ContinuousClock.Instant
    ) async throws -> RetentionSlice
}

/// The result of recording completions.
package struct FinishResult: Sendable {
    /// Completions whose claim was lost because the lease had run out or the message is gone; nothing was recorded for
    /// them.
    package let lost: [Completion]
    /// Completions that a rule of the application refused; their messages stay claimed.
    package let refused: [(completion: Completion, refusal: RowRefusal)]

    /// Creates a result.
    package init(lost: [Completion], refused: [(completion: Completion, refusal: RowRefusal)] = []) {
        self.lost = lost
        self.refused = refused
    }
}

/// When work becomes due by time. Moments may lie in the past; `nil` means never.
package struct NextMoments: Sendable, Hashable {
    /// The first waiting message becomes due.
    package let due: Timestamp?
    /// The first lease of another daemon ends.
    package let lease: Timestamp?
    /// The first waiting message expires.
    package let expiry: Timestamp?
    /// The first message that must be tried alone becomes due.
    package let dueAlone: Timestamp?
    /// The highest priority among the messages that are due now.
    package let highestDuePriority: Int?
    /// Messages that were being sent when outboxd died are waiting for another attempt.
    package let hasInterrupted: Bool
    /// Messages are being sent by any daemon.
    package let isSending: Bool
    /// Messages of a restored file wait for an operator's decision.
    package let hasRestored: Bool

    /// Creates a set of moments.
    package init(
        due: Timestamp? = nil,
        lease: Timestamp? = nil,
        expiry: Timestamp? = nil,
        dueAlone: Timestamp? = nil,
        highestDuePriority: Int? = nil,
        hasInterrupted: Bool = false,
        isSending: Bool = false,
        hasRestored: Bool = false
    ) {
        self.due = due
        self.lease = lease
        self.expiry = expiry
        self.dueAlone = dueAlone
        self.highestDuePriority = highestDuePriority
        self.hasInterrupted = hasInterrupted
        self.isSending = isSending
        self.hasRestored = hasRestored
    }

    /// The earliest of all moments.
    package var next: Timestamp? { [due, lease, expiry, dueAlone].compactMap(\.self).min() }
}
