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
                try Recording(database, now: now, rules: rules).record(completions)
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
}

/// The recording of outcomes within one transaction.
private struct Recording {
    private let database: Database
    private let now: Timestamp
    private let rules: DeliveryRules
    /// Completes an attempt.
    private let attempt: RowStatement

    init(_ database: Database, now: Timestamp, rules: DeliveryRules) throws {
        self.database = database
        self.now = now
        self.rules = rules
        attempt = try RowStatement(
            database,
            sql: """
                UPDATE outbox_attempt
                SET started_at = min(started_at, ?1), finished_at = ?1, outcome = ?, relay = ?, stage = ?, fault = ?,
                    reason = ?, counts = ?, reply_code = ?, enhanced_status = ?, detail = ?, queue_id = ?
                WHERE message_id = ? AND attempt = ?
                """
        )
    }

    private static let endOfClaim = """
        claimed_by = NULL, lease_expires_at = NULL, interruptions = 0, interruptions_alone = 0, is_alone = 0
        """

    /// - Returns: the completions whose claim was no longer held; for them nothing is written.
    func record(_ given: [Completion]) throws -> [Completion] {
        let completions = given.map { $0.endedBy(now) }
        var lost: [Completion] = []
        var mayBeSeen: [(claim: Claim, handedOverAt: Timestamp)] = []
        let acceptances = completions.filter(\.isPlainAcceptance)
        let areEndedTogether = acceptances.count > 1
        if areEndedTogether { try endTogether(acceptances) }
        for (given, completion) in zip(given, completions) {
            let isEnded = areEndedTogether && completion.isPlainAcceptance
            if try !isEnded && !end(completion) {
                lost.append(given)
                continue
            }
            try recordEnded(completion)
            if completion.outcome.mayBeSeen { mayBeSeen.append((completion.claim, completion.finishedAt)) }
        }
        try OutboxDatabase.replaceTokens(by: mayBeSeen, rules: rules, in: database)
        return lost
    }

    /// Ends the claims of accepted messages with one statement for each number of attempts. Because of the triggers, SQLite
    /// keeps each statement's former pages, which for a single row costs as much as the row.
    ///
    /// It sets only columns that change: any assignment rewrites a column's indexes, even with the same value. A message
    /// that is being sent has no due_at, an open one blames no address, and the claim has counted the attempt. SQLite reads
    /// the fence of all rows before it changes the first one: only a trigger that writes to another row of outbox_state, which
    /// the contract forbids, could come between.
    ///
    /// - Throws: `DatabaseError.ignoredByTrigger` where a claim is no longer held or a trigger ignored a change. The
    ///   completions are then recorded one by one, which shows whose.
    private func endTogether(_ acceptances: [Completion]) throws {
        for (attempt, acceptances) in Dictionary(grouping: acceptances, by: \.claim.attempt) {
            let update = try database.cachedStatement(
                sql: """
                    UPDATE outbox_state
                    SET state = 'accepted', finished_at = ended.value, accepted_at = ended.value, secret = NULL,
                        \(Self.endOfClaim)
                    FROM json_each(?) AS ended
                    WHERE sequence = CAST(ended.key AS INTEGER) AND state = 'sending' AND last_attempt = ?
                    """
            )
            var times = "{"
            for acceptance in acceptances {
                if times.utf8.count > 1 { times += "," }
                times += "\"\(acceptance.claim.sequence)\":\(acceptance.finishedAt.milliseconds)"
            }
            try update.execute(arguments: [times + "}", attempt])
            if database.changesCount != acceptances.count { throw DatabaseError.ignoredByTrigger }
        }
    }

    /// Ends the claim.
    ///
    /// - Returns: whether the claim was still held; otherwise nothing is written.
    private func end(_ completion: Completion) throws -> Bool {
        if case .returnedUnsent(let until) = completion.outcome {
            return try OutboxDatabase.giveBack(completion.claim, until: until, now: now, rules: rules, in: database)
        }
        try update(completion)
        if database.changesCount == 1 { return true }
        if try isHeld(completion.claim) { throw DatabaseError.ignoredByTrigger }
        return false
    }

    /// Records the attempt of an ended claim, and what follows from its outcome for other rows.
    private func recordEnded(_ completion: Completion) throws {
        let claim = completion.claim
        switch completion.outcome {
        case .returnedUnsent: return
        case .expiredUnsent, .supersededUnsent, .cancelledUnsent: try OutboxDatabase.forgetAttempt(database, claim)
        case .accepted, .deferred, .rejected, .expired: try recordAttempt(completion)
        }
        if case .deferred = completion.outcome {
            // A newer message arrived during the attempt; a retry would mail a token that no longer works.
            try OutboxDatabase.endReopened([claim.sequence], now: completion.finishedAt, rules: rules, in: database)
        }
        if case .rejected(let judged) = completion.outcome, judged.verdict.reason.suppressesAddress {
            try OutboxDatabase.suppress(
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
    }

    private func update(_ completion: Completion) throws {
        let outcome = completion.outcome
        let attempts = completion.counts ? completion.claim.attempts : completion.claim.attempts - 1
        let event = outcome.event
        guard let state = MessageState.sending.after(event) else {
            preconditionFailure("an attempt can't end with \(event)")
        }
        var further = ""
        var values: StatementArguments = [
            "state": state, "finished_at": state.isOpen ? nil : completion.finishedAt,
            "accepted_at": state == .accepted ? completion.finishedAt : nil, "attempts": attempts,
            "sequence": completion.claim.sequence, "attempt": completion.claim.attempt,
        ]
        func set(_ column: String, _ value: any DatabaseValueConvertible) {
            further += ", \(column) = :\(column)"
            values += [column: value]
        }
        if case .deferred(_, let next) = outcome { set("due_at", next) }
        if let blamesAddress = outcome.blamesAddress { set("blames_address", blamesAddress) }
        if let fixedExpiry = completion.fixedExpiry { set("expires_at", fixedExpiry) }
        if !state.isOpen { further += ", secret = NULL" }
        if outcome.isUncertain { further += ", uncertain_attempts = uncertain_attempts + 1" }
        if outcome.isUnsent { further += ", last_attempt = last_attempt - 1" }
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_state
                SET state = :state, finished_at = :finished_at, accepted_at = :accepted_at, attempts = :attempts,
                    \(Self.endOfClaim)\(further)
                WHERE sequence = :sequence AND state = 'sending' AND last_attempt = :attempt
                """
        )
        try update.execute(arguments: values)
    }

    private func isHeld(_ claim: Claim) throws -> Bool {
        let select = try database.cachedStatement(
            sql: """
                SELECT EXISTS (SELECT 1 FROM outbox_state WHERE sequence = ? AND state = 'sending' AND last_attempt = ?)
                """
        )
        return try Bool.fetchOne(select, arguments: [claim.sequence, claim.attempt]) ?? false
    }

    private func recordAttempt(_ completion: Completion) throws {
        let outcome = completion.outcome
        let failure = outcome.judgement?.failure
        let reply = outcome.reply
        try attempt.execute { values in
            try values.bind(completion.finishedAt)
            try values.bind(outcome.attemptOutcome)
            try values.bind(completion.relay)
            try values.bind(failure?.stage ?? .finalDot)
            try values.bind(outcome.judgement?.verdict.fault)
            try values.bind(outcome.judgement?.verdict.reason)
            try values.bind(completion.counts)
            try values.bind(reply?.code)
            try values.bind(reply?.enhancedStatus?.description)
            try values.bind(failure?.detail ?? reply?.description)
            try values.bind(reply?.queueID)
            try values.bind(completion.claim.message.id)
            try values.bind(completion.claim.attempt)
        }
    }
}

extension Completion {
    /// Whether the attempt counts in the retry schedule.
    fileprivate var counts: Bool { outcome.judgement?.counts ?? !outcome.isUnsent }

    /// The expiry of a message with `valid_for`: the person may have the mail from now on, so the token's time no longer
    /// moves.
    fileprivate var fixedExpiry: Timestamp? {
        outcome.mayBeSeen && !claim.message.isExpiryFixed ? claim.message.expiresAt : nil
    }

    /// An acceptance that changes nothing but the state.
    fileprivate var isPlainAcceptance: Bool {
        if case .accepted = outcome { fixedExpiry == nil } else { false }
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

    /// The person may have the mail.
    fileprivate var mayBeSeen: Bool {
        if case .accepted = self { true } else { isUncertain }
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
