// Claims due messages, returns, renews and rescues claims. Never records how an attempt ended.

import GRDB
package import OutboxCore

extension OutboxDatabase: DeliveryStore {
    package func claim(
        limit: Int,
        now: Timestamp,
        lease: Duration,
        giveUpAfter: Duration
    ) async throws -> ClaimBatch {
        let claimant = claimant
        return try await write { database in
            var claims: [Claim] = []
            var expired: [Int64] = []
            // A message past its deadline takes a place in the look-up but none in the batch: look again until the
            // batch is full or nothing is due.
            while claims.count < limit {
                let due = try Self.dueMessages(database, limit: limit - claims.count, now: now)
                if due.isEmpty { break }
                for (message, earlierAttempts) in due {
                    let deadline = message.expiresAt ?? message.requestedAt + giveUpAfter
                    if deadline <= now {
                        try Self.markExpired(database, id: message.id, now: now)
                        expired.append(message.id)
                    } else {
                        let claim = Claim(message: message, attempt: earlierAttempts + 1)
                        try Self.record(claim, by: claimant, now: now, until: now + lease, in: database)
                        claims.append(claim)
                    }
                }
            }
            return ClaimBatch(claims: claims, expired: expired)
        }
    }

    package func returnUnsent(_ claims: [Claim]) async throws {
        try await write { database in
            for claim in claims {
                let earlier = claim.attempt - 1
                guard let state = MessageState.sending.after(.returnedUnsent(earlierAttempts: earlier)) else {
                    preconditionFailure("a claim can always be returned")
                }
                let update = try database.cachedStatement(
                    sql: """
                        UPDATE outbox
                        SET state = ?1, attempts = ?2, claimed_by = NULL, lease_expires_at = NULL,
                            next_attempt_at = CASE ?1 WHEN 'deferred' THEN (
                                SELECT started_at FROM outbox_attempt WHERE message_id = ?3 AND attempt = ?4) END
                        WHERE id = ?3 AND state = 'sending' AND attempts = ?4
                        """
                )
                try update.execute(arguments: [state.rawValue, earlier, claim.message.id, claim.attempt])
                if database.changesCount == 1 { try Self.forgetAttempt(database, claim) }
            }
        }
    }

    package func renewLeases(until: Timestamp) async throws {
        let claimant = claimant
        try await write { database in
            try database.execute(
                sql: "UPDATE outbox SET lease_expires_at = ? WHERE state = 'sending' AND claimed_by = ?",
                arguments: [until.milliseconds, claimant]
            )
        }
    }

    package func rescue(now: Timestamp) async throws -> [Int64] {
        try await write { database in
            try database.execute(
                sql: """
                    UPDATE outbox_attempt SET finished_at = max(?1, started_at), outcome = 'uncertain', scope = 'message',
                        reply = 'outboxd ended before it recorded the outcome; the mail may arrive twice'
                    WHERE outcome IS NULL AND (message_id, attempt) IN (
                        SELECT id, attempts FROM outbox WHERE state = 'sending' AND lease_expires_at <= ?1)
                    """,
                arguments: [now.milliseconds]
            )
            return try Int64.fetchAll(
                database,
                sql: """
                    UPDATE outbox SET state = 'deferred', next_attempt_at = ?1, claimed_by = NULL, lease_expires_at = NULL
                    WHERE state = 'sending' AND lease_expires_at <= ?1 RETURNING id
                    """,
                arguments: [now.milliseconds]
            )
        }
    }

    /// What is due, highest priority first. Each priority is its own range of the index, so that messages that wait
    /// at a higher priority are never walked over.
    private static func dueMessages(
        _ database: Database,
        limit: Int,
        now: Timestamp
    ) throws -> [(Message, earlierAttempts: Int)] {
        var found: [(Message, earlierAttempts: Int)] = []
        for priority in try claimablePriorities(database) where found.count < limit {
            let select = try database.cachedStatement(
                sql: """
                    SELECT id, kind, recipient, token, locale, account, variables, envelope_id, requested_at, expires_at,
                        attempts
                    FROM outbox
                    WHERE state IN ('queued', 'deferred') AND priority = ? AND due_at <= ?
                    ORDER BY due_at LIMIT ?
                    """
            )
            let rows = try Row.fetchCursor(select, arguments: [priority, now.milliseconds, limit - found.count])
            while let row = try rows.next() {
                found.append((message(row), earlierAttempts: row[10]))
            }
        }
        return found
    }

    /// The priorities at which messages wait, highest first: one index seek each.
    static func claimablePriorities(_ database: Database) throws -> [Int] {
        var priorities: [Int] = []
        while true {
            let highest = try database.cachedStatement(
                sql: "SELECT max(priority) FROM outbox WHERE state IN ('queued', 'deferred') AND priority < ?"
            )
            guard let next = try Int.fetchOne(highest, arguments: [priorities.last ?? Int.max]) else { break }
            priorities.append(next)
        }
        return priorities
    }

    private static func message(_ row: Row) -> Message {
        Message(
            id: row[0],
            kind: row[1],
            recipient: row[2],
            token: Token(row[3]),
            locale: row[4],
            account: row[5],
            variables: row[6],
            envelopeID: row[7],
            requestedAt: Timestamp(milliseconds: row[8]),
            expiresAt: (row[9] as Int64?).map { Timestamp(milliseconds: $0) }
        )
    }

    private static func record(
        _ claim: Claim,
        by claimant: String,
        now: Timestamp,
        until: Timestamp,
        in database: Database
    ) throws {
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox
                SET state = 'sending', attempts = ?, claimed_by = ?, lease_expires_at = ?, next_attempt_at = NULL
                WHERE id = ?
                """
        )
        try update.execute(arguments: [claim.attempt, claimant, until.milliseconds, claim.message.id])
        let insert = try database.cachedStatement(
            sql: "INSERT INTO outbox_attempt (message_id, attempt, started_at) VALUES (?, ?, ?)"
        )
        try insert.execute(arguments: [claim.message.id, claim.attempt, now.milliseconds])
    }

    private static func markExpired(_ database: Database, id: Int64, now: Timestamp) throws {
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox SET state = 'expired', finished_at = ?, token = NULL, next_attempt_at = NULL WHERE id = ?
                """
        )
        try update.execute(arguments: [now.milliseconds, id])
    }

    /// Removes the record of an attempt that sent nothing, so that attempts stay numbered without gaps.
    static func forgetAttempt(_ database: Database, _ claim: Claim) throws {
        let delete = try database.cachedStatement(
            sql: "DELETE FROM outbox_attempt WHERE message_id = ? AND attempt = ?"
        )
        try delete.execute(arguments: [claim.message.id, claim.attempt])
    }
}
