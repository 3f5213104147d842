// How fast mails were accepted, for measuring the promise. Never judges what is fast enough.

import GRDB
package import OutboxCore

/// One message, as far as the promise is concerned.
package struct PromiseRecord: Sendable, Hashable {
    /// The message's id.
    package let id: Int64
    /// Which mail it is.
    package let kind: String
    /// Where it is on its way.
    package let state: MessageState
    /// When it was requested.
    package let requestedAt: Timestamp
    /// Before when the application didn't want it sent.
    package let notBefore: Timestamp?
    /// Until when a limit on resends held it.
    package let heldUntil: Timestamp?
    /// When a relay accepted it.
    package let acceptedAt: Timestamp?
    /// When it became final.
    package let finishedAt: Timestamp?
    /// How many attempts' rows there are.
    package let attempts: Int
    /// Whose fault the last failed attempt was: a raw value of `FaultScope`.
    package let lastFault: String?
    /// Why it failed: a raw value of `FailureReason`.
    package let lastReason: String?
}

extension OutboxDatabase {
    /// Gives every message requested since a moment to `body`, oldest first, one at a time.
    package func forEachRequested<Result: Sendable>(
        since: Timestamp,
        into initial: Result,
        _ body: @Sendable @escaping (inout Result, PromiseRecord) -> Void
    ) async throws -> Result {
        try await read { database in
            var result = initial
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT message.message_id, message.kind, message.state, message.requested_at, message.not_before,
                        message.held_until, message.accepted_at, message.finished_at, message.last_attempt,
                        last.fault, last.reason
                    FROM outbox_state AS message
                    LEFT JOIN outbox_attempt AS last ON last.message_id = message.message_id AND last.attempt = (
                        SELECT max(failed.attempt) FROM outbox_attempt AS failed
                        WHERE failed.message_id = message.message_id AND failed.fault IS NOT NULL)
                    WHERE message.requested_at >= ? ORDER BY message.sequence
                    """,
                arguments: [since.milliseconds]
            )
            while let row = try rows.next() {
                guard let state = MessageState(rawValue: row[2]) else {
                    preconditionFailure("the schema knows the states")
                }
                body(
                    &result,
                    PromiseRecord(
                        id: row[0],
                        kind: row[1],
                        state: state,
                        requestedAt: Timestamp(milliseconds: row[3]),
                        notBefore: timestamp(row[4]),
                        heldUntil: timestamp(row[5]),
                        acceptedAt: timestamp(row[6]),
                        finishedAt: timestamp(row[7]),
                        attempts: row[8],
                        lastFault: row[9],
                        lastReason: row[10]
                    )
                )
            }
            return result
        }
    }
}
