// The list of addresses that are not mailed for a while. Never decides which addresses belong on it.

import GRDB
package import InternetMessage
package import OutboxCore

extension OutboxDatabase {
    /// Adds an address to the list, or extends its entry.
    package func suppress(_ entry: Suppression) async throws {
        try await write { try Self.suppress(entry, in: $0) }
    }

    /// Removes an address from the list, and withdraws the blame: messages that ended because of the address keep their
    /// state, but the advice no longer asks to correct the address.
    ///
    /// - Returns: whether the address was on the list, or was blamed for any message.
    package func liftSuppression(of address: AddressKey) async throws -> Bool {
        try await write { database in
            try database.execute(
                sql: "DELETE FROM outbox_suppression WHERE address = ?",
                arguments: [address.canonical]
            )
            let wasListed = database.changesCount > 0
            try database.execute(
                sql: "UPDATE outbox_state SET blames_address = NULL WHERE address = ? AND blames_address = 1",
                arguments: [address.canonical]
            )
            return wasListed || database.changesCount > 0
        }
    }

    package func liftSuppressions(causedBy messages: [Int64]) async throws {
        try await write { database in
            for id in messages {
                try database.execute(
                    sql: "DELETE FROM outbox_suppression WHERE message_id = ? AND source = 'refused'",
                    arguments: [id]
                )
                // Neither this rejection nor the messages that the entry suppressed meanwhile prove anything about the
                // address.
                try database.execute(
                    sql: """
                        UPDATE outbox_state SET blames_address = NULL
                        WHERE blames_address = 1 AND address = (SELECT address FROM outbox_state WHERE message_id = ?1)
                            AND (message_id = ?1 OR state = 'suppressed' AND finished_at
                                >= (SELECT finished_at FROM outbox_state WHERE message_id = ?1))
                        """,
                    arguments: [id]
                )
            }
        }
    }

    /// The entries that are valid at the given time, newest first.
    package func suppressions(at now: Timestamp, address: AddressKey? = nil) async throws -> [Suppression] {
        try await read { database in
            try Suppression.fetchAll(
                database,
                sql: """
                    SELECT * FROM outbox_suppression
                    WHERE expires_at > ?1 AND (?2 IS NULL OR address = ?2) ORDER BY created_at DESC, address
                    """,
                arguments: [now, address?.canonical]
            )
        }
    }

    /// Also deletes expired entries. They are harmless until then, because lookups are by address and check the expiry.
    static func suppress(_ entry: Suppression, in database: Database) throws {
        try database.execute(
            sql: "DELETE FROM outbox_suppression WHERE expires_at <= ?",
            arguments: [entry.createdAt]
        )
        try database.execute(
            sql: """
                INSERT INTO outbox_suppression (address, reason, source, message_id, created_at, expires_at)
                VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (address) DO UPDATE SET reason = excluded.reason, source = excluded.source,
                    message_id = excluded.message_id, created_at = excluded.created_at,
                    expires_at = max(expires_at, excluded.expires_at)
                -- An operator's entry stays: it does not end with a refusal that turns out to be the relay's fault.
                WHERE source <> 'manual' OR excluded.source = 'manual'
                """,
            arguments: [
                entry.address, entry.reason, entry.source, entry.messageID, entry.createdAt, entry.expiresAt,
            ]
        )
    }
}
