// The list of addresses that are not mailed for a while. Never decides who belongs on it.

import GRDB
package import InternetMessage
package import OutboxCore

extension OutboxDatabase {
    /// Puts an address on the list, or prolongs its entry.
    package func suppress(_ entry: Suppression) async throws {
        try await write { try Self.suppress(entry, in: $0) }
    }

    /// Takes an address off the list, and takes back what was said of it: messages that ended because of the address stay
    /// in their state, but the advice is no longer to correct it.
    ///
    /// - Returns: whether it was on the list, or was blamed for anything.
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
                // Neither this message's end nor that of those which the entry kept back meanwhile says anything of the
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

    /// The entries that hold at a moment, newest first.
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

    /// Entries whose time is over go on the way: the list is read by address only, so they are in nobody's way before.
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
