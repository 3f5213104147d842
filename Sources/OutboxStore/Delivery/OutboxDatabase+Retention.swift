// Removes old final messages and their remains, a slice at a time. Never touches an open message, and never decides
// when.

import GRDB
import GRDBSQLite
package import OutboxCore

/// The steps of a retention pass, in their order: the later steps remove what the first step left as a record.
package enum RetentionStep: Sendable, CaseIterable {
    /// Final messages with their attempts and reports. The statistics by day stay.
    case messages
    /// The ids of removed messages. Until an id is removed here, no new message may use it.
    case ids
    /// Idempotency keys whose message row is gone.
    case keys
}

/// The position of a pass within a step. Rows that could not be removed are skipped.
package struct RetentionPlace: Sendable, Hashable {
    /// The age of the last examined row, in the column that the step sorts by.
    let time: Int64
    /// The id of the last examined row.
    let row: Int64
}

/// The result of one slice.
package struct RetentionSlice: Sendable {
    /// The number of removed rows; attempts and reports are not counted.
    package var removed = 0
    /// The number of examined rows.
    package var lookedAt = 0
    /// Messages that a rule of the application keeps.
    package var refused: [RowRefusal] = []
    /// Where the next slice continues; `nil` where nothing more can be removed.
    package var next: RetentionPlace?
    /// How long the slice held the write lock, the commit included; zero where there was nothing to remove.
    package var held = Duration.zero
}

extension OutboxDatabase {
    /// Number of rows removed between two checks of the clock.
    private static let rowsPerLook = 5

    package func retire(
        _ step: RetentionStep,
        before: Timestamp,
        from place: RetentionPlace?,
        pace: SlicePace,
        now: Timestamp,
        uptime: @Sendable @escaping () -> ContinuousClock.Instant
    ) async throws -> RetentionSlice {
        // Usually there is nothing to remove, and this read avoids waiting for the write lock.
        let isIdle = try await read { database in
            try Row.fetchOne(
                database.cachedStatement(sql: "SELECT * FROM \(step.oldest)"),
                arguments: step.arguments(before, place, limit: 1)
            ) == nil
        }
        if isIdle { return RetentionSlice() }
        do {
            let slice = try await queue.writeWithoutTransaction { [file = self.place] database in
                try file.check(database)
                return try database.withoutSync { database in
                    var slice = RetentionSlice()
                    var begin = uptime()
                    try database.inTransaction(.immediate) {
                        begin = uptime()
                        slice = try Self.retire(step, before, place, pace, now: now, in: database) {
                            uptime() - begin >= SlicePace.budget
                        }
                        return .commit
                    }
                    slice.held = uptime() - begin
                    return slice
                }
            }
            // Otherwise the next commit of an application would sync and checkpoint what the slice wrote. A failure here
            // changes nothing about the slice, and the next slice meets it as well.
            do { try await checkpoint() } catch is DatabaseError {}
            return slice
        } catch let error as DatabaseError {
            throw translated(error)
        }
    }

    private static func retire(
        _ step: RetentionStep,
        _ before: Timestamp,
        _ place: RetentionPlace?,
        _ pace: SlicePace,
        now: Timestamp,
        in database: Database,
        isOver: () -> Bool
    ) throws -> RetentionSlice {
        let select = try database.cachedStatement(sql: "SELECT * FROM \(step.oldest)")
        let rows = try Row.fetchAll(select, arguments: step.arguments(before, place, limit: pace.rows))
        var slice = RetentionSlice()
        var removed: [FinalMessage] = []
        var rest = rows[...]
        while let last = rest.prefix(rowsPerLook).last {
            let some = rest.prefix(rowsPerLook)
            rest = rest.dropFirst(rowsPerLook)
            switch step {
            case .messages:
                let (gone, refused) = try remove(some.map(FinalMessage.init(row:)), now: now, in: database)
                removed += gone
                slice.removed += gone.count
                slice.refused += refused
            case .ids: try forgetIDs(some.map { $0[1] }, in: database, &slice)
            case .keys: try forgetKeys(some.map { $0[2] }, now: now, in: database, &slice)
            }
            slice.lookedAt += some.count
            slice.next = RetentionPlace(time: last[0], row: last[1])
            if isOver() { break }
        }
        if rest.isEmpty, rows.count < pace.rows { slice.next = nil }
        try count(removed, in: database)
        return slice
    }

    private static func remove(
        _ messages: [FinalMessage],
        now: Timestamp,
        in database: Database
    ) throws -> (removed: [FinalMessage], refused: [RowRefusal]) {
        // A link works as long as its mail says.
        let ended = messages.filter { $0.tokenExpiresAt.map { $0 <= now } ?? true }
        let (removed, refused) = try database.changeRows(ended, messageID: \.id) { messages in
            for message in messages { try remove(message, now: now, in: database) }
            // An application's own table may refer to a message by a deferred foreign key. The commit would then refuse
            // the whole slice, again and again.
            guard !database.hasDeferredForeignKeyViolation else {
                throw DatabaseError(
                    resultCode: .SQLITE_CONSTRAINT_FOREIGNKEY,
                    message: "a foreign key of another table refers to the message"
                )
            }
            return messages
        }
        return (removed, refused.map(\.refusal))
    }

    /// A trigger also deletes the attempts and reports.
    private static func remove(_ message: FinalMessage, now: Timestamp, in database: Database) throws {
        if let key = message.idempotencyKey {
            let renew = try database.cachedStatement(
                sql: "UPDATE outbox_used_key SET used_at = ? WHERE idempotency_key = ?"
            )
            try renew.execute(arguments: [now, key])
        }
        try database.cachedStatement(sql: "DELETE FROM outbox WHERE id = ?").execute(arguments: [message.id])
        guard database.changesCount == 1 else { throw DatabaseError.ignoredByTrigger }
        let remember = try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO outbox_retired_id (message_id, retired_at) VALUES (?, ?)"
        )
        try remember.execute(arguments: [message.id, now])
    }

    private static func forgetIDs(_ ids: [Int64], in database: Database, _ slice: inout RetentionSlice) throws {
        let delete = try database.cachedStatement(sql: "DELETE FROM outbox_retired_id WHERE message_id = ?")
        for id in ids { try delete.execute(arguments: [id]) }
        slice.removed += ids.count
    }

    /// If the key's row still exists, its time is renewed instead, so that the key isn't examined again and again.
    private static func forgetKeys(
        _ keys: [String],
        now: Timestamp,
        in database: Database,
        _ slice: inout RetentionSlice
    ) throws {
        let renew = try database.cachedStatement(
            sql: """
                UPDATE outbox_used_key SET used_at = ?1
                WHERE idempotency_key = ?2 AND EXISTS (SELECT 1 FROM outbox WHERE idempotency_key = ?2)
                """
        )
        let delete = try database.cachedStatement(sql: "DELETE FROM outbox_used_key WHERE idempotency_key = ?")
        for key in keys {
            try renew.execute(arguments: [now, key])
            if database.changesCount > 0 { continue }
            try delete.execute(arguments: [key])
            slice.removed += 1
        }
    }
}

extension RetentionStep {
    /// The oldest rows, as a subquery: the time by which the step sorts, the row id, and the columns that the step
    /// needs. Each subquery walks an index of just these rows from its beginning.
    var oldest: String {
        switch self {
        case .messages:
            """
            (SELECT state.finished_at, state.sequence, state.message_id, state.kind, state.state, state.requested_at,
                state.not_before, state.accepted_at, message.idempotency_key,
                CASE WHEN token.redeemed_at IS NULL AND token.replaced_at IS NULL AND state.accepted_at IS NOT NULL
                    THEN token.expires_at END AS token_expires_at
            FROM outbox_state AS state LEFT JOIN outbox AS message ON message.id = state.message_id
            LEFT JOIN outbox_token AS token ON token.message_id = state.message_id
            WHERE state.finished_at IS NOT NULL AND state.finished_at <= :before AND state.finished_at >= :time
                AND NOT (state.finished_at = :time AND state.sequence <= :row)
            ORDER BY state.finished_at, state.sequence LIMIT :limit)
            """
        case .ids:
            """
            (SELECT retired_at, message_id FROM outbox_retired_id
            WHERE retired_at <= :before AND retired_at >= :time
                AND NOT (retired_at = :time AND message_id <= :row)
            ORDER BY retired_at, message_id LIMIT :limit)
            """
        case .keys:
            """
            (SELECT used_at, message_id, idempotency_key FROM outbox_used_key
            WHERE used_at <= :before AND used_at >= :time AND NOT (used_at = :time AND message_id <= :row)
            ORDER BY used_at, message_id LIMIT :limit)
            """
        }
    }

    fileprivate func arguments(_ before: Timestamp, _ place: RetentionPlace?, limit: Int) -> StatementArguments {
        ["before": before, "time": place?.time ?? 0, "row": place?.row ?? 0, "limit": limit]
    }
}

extension Database {
    /// Runs a transaction whose commit does not sync the log.
    ///
    /// A commit under `FULL` holds the write lock until the disk has synced, and a slow disk makes that any time. A
    /// power failure may undo such a commit, which retention then does again; the file stays consistent
    /// (https://sqlite.org/pragma.html#pragma_synchronous).
    fileprivate func withoutSync<Value>(_ transaction: (Database) throws -> Value) throws -> Value {
        defer {
            // Without GRDB, which executes nothing in a cancelled task. A cancellation may interrupt the statement.
            var code = SQLITE_INTERRUPT
            while code == SQLITE_INTERRUPT {
                code = sqlite3_exec(sqliteConnection, "PRAGMA synchronous = FULL", nil, nil, nil)
            }
            precondition(code == SQLITE_OK, "later commits would not be on the disk")
        }
        // SQLite sets the value when it prepares the statement, so that even a statement that fails may have set it.
        try execute(sql: "PRAGMA synchronous = NORMAL")
        return try transaction(self)
    }

    /// Whether a commit would be refused (https://sqlite.org/c3ref/c_dbstatus_options.html).
    fileprivate var hasDeferredForeignKeyViolation: Bool {
        var current: CInt = 0
        var highest: CInt = 0
        sqlite3_db_status(sqliteConnection, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0)
        return current != 0
    }
}
