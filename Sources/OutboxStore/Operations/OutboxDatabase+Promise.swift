// How fast mails were accepted: per message for existing messages, per day for removed messages. Never removes a
// message.

import GRDB
package import OutboxCore

/// The columns of one message that matter for the promise.
package struct PromiseRecord: Decodable, FetchableRecord, Hashable, Sendable {
    /// The message's id.
    package let id: Int64
    /// Which mail it is.
    package let kind: String
    /// The message's state.
    package let state: MessageState
    /// When the application inserted it.
    package let requestedAt: Timestamp
    /// The application asked not to send it before this time.
    package let notBefore: Timestamp?
    /// When the hold by a limit on resends ended.
    package let heldUntil: Timestamp?
    /// Since when it has waited because the file was restored.
    package let restoredAt: Timestamp?
    /// When a relay accepted it.
    package let acceptedAt: Timestamp?
    /// When it became final.
    package let finishedAt: Timestamp?
    /// When its link or its code was used.
    package let redeemedAt: Timestamp?
    /// The number of attempts.
    package let lastAttempt: Int
    /// Whose fault the last failed attempt was.
    package let fault: StoredCode<Verdict.Fault>?
    /// Why it failed.
    package let reason: StoredCode<FailureReason>?

    private enum CodingKeys: String, CodingKey {
        case id, kind, state, fault, reason
        case requestedAt = "requested_at"
        case notBefore = "not_before"
        case heldUntil = "held_until"
        case restoredAt = "restored_at"
        case acceptedAt = "accepted_at"
        case finishedAt = "finished_at"
        case redeemedAt = "redeemed_at"
        case lastAttempt = "last_attempt"
    }
}

extension OutboxDatabase {
    /// Passes the statistics by day of removed messages, from the day of `since` on, to `summary`, then every message
    /// requested since then to `body`, oldest first, one at a time. Everything is read from one snapshot.
    package func forEachRequested<Result: Sendable>(
        since: Timestamp,
        into initial: Result,
        summary: @Sendable @escaping (inout Result, PromiseDay) -> Void = { _, _ in },
        _ body: @Sendable @escaping (inout Result, PromiseRecord) -> Void
    ) async throws -> Result {
        try await read { database in
            var result = initial
            for day in try Self.promiseDays(since: since, in: database) { summary(&result, day) }
            let records = try PromiseRecord.fetchCursor(
                database,
                sql: """
                    SELECT message.message_id AS id, message.kind, message.state, message.requested_at, message.not_before,
                        message.held_until, message.restored_at, message.accepted_at, message.finished_at, message.last_attempt,
                        token.redeemed_at, last.fault, last.reason
                    FROM outbox_state AS message
                    LEFT JOIN outbox_token AS token ON token.message_id = message.message_id
                    LEFT JOIN outbox_attempt AS last ON last.message_id = message.message_id AND last.attempt = (
                        SELECT max(failed.attempt) FROM outbox_attempt AS failed
                        WHERE failed.message_id = message.message_id AND failed.fault IS NOT NULL)
                    WHERE message.requested_at >= ? ORDER BY message.sequence
                    """,
                arguments: [since]
            )
            while let record = try records.next() { body(&result, record) }
            return result
        }
    }
}

/// The results of the removed messages of one kind that were requested on one day.
package struct PromiseDay: Sendable, Hashable {
    /// When the day began, in UTC.
    package let day: Timestamp
    /// Which mail it is.
    package let kind: String
    /// How the messages fared.
    package let tally: PromiseTally
}

extension OutboxDatabase {
    private static func promiseDays(since: Timestamp, in database: Database) throws -> [PromiseDay] {
        let delays = try Row.fetchAll(
            database,
            sql: "SELECT * FROM outbox_day_delay WHERE day >= ?",
            arguments: [since.startOfDay]
        )
        var histograms: [DayAndKind: DelayHistogram] = [:]
        for row in delays {
            histograms[DayAndKind(row: row), default: DelayHistogram()]
                .add(.milliseconds(row["delay"] as Int64), count: row["mails"])
        }
        return try Row.fetchAll(
            database,
            sql: "SELECT * FROM outbox_day WHERE day >= ? ORDER BY day, kind",
            arguments: [since.startOfDay]
        ).map { row in
            let key = DayAndKind(row: row)
            var tally = PromiseTally()
            tally.requested = row["requested"]
            tally.acceptedInTime = row["accepted_in_time"]
            tally.acceptedLate = row["accepted_late"]
            tally.expired = row["expired"]
            tally.longest = (row["longest_delay"] as Int64?).map { .milliseconds($0) }
            for state in notMailedStates where row[state.rawValue] as Int > 0 {
                tally.notMailed[state] = row[state.rawValue]
            }
            tally.delays = histograms[key] ?? DelayHistogram()
            return PromiseDay(day: key.day, kind: key.kind, tally: tally)
        }
    }

    /// The states that count as not mailed; the columns of `outbox_day` have the same names.
    private static let notMailedStates: [MessageState] = [.rejected, .superseded, .suppressed, .cancelled]

    /// Adds messages to the statistics of their days before they are removed.
    static func count(_ messages: [FinalMessage], in database: Database) throws {
        if messages.isEmpty { return }
        let patience = try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT coalesce(max(patience), 300000) FROM outbox_guidance")
        )
        var tallies: [DayAndKind: PromiseTally] = [:]
        for message in messages {
            let key = DayAndKind(day: message.requestedAt.startOfDay, kind: message.kind)
            tallies[key, default: PromiseTally()].add(message.outcome(patience: .milliseconds(patience ?? 300_000)))
        }
        for (key, tally) in tallies { try add(tally, to: key, in: database) }
    }

    private static func add(_ tally: PromiseTally, to key: DayAndKind, in database: Database) throws {
        let states = notMailedStates.map(\.rawValue)
        let upsert = try database.cachedStatement(
            sql: """
                INSERT INTO outbox_day (day, kind, requested, accepted_in_time, accepted_late, expired, longest_delay,
                    \(states.joined(separator: ", ")))
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (day, kind) DO UPDATE SET
                    requested = requested + excluded.requested,
                    accepted_in_time = accepted_in_time + excluded.accepted_in_time,
                    accepted_late = accepted_late + excluded.accepted_late,
                    expired = expired + excluded.expired,
                    longest_delay = max(coalesce(longest_delay, excluded.longest_delay),
                        coalesce(excluded.longest_delay, longest_delay)),
                    \(states.map { "\($0) = \($0) + excluded.\($0)" }.joined(separator: ", "))
                """
        )
        var arguments: [(any DatabaseValueConvertible)?] = [
            key.day, key.kind, tally.requested, tally.acceptedInTime, tally.acceptedLate, tally.expired,
            tally.longest?.inMilliseconds,
        ]
        arguments += notMailedStates.map { tally.notMailed[$0] ?? 0 }
        try upsert.execute(arguments: StatementArguments(arguments))
        let bucket = try database.cachedStatement(
            sql: """
                INSERT INTO outbox_day_delay (day, kind, delay, mails) VALUES (?, ?, ?, ?)
                ON CONFLICT (day, kind, delay) DO UPDATE SET mails = mails + excluded.mails
                """
        )
        for (delay, mails) in tally.delays.counts {
            try bucket.execute(arguments: [key.day, key.kind, delay, mails])
        }
    }
}

private struct DayAndKind: Hashable {
    let day: Timestamp
    let kind: String

    init(day: Timestamp, kind: String) {
        self.day = day
        self.kind = kind
    }

    init(row: Row) { self.init(day: row["day"], kind: row["kind"]) }
}

/// The columns of a final message that its removal needs.
struct FinalMessage: Decodable, FetchableRecord {
    let id: Int64
    let kind: String
    let state: MessageState
    let requestedAt: Timestamp
    let notBefore: Timestamp?
    let acceptedAt: Timestamp?
    let finishedAt: Timestamp
    let idempotencyKey: String?
    /// Until when the token of an accepted mail can be redeemed; `nil` where it can't be, or always.
    let tokenExpiresAt: Timestamp?

    private enum CodingKeys: String, CodingKey {
        case kind, state
        case id = "message_id"
        case requestedAt = "requested_at"
        case notBefore = "not_before"
        case acceptedAt = "accepted_at"
        case finishedAt = "finished_at"
        case idempotencyKey = "idempotency_key"
        case tokenExpiresAt = "token_expires_at"
    }

    func outcome(patience: Duration) -> PromiseOutcome {
        PromiseOutcome(
            state: state,
            requestedAt: requestedAt,
            notBefore: notBefore,
            acceptedAt: acceptedAt,
            finishedAt: finishedAt,
            patience: patience,
            now: finishedAt
        )
    }
}

extension Timestamp {
    /// The start of the day in UTC.
    fileprivate var startOfDay: Timestamp {
        let day: Int64 = 86_400_000
        return Timestamp(milliseconds: milliseconds - ((milliseconds % day) + day) % day)
    }
}
