// Cancels messages as an application would. Never touches a column outside the contract.

import GRDB

extension OutboxDatabase {
    /// Cancels a message. A waiting message is cancelled at once; a message that is being sent is cancelled unless a
    /// relay accepts it.
    ///
    /// - Returns: whether the message was open.
    package func cancel(id: Int64) async throws -> Bool { try await cancel(where: "outbox.id = ?", [id]) == [id] }

    /// Cancels all open messages to an address, in any spelling.
    ///
    /// - Returns: the ids of the cancelled messages, in order.
    package func cancel(recipient: String) async throws -> [Int64] {
        let spellings = try await read { try Self.spellings(of: recipient, in: $0) }
        return try await cancel(where: Self.isOfRecipient, [spellings])
    }

    private func cancel(where condition: String, _ arguments: StatementArguments) async throws -> [Int64] {
        try await write { database in
            let open = try Int64.fetchAll(
                database,
                sql: """
                    SELECT outbox.id FROM outbox JOIN outbox_state AS state ON state.message_id = outbox.id
                    WHERE \(condition) AND state.finished_at IS NULL ORDER BY outbox.id
                    """,
                arguments: arguments
            )
            for id in open {
                try database.execute(sql: "UPDATE outbox SET cancelled = 1 WHERE id = ?", arguments: [id])
            }
            return open
        }
    }
}
