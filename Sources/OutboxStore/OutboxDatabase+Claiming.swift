// Claims due messages, and finishes or holds those that the rules keep from being sent. Never records an outcome.

import GRDB
package import OutboxCore

extension OutboxDatabase: DeliveryStore {
    /// So many messages that are not to be sent are handled in one transaction, so that it stays short.
    private static let batchLimit = 1000

    package func claim(
        limit: Int,
        now: Timestamp,
        lease: Duration,
        rules: DeliveryRules
    ) async throws -> ClaimBatch {
        let claimant = claimant
        return try await write { database in
            var batch = ClaimBatch()
            let gate = try ClaimGate(database, rules: rules, now: now)
            // A message that isn't sent takes a place in the look-up but none in the batch: look again until the batch
            // is full or nothing is due.
            while batch.claims.count < limit, batch.countWithoutClaims < Self.batchLimit {
                let due = try Self.dueMessages(database, limit: limit - batch.claims.count, now: now)
                if due.isEmpty { break }
                var passed: [Claim] = []
                func recordPassed() throws {
                    try Self.record(passed, by: claimant, until: now + lease, in: database)
                    batch.claims += passed
                    passed = []
                }
                for (claim, isAlone) in due {
                    let id = claim.message.id
                    // The gate looks at what others of the person are doing, so their claims have to be there.
                    if !isAlone { try recordPassed() }
                    switch try gate.decision(for: claim.message, isAlone: isAlone) {
                    case .pass:
                        passed.append(claim)
                    case .finish(let state):
                        try Self.finishUnclaimed(database, id: id, state: state, now: now)
                        switch state {
                        case .expired: batch.expired.append(id)
                        case .superseded: batch.superseded.append(id)
                        default: batch.suppressed.append(id)
                        }
                    case .hold(let until):
                        try Self.hold(database, id: id, until: until)
                        batch.held.append(id)
                    }
                }
                try recordPassed()
            }
            return batch
        }
    }

    package func returnUnsent(_ claims: [Claim], now: Timestamp, rules: DeliveryRules) async throws {
        try await write { database in
            for claim in claims { _ = try Self.giveBack(claim, now: now, rules: rules, in: database) }
        }
    }

    /// - Returns: whether the claim was still held.
    static func giveBack(
        _ claim: Claim,
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws -> Bool {
        let earlier = claim.attempt - 1
        guard let state = MessageState.sending.after(.returnedUnsent(earlierAttempts: earlier)) else {
            preconditionFailure("a claim can always be returned")
        }
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox
                SET state = ?1, attempts = ?2, last_attempt = ?3, claimed_by = NULL, lease_expires_at = NULL,
                    next_attempt_at = iif(?1 = 'deferred' OR held_until IS NOT NULL, ?4, NULL)
                WHERE id = ?5 AND state = 'sending' AND last_attempt = ?6
                """
        )
        try update.execute(arguments: [
            state.rawValue, claim.usedUp - 1, earlier, claim.claimedAt.milliseconds, claim.message.id, claim.attempt,
        ])
        guard database.changesCount == 1 else { return false }
        try forgetAttempt(database, claim)
        try supersedeReopened([claim.message.id], now: now, rules: rules, in: database)
        return true
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

    package func rescue(now: Timestamp, rules: DeliveryRules) async throws -> [Int64] {
        try await write { database in
            try database.execute(
                sql: """
                    UPDATE outbox_attempt SET finished_at = max(?1, started_at), outcome = 'uncertain', scope = 'message',
                        reason = 'interrupted',
                        reply = 'outboxd ended before it recorded the outcome; the mail may arrive twice'
                    WHERE outcome IS NULL AND (message_id, attempt) IN (
                        SELECT id, last_attempt FROM outbox WHERE state = 'sending' AND lease_expires_at <= ?1)
                    """,
                arguments: [now.milliseconds]
            )
            let rescued = try Int64.fetchAll(
                database,
                sql: """
                    UPDATE outbox SET state = 'deferred', next_attempt_at = ?1, claimed_by = NULL, lease_expires_at = NULL
                    WHERE state = 'sending' AND lease_expires_at <= ?1 RETURNING id
                    """,
                arguments: [now.milliseconds]
            )
            try Self.supersedeReopened(rescued, now: now, rules: rules, in: database)
            return rescued
        }
    }

    /// What is due, highest priority first. Each priority is its own range of the index, so that messages that wait
    /// at a higher priority are never walked over.
    ///
    /// - Returns: each with whether it is the only message of its kind for its account and its recipient, as most are.
    private static func dueMessages(
        _ database: Database,
        limit: Int,
        now: Timestamp
    ) throws -> [(claim: Claim, isAlone: Bool)] {
        var found: [(Claim, Bool)] = []
        for priority in try claimablePriorities(database) where found.count < limit {
            let select = try database.cachedStatement(
                sql: """
                    SELECT id, kind, recipient, token, locale, account, variables, envelope_id, requested_at, expires_at,
                        last_attempt, attempts,
                        NOT EXISTS (SELECT 1 FROM outbox AS other
                            WHERE other.recipient = outbox.recipient COLLATE NOCASE AND other.kind = outbox.kind
                                AND other.id <> outbox.id)
                        AND NOT EXISTS (SELECT 1 FROM outbox AS other
                            WHERE other.account = outbox.account AND other.kind = outbox.kind
                                AND other.id <> outbox.id)
                    FROM outbox
                    WHERE state IN ('queued', 'deferred') AND priority = ? AND due_at <= ?
                    ORDER BY due_at LIMIT ?
                    """
            )
            let rows = try Row.fetchCursor(select, arguments: [priority, now.milliseconds, limit - found.count])
            while let row = try rows.next() {
                let (earlier, usedUp): (Int, Int) = (row[10], row[11])
                let claim = Claim(message: message(row), attempt: earlier + 1, usedUp: usedUp + 1, claimedAt: now)
                found.append((claim, row[12]))
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
            expiresAt: timestamp(row[9])
        )
    }

    private static func record(
        _ claims: [Claim],
        by claimant: String,
        until: Timestamp,
        in database: Database
    ) throws {
        guard let now = claims.first?.claimedAt else { return }
        let ids = "[\(claims.map { String($0.message.id) }.joined(separator: ","))]"
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox
                SET state = 'sending', attempts = attempts + 1, last_attempt = last_attempt + 1, claimed_by = ?,
                    lease_expires_at = ?, next_attempt_at = NULL
                WHERE id IN (SELECT value FROM json_each(?))
                """
        )
        try update.execute(arguments: [claimant, until.milliseconds, ids])
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO outbox_attempt (message_id, attempt, started_at)
                SELECT outbox.id, outbox.last_attempt, ? FROM json_each(?) AS claimed CROSS JOIN outbox
                WHERE outbox.id = claimed.value
                """
        )
        try insert.execute(arguments: [now.milliseconds, ids])
    }

    private static func finishUnclaimed(_ database: Database, id: Int64, state: MessageState, now: Timestamp) throws {
        let update = try database.cachedStatement(
            sql: "UPDATE outbox SET state = ?, finished_at = ?, token = NULL, next_attempt_at = NULL WHERE id = ?"
        )
        try update.execute(arguments: [state.rawValue, now.milliseconds, id])
    }

    private static func hold(_ database: Database, id: Int64, until: Timestamp) throws {
        let update = try database.cachedStatement(
            sql: "UPDATE outbox SET next_attempt_at = ?1, held_until = ?1 WHERE id = ?2"
        )
        try update.execute(arguments: [until.milliseconds, id])
    }

    /// Removes the record of an attempt that sent nothing, so that attempts stay numbered without gaps.
    static func forgetAttempt(_ database: Database, _ claim: Claim) throws {
        let delete = try database.cachedStatement(
            sql: "DELETE FROM outbox_attempt WHERE message_id = ? AND attempt = ?"
        )
        try delete.execute(arguments: [claim.message.id, claim.attempt])
    }
}
