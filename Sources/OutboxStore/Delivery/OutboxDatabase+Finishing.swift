// Records outcomes of attempts, fenced by the claim, and expires overdue messages. Never decides what follows.

import GRDB
import InternetMessage
package import OutboxCore
import Synchronization

extension OutboxDatabase {
    /// Maximum number of messages expired per transaction, so that the transaction stays short.
    private static let expiryLimit = 500

    package func finish(
        _ completions: [Completion],
        clock: @escaping @Sendable () -> Timestamp,
        rules: DeliveryRules
    ) async throws -> FinishResult {
        try await write { database in
            let now = clock()
            let (lost, refused) = try database.changeRows(completions, messageID: \.claim.message.id) { completions in
                try completions.filter { try !Self.record($0, now: now, rules: rules, in: database) }
            }
            return FinishResult(lost: lost, refused: refused.map { ($0.row, $0.refusal) })
        }
    }

    package func expire(now: Timestamp) async throws -> [Int64] {
        let aside = aside.withLock { $0.sequences(at: now) }
        let (expired, refused) = try await write { database in
            let due = try Row.fetchAll(
                database,
                sql: """
                    SELECT sequence, message_id FROM outbox_state
                    WHERE due_at IS NOT NULL AND expires_at IS NOT NULL AND expires_at <= ? \(Self.isNotAside(aside))
                    ORDER BY expires_at LIMIT \(Self.expiryLimit)
                    """,
                arguments: [now]
            ).map { (sequence: $0[0] as Int64, messageID: $0[1] as Int64) }
            let (expired, refused) = try database.changeRows(due, messageID: \.messageID) { rows in
                try Self.finishUnsent(database, rows.map(\.sequence), as: .expired, now: now)
                return rows.map(\.messageID)
            }
            return (expired, refused.map(\.row.sequence))
        }
        self.aside.withLock { aside in for sequence in refused { aside.add(sequence, now: now) } }
        return expired
    }

    /// - Returns: whether the claim was still held; otherwise nothing is written.
    private static func record(
        _ completion: Completion,
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws -> Bool {
        let completion = completion.endedBy(now)
        let claim = completion.claim
        if case .returnedUnsent(let until) = completion.outcome {
            return try giveBack(claim, until: until, now: now, rules: rules, in: database)
        }
        let event = completion.outcome.event
        guard let state = MessageState.sending.after(event) else {
            preconditionFailure("an attempt can't end with \(event)")
        }
        var due: Timestamp?
        if case .deferred(_, let next) = completion.outcome { due = next }
        let isUnsent = completion.outcome.isUnsent
        let counts = completion.outcome.judgement?.counts ?? !isUnsent
        let finishedAt = completion.finishedAt
        // The person may have the mail from now on, so the token's time no longer moves.
        let mayBeSeen = state == .accepted || completion.outcome.isUncertain
        let fixedExpiry = mayBeSeen && !claim.message.isExpiryFixed ? claim.message.expiresAt : nil

        // `last_attempt` is set only where it changes: any assignment rewrites its index, even with the same value.
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_state
                SET state = ?, due_at = ?, finished_at = ?, accepted_at = ?, attempts = ?,
                    uncertain_attempts = uncertain_attempts + ?, blames_address = ?, claimed_by = NULL,
                    lease_expires_at = NULL, interruptions = 0, interruptions_alone = 0, is_alone = 0
                    \(state.isOpen ? "" : ", secret = NULL")
                    \(isUnsent ? ", last_attempt = last_attempt - 1" : "")
                    \(fixedExpiry.map { ", expires_at = \($0.milliseconds)" } ?? "")
                WHERE sequence = ? AND state = 'sending' AND last_attempt = ?
                """
        )
        try update.execute(arguments: [
            state, due, state.isOpen ? nil : finishedAt, state == .accepted ? finishedAt : nil,
            counts ? claim.attempts : claim.attempts - 1, completion.outcome.isUncertain ? 1 : 0,
            completion.outcome.blamesAddress, claim.sequence, claim.attempt,
        ])
        guard database.changesCount == 1 else {
            if try isHeld(claim, in: database) { throw DatabaseError.ignoredByTrigger }
            return false
        }
        if isUnsent {
            try forgetAttempt(database, claim)
        } else {
            try recordAttempt(completion, counts: counts, in: database)
        }
        if mayBeSeen { try replaceTokens(by: claim, now: finishedAt, rules: rules, in: database) }
        if state.isOpen {
            // A newer message arrived during the attempt; a retry would mail a token that no longer works.
            try endReopened([claim.sequence], now: completion.finishedAt, rules: rules, in: database)
        }
        if case .rejected(let judged) = completion.outcome, judged.verdict.reason.suppressesAddress {
            try suppress(
                Suppression(
                    address: claim.address,
                    reason: StoredCode(judged.verdict.reason),
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

    private static func isHeld(_ claim: Claim, in database: Database) throws -> Bool {
        let select = try database.cachedStatement(
            sql: """
                SELECT EXISTS (SELECT 1 FROM outbox_state WHERE sequence = ? AND state = 'sending' AND last_attempt = ?)
                """
        )
        return try Bool.fetchOne(select, arguments: [claim.sequence, claim.attempt]) ?? false
    }

    private static func recordAttempt(_ completion: Completion, counts: Bool, in database: Database) throws {
        let outcome = completion.outcome
        let failure = outcome.judgement?.failure
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_attempt
                SET started_at = min(started_at, ?1), finished_at = ?1, outcome = ?, relay = ?, stage = ?, fault = ?,
                    reason = ?, counts = ?, reply_code = ?, enhanced_status = ?, detail = ?, queue_id = ?
                WHERE message_id = ? AND attempt = ?
                """
        )
        let reply = outcome.reply
        try update.execute(arguments: [
            completion.finishedAt, outcome.attemptOutcome, completion.relay, failure?.stage ?? .finalDot,
            outcome.judgement?.verdict.fault, outcome.judgement?.verdict.reason, counts, reply?.code,
            reply?.enhancedStatus?.description, failure?.detail ?? reply?.description, reply?.queueID,
            completion.claim.message.id, completion.claim.attempt,
        ])
    }
}

extension Completion.Outcome {
    /// The outcome as an event of the message's state machine.
    fileprivate var event: MessageEvent {
        switch self {
        case .accepted: .accepted
        case .deferred: .deferred
        case .rejected: .rejected
        case .expired, .expiredUnsent: .expired
        case .supersededUnsent: .superseded
        case .cancelledUnsent: .cancelled
        case .returnedUnsent: preconditionFailure("a returned claim has no outcome")
        }
    }

    fileprivate var isUnsent: Bool {
        switch self {
        case .accepted, .deferred, .rejected, .expired: false
        case .expiredUnsent, .supersededUnsent, .cancelledUnsent, .returnedUnsent: true
        }
    }

    /// The judged failure, where the outcome is a failure.
    package var judgement: JudgedFailure? {
        switch self {
        case .deferred(let judged, _), .rejected(let judged), .expired(let judged): judged
        case .accepted, .expiredUnsent, .supersededUnsent, .cancelledUnsent, .returnedUnsent: nil
        }
    }

    /// The whole message was transmitted, but no final reply came.
    fileprivate var isUncertain: Bool {
        switch self {
        case .deferred(let judged, _), .expired(let judged): judged.failure.isUncertain
        case .accepted, .rejected, .expiredUnsent, .supersededUnsent, .cancelledUnsent, .returnedUnsent: false
        }
    }

    /// For a rejected message: whether another address would help.
    fileprivate var blamesAddress: Bool? {
        guard case .rejected(let judged) = self else { return nil }
        return judged.verdict.fault == .recipient && judged.verdict.reason.blamesAddress
    }

    fileprivate var reply: SMTPReply? {
        if case .accepted(let reply) = self { reply } else { judgement?.failure.reply }
    }

    /// The outcome as stored in the attempt's row.
    fileprivate var attemptOutcome: AttemptOutcome {
        switch self {
        case .accepted: .accepted
        case .deferred, .expired: isUncertain ? .uncertain : .deferred
        case .rejected: .rejected
        case .expiredUnsent, .supersededUnsent, .cancelledUnsent, .returnedUnsent:
            preconditionFailure("an attempt that sent nothing leaves no row")
        }
    }
}
