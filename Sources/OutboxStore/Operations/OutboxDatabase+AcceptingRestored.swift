// Carries out an operator's decision about the open messages of a restored file. Never decides it.

import GRDB
package import OutboxCore

/// What became of the messages of a restored file: their ids.
package struct AcceptedRestored: Sendable, Hashable {
    /// They are due, and leave at the next opportunity.
    package var due: [Int64] = []
    /// Their time was over.
    package var expired: [Int64] = []
    /// They were cancelled.
    package var cancelled: [Int64] = []
    /// A rule of the application refused to change them; they are held as before.
    package var refused: [RowRefusal] = []

    /// Creates a result for no message that changed.
    package init(refused: [RowRefusal] = []) { self.refused = refused }
}

extension OutboxDatabase {
    /// Number of messages changed per transaction, so that it stays short.
    private static let restoredLimit = 1000

    /// The messages that wait because of a restored file; `nil` where there are none.
    package func restoredMessages() async throws -> RestoredMessages? {
        try await read { try Self.restoredMessages(in: $0) }
    }

    static func restoredMessages(in database: Database) throws -> RestoredMessages? {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT count(*), min(restored_at), min(requested_at), max(requested_at) FROM outbox_state
                WHERE restored_at IS NOT NULL
                """
        )
        guard let row, row[0] as Int > 0 else { return nil }
        return RestoredMessages(count: row[0], since: row[1], requested: row[2]...row[3])
    }

    /// Makes the messages of a restored file due. Those whose time is over expire.
    package func sendRestored(now: Timestamp) async throws -> AcceptedRestored {
        try await forEachRestored { rows, database in
            var accepted = AcceptedRestored()
            for row in rows {
                if let expiresAt = row.expiresAt, expiresAt <= now {
                    try Self.finishUnsent(database, [row.sequence], as: .expired, now: now)
                    accepted.expired.append(row.messageID)
                } else {
                    let update = try database.cachedStatement(
                        sql: """
                            UPDATE outbox_state SET restored_at = NULL, due_at = max(?, coalesce(not_before, 0))
                            WHERE sequence = ?
                            """
                    )
                    try update.execute(arguments: [now, row.sequence])
                    accepted.due.append(row.messageID)
                }
            }
            return accepted
        }
    }

    /// Cancels the messages of a restored file, as an application would.
    package func cancelRestored(now: Timestamp) async throws -> AcceptedRestored {
        try await forEachRestored { rows, database in
            let cancel = try database.cachedStatement(sql: "UPDATE outbox SET cancelled = 1 WHERE id = ?")
            for row in rows { try cancel.execute(arguments: [row.messageID]) }
            // The row of a message may be lost.
            try Self.finishUnsent(database, rows.map(\.sequence), as: .cancelled, now: now)
            var accepted = AcceptedRestored()
            accepted.cancelled = rows.map(\.messageID)
            return accepted
        }
    }

    private struct RestoredMessage: Sendable {
        let restoredAt: Timestamp
        let sequence: Int64
        let messageID: Int64
        let expiresAt: Timestamp?
    }

    /// Whether one of the messages is still held.
    private static func areHeld(_ rows: [RestoredMessage], in database: Database) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM outbox_state
                    WHERE sequence IN (SELECT value FROM json_each(?)) AND restored_at IS NOT NULL)
                """,
            arguments: ["[\(rows.map { String($0.sequence) }.joined(separator: ","))]"]
        ) ?? false
    }

    private func forEachRestored(
        _ change: @Sendable @escaping ([RestoredMessage], Database) throws -> AcceptedRestored
    ) async throws -> AcceptedRestored {
        var accepted = AcceptedRestored()
        var last: RestoredMessage?
        while true {
            let (parts, end) = try await write { [last] database in
                // A row that a rule of the application refuses to change is passed over.
                let rows = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT restored_at, sequence, message_id, expires_at FROM outbox_state
                        WHERE restored_at IS NOT NULL AND (restored_at, sequence) > (?, ?)
                        ORDER BY restored_at, sequence LIMIT \(Self.restoredLimit)
                        """,
                    arguments: [last?.restoredAt.milliseconds ?? 0, last?.sequence ?? 0]
                ).map { RestoredMessage(restoredAt: $0[0], sequence: $0[1], messageID: $0[2], expiresAt: $0[3]) }
                let (changed, refused) = try database.changeRows(rows, messageID: \.messageID) { rows in
                    let part = try change(rows, database)
                    if try Self.areHeld(rows, in: database) { throw DatabaseError.ignoredByTrigger }
                    return [part]
                }
                return (changed + [AcceptedRestored(refused: refused.map(\.refusal))], rows.last)
            }
            guard let end else { return accepted }
            for part in parts {
                accepted.due += part.due
                accepted.expired += part.expired
                accepted.cancelled += part.cancelled
                accepted.refused += part.refused
            }
            last = end
        }
    }
}
