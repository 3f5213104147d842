// Records how attempts ended, fenced by the claim, and expires what ran out of time. Never decides what follows.

import GRDB
package import OutboxCore

extension OutboxDatabase {
    package func finish(
        _ completions: [Completion],
        now: Timestamp,
        rules: DeliveryRules
    ) async throws -> [Completion] {
        try await write { database in
            try completions.filter { try !Self.record($0, now: now, rules: rules, in: database) }
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
                try Int.fetchOne(database.cachedStatement(sql: "PRAGMA data_version")) ?? 0
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
    private static func record(
        _ completion: Completion,
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws -> Bool {
        let claim = completion.claim
        if completion.outcome == .returnedUnsent {
            return try giveBack(claim, now: now, rules: rules, in: database)
        }
        var event = completion.outcome.event
        var nextAttempt: Int64?
        if case .deferred(_, let next) = completion.outcome {
            // A newer message came while this one was tried: trying again would mail a token that no longer works.
            if !rules.keepOlder.contains(claim.message.kind), try ClaimGate.hasNewer(claim.message, in: database) {
                event = .superseded
            } else {
                nextAttempt = next.milliseconds
            }
        }
        guard let state = MessageState.sending.after(event) else {
            preconditionFailure("an attempt can't end with \(event)")
        }
        let isUnsent = completion.outcome.isUnsent
        let isUsedUp = completion.outcome.judgement?.isUsedUp ?? !isUnsent
        let finishedAt = completion.finishedAt.milliseconds

        // `last_attempt` is set only where it changes: setting it rewrites its index, even with the value that it has.
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox
                SET state = ?, next_attempt_at = ?, finished_at = ?, accepted_at = ?, attempts = ?,
                    token = iif(?, token, NULL), claimed_by = NULL, lease_expires_at = NULL
                    \(isUnsent ? ", last_attempt = last_attempt - 1" : "")
                WHERE id = ? AND state = 'sending' AND last_attempt = ?
                """
        )
        try update.execute(arguments: [
            state.rawValue, nextAttempt, state.isOpen ? nil : finishedAt, state == .accepted ? finishedAt : nil,
            isUsedUp ? claim.usedUp : claim.usedUp - 1, state.isOpen, claim.message.id, claim.attempt,
        ])
        guard database.changesCount == 1 else { return false }
        if isUnsent {
            try forgetAttempt(database, claim)
        } else {
            try recordAttempt(completion, isUsedUp: isUsedUp, in: database)
        }
        if case .rejected(let judged) = completion.outcome, judged.verdict.reason.suppressesAddress {
            try suppress(
                Suppression(
                    address: AddressKey(claim.message.recipient).canonical,
                    reason: judged.verdict.reason.rawValue,
                    source: .refused,
                    messageID: claim.message.id,
                    createdAt: completion.finishedAt,
                    expiresAt: completion.finishedAt + rules.suppression
                ),
                in: database
            )
        }
        return true
    }

    private static func recordAttempt(_ completion: Completion, isUsedUp: Bool, in database: Database) throws {
        let outcome = completion.outcome
        let failure = outcome.judgement?.failure
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_attempt
                SET finished_at = max(?, started_at), outcome = ?, relay = ?, stage = ?, scope = ?, reason = ?,
                    is_used_up = ?, reply_code = ?, enhanced_status = ?, reply = ?, queue_id = ?
                WHERE message_id = ? AND attempt = ?
                """
        )
        let reply = outcome.reply
        try update.execute(arguments: [
            completion.finishedAt.milliseconds, outcome.attemptOutcome, completion.relay,
            (failure?.stage ?? .finalDot).rawValue, outcome.judgement?.verdict.scope.rawValue,
            outcome.judgement?.verdict.reason.rawValue, isUsedUp, reply?.code, reply?.enhancedStatus?.description,
            failure?.detail ?? reply?.description, reply?.queueID, completion.claim.message.id,
            completion.claim.attempt,
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
        case .supersededUnsent: .superseded
        case .returnedUnsent: preconditionFailure("a returned claim has no outcome")
        }
    }

    fileprivate var isUnsent: Bool {
        switch self {
        case .accepted, .deferred, .rejected, .expired: false
        case .expiredUnsent, .supersededUnsent, .returnedUnsent: true
        }
    }

    /// The failure, where it is one.
    package var judgement: JudgedFailure? {
        switch self {
        case .deferred(let judged, _), .rejected(let judged), .expired(let judged): judged
        case .accepted, .expiredUnsent, .supersededUnsent, .returnedUnsent: nil
        }
    }

    fileprivate var reply: SMTPReply? {
        if case .accepted(let reply) = self { reply } else { judgement?.failure.reply }
    }

    /// What the attempt's row says of it.
    fileprivate var attemptOutcome: String {
        switch self {
        case .accepted: "accepted"
        case .deferred(let judged, _), .expired(let judged): judged.failure.isUncertain ? "uncertain" : "deferred"
        case .rejected: "rejected"
        case .expiredUnsent, .supersededUnsent, .returnedUnsent:
            preconditionFailure("an attempt that sent nothing leaves no row")
        }
    }
}
