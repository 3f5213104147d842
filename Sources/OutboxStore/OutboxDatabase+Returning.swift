// Gives claims back, renews their leases, and rescues those of a daemon that is gone. Never records an outcome.

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

    /// - Returns: whether the claim was still held.
    static func giveBack(_ claim: Claim, now: Timestamp, rules: DeliveryRules, in database: Database) throws -> Bool {
        let earlier = claim.attempt - 1
        guard let state = MessageState.sending.after(.returnedUnsent(earlierAttempts: earlier)) else {
            preconditionFailure("a claim can always be returned")
        }
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_state
                SET state = ?1, attempts = ?2, last_attempt = ?3, claimed_by = NULL, lease_expires_at = NULL, due_at = ?4
                WHERE sequence = ?5 AND state = 'sending' AND last_attempt = ?6
                """
        )
        try update.execute(arguments: [
            state.rawValue, claim.usedUp - 1, earlier, claim.claimedAt.milliseconds, claim.sequence, claim.attempt,
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
            // By the index on leases: of all rows only those that are being sent are looked at.
            try database.execute(
                sql:
                    "UPDATE outbox_state SET lease_expires_at = ? WHERE lease_expires_at IS NOT NULL AND claimed_by = ?",
                arguments: [until.milliseconds, claimant]
            )
        }
    }

    package func rescue(now: Timestamp, rules: DeliveryRules) async throws -> [Int64] {
        try await write { database in
            let lost = try Row.fetchAll(
                database,
                sql: """
                    SELECT sequence, message_id, last_attempt FROM outbox_state WHERE lease_expires_at <= ?
                    """,
                arguments: [now.milliseconds]
            ).map { LostClaim(sequence: $0[0], messageID: $0[1], attempt: $0[2]) }
            return try database.changeRows(lost, messageID: \.messageID) { lost in
                for claim in lost { try Self.rescue(claim, now: now, in: database) }
                try Self.endReopened(lost.map(\.sequence), now: now, rules: rules, in: database)
                return lost.map(\.messageID)
            }.values
        }
    }

    /// A claim whose daemon did not renew it.
    private struct LostClaim {
        let sequence: Int64
        let messageID: Int64
        let attempt: Int
    }

    private static func rescue(_ claim: LostClaim, now: Timestamp, in database: Database) throws {
        let attempt = try database.cachedStatement(
            sql: """
                UPDATE outbox_attempt SET finished_at = max(?1, started_at), outcome = 'uncertain', fault = 'message',
                    reason = 'interrupted',
                    detail = 'outboxd ended before it recorded the outcome; the mail may arrive twice'
                WHERE message_id = ?2 AND attempt = ?3 AND outcome IS NULL
                """
        )
        try attempt.execute(arguments: [now.milliseconds, claim.messageID, claim.attempt])
        let state = try database.cachedStatement(
            sql: """
                UPDATE outbox_state SET state = 'deferred', due_at = ?1, claimed_by = NULL, lease_expires_at = NULL,
                    uncertain_attempts = uncertain_attempts + 1
                WHERE sequence = ?2 AND state = 'sending'
                """
        )
        try state.execute(arguments: [now.milliseconds, claim.sequence])
    }

    /// Ends messages that wait again and must not: a newer one came while they were claimed, or they were withdrawn.
    static func endReopened(
        _ sequences: [Int64],
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws {
        let select = try database.cachedStatement(
            sql: """
                SELECT CASE WHEN is_withdrawn = 1 THEN 'cancelled'
                    WHEN \(PersonSQL.hasNewer(of: "state")) THEN 'superseded' END, kind
                FROM outbox_state AS state WHERE sequence = :sequence AND due_at IS NOT NULL
                """
        )
        for sequence in sequences {
            let arguments: StatementArguments = ["sequence": sequence, "now": now.milliseconds]
            guard let row = try Row.fetchOne(select, arguments: arguments), let end: String = row[0] else { continue }
            let state: MessageState = end == "cancelled" ? .cancelled : .superseded
            if state == .superseded, rules.keepOlder.contains(row[1]) { continue }
            try finishUnsent(database, [sequence], as: state, now: now)
        }
    }
}
