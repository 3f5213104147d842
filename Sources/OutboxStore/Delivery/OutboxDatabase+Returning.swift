// Releases claims, renews their leases, and rescues claims of dead daemons. Never records an outcome.

import GRDB
package import OutboxCore

extension OutboxDatabase {
    package func returnUnsent(_ claims: [Claim], now: Timestamp, rules: DeliveryRules) async throws {
        try await write { database in
            _ = try database.changeRows(claims, messageID: \.message.id) { claims in
                try claims.map { try Self.giveBack($0, now: now, rules: rules, in: database) }
            }
        }
    }

    /// - Parameter until: when the message is due again; `nil` means at once.
    /// - Returns: whether the claim was still held.
    static func giveBack(
        _ claim: Claim,
        until: Timestamp? = nil,
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws -> Bool {
        let earlier = claim.attempt - 1
        guard let state = MessageState.sending.after(.returnedUnsent(earlierAttempts: earlier)) else {
            preconditionFailure("a claim can always be returned")
        }
        // The message keeps its place before later ones. If the clock was set back meanwhile, it is due now.
        let due = until ?? min(claim.claimedAt, now)
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_state
                SET state = ?1, attempts = ?2, last_attempt = ?3, claimed_by = NULL, lease_expires_at = NULL, due_at = ?4,
                    is_alone = 0
                WHERE sequence = ?5 AND state = 'sending' AND last_attempt = ?6
                """
        )
        try update.execute(arguments: [
            state, claim.attempts - 1, earlier, due, claim.sequence, claim.attempt,
        ])
        guard database.changesCount == 1 else { return false }
        try forgetAttempt(database, claim)
        try endReopened([claim.sequence], now: now, rules: rules, in: database)
        return true
    }

    /// Removes the record of an attempt that sent nothing, so that attempts stay numbered without gaps.
    static func forgetAttempt(_ database: Database, _ claim: Claim) throws {
        let delete = try database.cachedStatement(
            sql: "DELETE FROM outbox_attempt WHERE message_id = ? AND attempt = ?"
        )
        try delete.execute(arguments: [claim.message.id, claim.attempt])
    }

    package func renewLeases(until: Timestamp) async throws {
        let claimant = claimant
        try await write { database in
            // Uses the index on leases, so only rows that are being sent are examined.
            try database.execute(
                sql:
                    "UPDATE outbox_state SET lease_expires_at = ? WHERE lease_expires_at IS NOT NULL AND claimed_by = ?",
                arguments: [until, claimant]
            )
        }
    }

    package func endTryingAlone() async throws {
        let claimant = claimant
        try await write { database in
            try database.execute(
                sql: "UPDATE outbox_state SET is_alone = 0 WHERE lease_expires_at IS NOT NULL AND claimed_by = ?",
                arguments: [claimant]
            )
        }
    }

    package func expiredClaims(now: Timestamp, lease: Duration) async throws -> [ExpiredClaim] {
        let claimant = claimant
        return try await write { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT sequence, message_id, last_attempt, lease_expires_at FROM outbox_state
                    WHERE lease_expires_at IS NOT NULL AND claimed_by <> ?1
                        AND (lease_expires_at <= ?2 OR lease_expires_at > ?3)
                    """,
                arguments: [claimant, now, now + lease]
            ).map { row in
                ExpiredClaim(
                    sequence: row[0],
                    messageID: row[1],
                    attempt: row[2],
                    leaseExpiresAt: row[3]
                )
            }
        }
    }

    package func rescue(_ claims: [ExpiredClaim], now: Timestamp, rules: DeliveryRules) async throws -> Rescue {
        try await write { database in
            let outcomes = try database.changeRows(claims, messageID: \.messageID) { claims in
                try claims.compactMap { claim in
                    try Self.rescue(claim, now: now, rules: rules, in: database).map { (claim.messageID, $0) }
                }
            }.values
            return Rescue(
                rescued: outcomes.filter { $0.1.isOpen || $0.1 == .superseded || $0.1 == .cancelled }.map(\.0),
                ended: outcomes.filter { $0.1 == .rejected }.map(\.0)
            )
        }
    }

    /// A message is rejected after it crashed outboxd this many times while nothing else was claimed.
    private static let interruptionsAloneBeforeEnd = 3

    /// - Parameter isInterruption: whether outboxd ended while it tried the message, as far as is known.
    /// - Returns: the state of the message; `nil` where the claim has changed since it was read.
    static func rescue(
        _ claim: ExpiredClaim,
        isInterruption: Bool = true,
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws -> MessageState? {
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_state SET state = 'deferred', due_at = ?1, claimed_by = NULL, lease_expires_at = NULL,
                    uncertain_attempts = uncertain_attempts + 1, interruptions = interruptions + ?5,
                    interruptions_alone = interruptions_alone + is_alone * ?5, is_alone = 0,
                    expires_at = iif(valid_for IS NULL OR expires_at IS NOT NULL, expires_at,
                        valid_for + (SELECT started_at FROM outbox_attempt AS attempt
                            WHERE attempt.message_id = outbox_state.message_id
                                AND attempt.attempt = outbox_state.last_attempt))
                WHERE sequence = ?2 AND state = 'sending' AND last_attempt = ?3 AND lease_expires_at = ?4
                RETURNING interruptions_alone
                """
        )
        let arguments: StatementArguments = [
            now, claim.sequence, claim.attempt, claim.leaseExpiresAt, isInterruption ? 1 : 0,
        ]
        guard let alone = try Int.fetchOne(update, arguments: arguments) else { return nil }
        let endsOutboxd = isInterruption && alone >= interruptionsAloneBeforeEnd
        let attempt = try database.cachedStatement(
            sql: """
                UPDATE outbox_attempt SET finished_at = max(?1, started_at), outcome = 'uncertain', fault = 'message',
                    reason = ?2, detail = ?3
                WHERE message_id = ?4 AND attempt = ?5 AND outcome IS NULL
                """
        )
        try attempt.execute(arguments: [
            now, endsOutboxd ? FailureReason.endsOutboxd : .interrupted,
            endsOutboxd
                ? "outboxd ended each time that it tried this message alone; please report it with its variables"
                : "outboxd ended before it recorded the outcome; the mail may arrive twice",
            claim.messageID, claim.attempt,
        ])
        if endsOutboxd {
            try finishUnsent(database, [claim.sequence], as: .rejected, now: now)
            return .rejected
        }
        return try endReopened([claim.sequence], now: now, rules: rules, in: database).first ?? .deferred
    }

    /// Ends reopened messages that must not be sent: a newer message arrived while they were claimed, or they were
    /// cancelled.
    ///
    /// - Returns: the states of the ended messages.
    @discardableResult
    static func endReopened(
        _ sequences: [Int64],
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws -> [MessageState] {
        let select = try database.cachedStatement(
            sql: """
                SELECT CASE WHEN is_cancelled = 1 THEN 'cancelled'
                    WHEN \(PersonSQL.hasNewer(of: "state")) THEN 'superseded' END, kind
                FROM outbox_state AS state WHERE sequence = :sequence AND due_at IS NOT NULL
                """
        )
        return try sequences.compactMap { sequence in
            let arguments: StatementArguments = ["sequence": sequence, "now": now]
            guard let row = try Row.fetchOne(select, arguments: arguments), let end: String = row[0] else { return nil }
            let state: MessageState = end == "cancelled" ? .cancelled : .superseded
            if state == .superseded, rules.keepOlder.contains(row[1]) { return nil }
            try finishUnsent(database, [sequence], as: state, now: now)
            return state
        }
    }
}
