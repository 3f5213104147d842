// Records how attempts ended, fenced by the claim, and expires what ran out of time. Never decides what follows.

import GRDB
package import OutboxCore

extension OutboxDatabase {
    package func finish(_ completions: [Completion], now: Timestamp) async throws -> [Completion] {
        try await write { database in
            try completions.filter { try !Self.record($0, in: database) }
        }
    }

    package func expire(now: Timestamp) async throws -> [Int64] {
        try await write { database in
            try Int64.fetchAll(
                database,
                sql: """
                    UPDATE outbox SET state = 'expired', finished_at = ?1, token = NULL, next_attempt_at = NULL
                    WHERE state IN ('queued', 'deferred') AND expires_at IS NOT NULL AND expires_at <= ?1
                    RETURNING id
                    """,
                arguments: [now.milliseconds]
            )
        }
    }

    package func nextMoments() async throws -> NextMoments {
        try await read { database in
            let due = try Self.claimablePriorities(database).compactMap { priority in
                try Int64.fetchOne(
                    database.cachedStatement(
                        sql: "SELECT min(due_at) FROM outbox WHERE state IN ('queued', 'deferred') AND priority = ?"
                    ),
                    arguments: [priority]
                )
            }.min()
            let lease = try Int64.fetchOne(
                database.cachedStatement(sql: "SELECT min(lease_expires_at) FROM outbox WHERE state = 'sending'")
            )
            let expiry = try Int64.fetchOne(
                database.cachedStatement(
                    sql: """
                        SELECT min(expires_at) FROM outbox
                        WHERE state IN ('queued', 'deferred') AND expires_at IS NOT NULL
                        """
                )
            )
            return NextMoments(due: timestamp(due), lease: timestamp(lease), expiry: timestamp(expiry))
        }
    }

    package func commitCounter() async throws -> Int {
        // Counts the commits of other connections only, so it must be read on the connection that writes ours
        // (https://sqlite.org/pragma.html#pragma_data_version).
        do {
            return try await queue.writeWithoutTransaction { database in
                try Int.fetchOne(database, sql: "PRAGMA data_version") ?? 0
            }
        } catch let error as DatabaseError {
            throw OutboxDatabaseError(error)
        }
    }

    package func truncateLog() async throws {
        // The log holds earlier versions of pages, tokens among them. A busy result is no error: another program
        // reads, and the next call tries again.
        do {
            try await queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            }
        } catch let error as DatabaseError {
            throw OutboxDatabaseError(error)
        }
    }

    /// - Returns: whether the claim was still held; where it wasn't, nothing is written.
    private static func record(_ completion: Completion, in database: Database) throws -> Bool {
        let claim = completion.claim
        let event = completion.outcome.event
        guard let state = MessageState.sending.after(event) else {
            preconditionFailure("an attempt can't end with \(event)")
        }
        var nextAttempt: Int64?
        if case .deferred(_, _, let next) = completion.outcome { nextAttempt = next.milliseconds }
        let isUnsent = completion.outcome == .expiredUnsent
        let finishedAt = completion.finishedAt.milliseconds

        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox
                SET state = ?, next_attempt_at = ?, finished_at = ?, accepted_at = ?, attempts = ?,
                    token = iif(?, token, NULL), claimed_by = NULL, lease_expires_at = NULL
                WHERE id = ? AND state = 'sending' AND attempts = ?
                """
        )
        try update.execute(arguments: [
            state.rawValue, nextAttempt, state.isOpen ? nil : finishedAt, state == .accepted ? finishedAt : nil,
            isUnsent ? claim.attempt - 1 : claim.attempt, state.isOpen, claim.message.id, claim.attempt,
        ])
        guard database.changesCount == 1 else { return false }
        if isUnsent {
            try forgetAttempt(database, claim)
        } else {
            try recordAttempt(completion, in: database)
        }
        return true
    }

    private static func recordAttempt(_ completion: Completion, in database: Database) throws {
        let summary = completion.outcome.summary
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_attempt
                SET finished_at = max(?, started_at), outcome = ?, relay = ?, stage = ?, scope = ?, reply_code = ?,
                    enhanced_status = ?, reply = ?, queue_id = ?
                WHERE message_id = ? AND attempt = ?
                """
        )
        try update.execute(arguments: [
            completion.finishedAt.milliseconds, summary.outcome, completion.relay, summary.stage?.rawValue,
            summary.scope?.rawValue, summary.reply?.code, summary.reply?.enhancedStatus?.description, summary.text,
            summary.reply?.queueID, completion.claim.message.id, completion.claim.attempt,
        ])
    }
}

extension Completion.Outcome {
    /// What the outcome means for the state of the message.
    fileprivate var event: MessageEvent {
        switch self {
        case .accepted: .accepted
        case .deferred: .deferred
        case .rejected: .rejected
        case .expired, .expiredUnsent: .expired
        }
    }

    /// What the attempt's row says of it.
    fileprivate var summary: (outcome: String, stage: SMTPStage?, scope: FaultScope?, reply: SMTPReply?, text: String?)
    {
        switch self {
        case .accepted(let reply):
            ("accepted", .finalDot, nil, reply, reply.description)
        case .deferred(let failure, let scope, _), .expired(let failure, let scope):
            (failure.isUncertain ? "uncertain" : "deferred", failure.stage, scope, failure.reply, failure.detail)
        case .rejected(let failure, let scope):
            ("rejected", failure.stage, scope, failure.reply, failure.detail)
        case .expiredUnsent:
            preconditionFailure("an attempt that sent nothing leaves no row")
        }
    }
}
