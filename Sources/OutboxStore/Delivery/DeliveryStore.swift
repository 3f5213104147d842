// What delivery needs of a store, engine apart. Holds no SQL; every implementation passes the same test suite.

package import OutboxCore

/// The outbox as the delivery services use it.
///
/// Every method is one transaction, durable when it returns. Two daemons may use one store: a claim belongs to the
/// one that made it, and a completion counts only while its claim is held.
package protocol DeliveryStore: Sendable {
    /// Claims due messages, highest priority first, then the longest due, and records that an attempt of each begins.
    ///
    /// Messages that the rules keep from being sent are finished or held instead; a transaction handles a bounded number
    /// of those, so that a batch may be short although more is due.
    /// - Parameters:
    ///   - limit: at most so many.
    ///   - now: the present.
    ///   - lease: how long the claims are held unless they are renewed.
    ///   - selection: which of the due messages to claim.
    ///   - expiryHold: where the clock was just set forward, for how long messages whose deadline has passed neither
    ///     expire nor are sent.
    func claim(
        _ selection: ClaimSelection,
        limit: Int,
        now: Timestamp,
        lease: Duration,
        rules: DeliveryRules,
        expiryHold: Duration?
    ) async throws -> ClaimBatch

    /// Makes unsent messages `superseded` that are older than messages inserted since the last call, and tells which
    /// claimed messages were withdrawn.
    ///
    /// - Parameter sequence: only messages inserted after this one are looked at for what they supersede; `nil` looks at
    ///   none, brings the addresses of all open messages into the form that is compared, and tells the newest.
    func supersede(newerThan sequence: Int64?, now: Timestamp, rules: DeliveryRules) async throws -> Supersession

    /// Records how attempts ended.
    ///
    /// A completion that a rule of the application refuses does not stop the others.
    /// - Parameter clock: tells the present when the transaction has begun: somebody may set the clock while this waits for
    ///   the file, and a moment of the old clock would keep a message back until that clock's time comes again.
    func finish(
        _ completions: [Completion],
        clock: @escaping @Sendable () -> Timestamp,
        rules: DeliveryRules
    ) async throws -> FinishResult

    /// Takes the addresses off the suppression list that these messages' refusals put there: it was the relay's fault.
    func liftSuppressions(causedBy messages: [Int64]) async throws

    /// Writes down how the relays are.
    func record(_ relays: [RelayStatus]) async throws

    /// Gives claims back of which nothing was sent: no attempt is counted, and they are due at once, or superseded where
    /// a newer message is there.
    func returnUnsent(_ claims: [Claim], now: Timestamp, rules: DeliveryRules) async throws

    /// Prolongs the claims this process holds.
    func renewLeases(until: Timestamp) async throws

    /// Claims of other daemons whose lease ran out, or ends later than any lease that begins now. A process never asks
    /// about its own claims: it knows what became of them.
    ///
    /// Takes the write lock, so that the caller learns how long others had to wait for it.
    func expiredClaims(now: Timestamp, lease: Duration) async throws -> [ExpiredClaim]

    /// Ends claims of daemons that are gone, where they are still as they were seen: their attempt is `uncertain`, and they
    /// are due at once, or superseded where a newer message is there.
    ///
    /// One that was interrupted three times while it was tried alone is rejected: it ends the daemon.
    func rescue(_ claims: [ExpiredClaim], now: Timestamp, rules: DeliveryRules) async throws -> Rescue

    /// What this process tries alone is not alone any more.
    func endTryingAlone() async throws

    /// Sets right the due times that outboxd itself wrote, after the clock was set.
    ///
    /// Those that lie ahead by a retry's delay move with the clock; those that lie further ahead than any rule could have
    /// set them are due now. `not_before` and `expires_at` are the application's, and stay.
    /// - Parameters:
    ///   - step: how far the clock was set forward, negative for back; `nil` where nobody knows, as at the start.
    ///   - since: when the step was noticed: attempts that ended from then on know the clock as it is.
    ///   - clock: tells the present when the transaction has begun, as for the recording of outcomes.
    ///   - longestDelay: the longest delay that the retry schedule has.
    /// - Returns: how many messages changed; a bounded number at a time, so call again until it is 0.
    func followClock(
        step: Duration?,
        since: Timestamp,
        clock: @escaping @Sendable () -> Timestamp,
        longestDelay: Duration
    ) async throws -> Int

    /// Makes open messages `expired` whose `expires_at` has come: a bounded number at a time, the longest expired first.
    ///
    /// - Returns: the ids of the messages.
    func expire(now: Timestamp) async throws -> [Int64]

    /// The next moments at which something is to be done, unless something else happens before.
    func nextMoments(now: Timestamp) async throws -> NextMoments

    /// Changes whenever another connection has committed.
    func commitCounter() async throws -> Int

    /// Removes the traces that wiped tokens leave in the store's log. Nobody's write waits for it.
    ///
    /// - Returns: whether it succeeded; a reader may be in the way, and the caller tries again later.
    func truncateLog() async throws -> Bool

    /// Removes some of what is older than a moment: messages by when they became final, ids by when retention removed
    /// their message, idempotency keys by when they were last in use.
    ///
    /// - Parameters:
    ///   - before: what is not younger than that.
    ///   - place: where the slice before it ended; `nil` begins with the oldest.
    ///   - pace: how much at once.
    ///   - uptime: a clock that nobody sets.
    func retire(
        _ step: RetentionStep,
        before: Timestamp,
        from place: RetentionPlace?,
        pace: SlicePace,
        now: Timestamp,
        uptime: @Sendable @escaping () -> ContinuousClock.Instant
    ) async throws -> RetentionSlice
}

/// What became of completions that were to be recorded.
package struct FinishResult: Sendable {
    /// Their claim was lost, because its lease had run out or the message is gone; nothing was recorded.
    package let lost: [Completion]
    /// A rule that an application put on the tables refused them; their messages stay claimed.
    package let refused: [(completion: Completion, refusal: RowRefusal)]

    /// Makes a result.
    package init(lost: [Completion], refused: [(completion: Completion, refusal: RowRefusal)] = []) {
        self.lost = lost
        self.refused = refused
    }
}

/// When there is something to do by time. Moments may lie in the past; `nil` is never.
package struct NextMoments: Sendable, Hashable {
    /// The first message that waits falls due.
    package let due: Timestamp?
    /// The first lease of another daemon runs out.
    package let lease: Timestamp?
    /// The first message that waits expires.
    package let expiry: Timestamp?
    /// The first message that is to be tried alone falls due.
    package let dueAlone: Timestamp?
    /// The highest priority at which a message is due by now.
    package let highestDuePriority: Int?
    /// Messages that were under way when outboxd died wait to be tried again.
    package let hasInterrupted: Bool
    /// Messages are being sent, by whichever daemon.
    package let isSending: Bool

    /// Makes them.
    package init(
        due: Timestamp? = nil,
        lease: Timestamp? = nil,
        expiry: Timestamp? = nil,
        dueAlone: Timestamp? = nil,
        highestDuePriority: Int? = nil,
        hasInterrupted: Bool = false,
        isSending: Bool = false
    ) {
        self.due = due
        self.lease = lease
        self.expiry = expiry
        self.dueAlone = dueAlone
        self.highestDuePriority = highestDuePriority
        self.hasInterrupted = hasInterrupted
        self.isSending = isSending
    }

    /// The first of all.
    package var next: Timestamp? { [due, lease, expiry, dueAlone].compactMap(\.self).min() }
}
