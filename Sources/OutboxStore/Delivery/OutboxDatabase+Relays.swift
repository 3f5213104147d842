// Stores what outboxd knows of its relays and the guidance for the advice, for other programs to read.

package import GRDB
package import OutboxCore

extension OutboxDatabase {
    /// Replaces all stored relays by these, the configured relays at start.
    package func replaceRelays(_ relays: [RelayStatus]) async throws {
        try await write { database in
            try database.execute(sql: "DELETE FROM outbox_relay")
            for relay in relays { try relay.insert(database) }
        }
    }

    package func record(_ relays: [RelayStatus]) async throws {
        try await write { database in
            for relay in relays { try relay.insert(database) }
        }
    }

    /// The relays in order of preference, as outboxd last stored them.
    package func relays() async throws -> [RelayStatus] {
        try await read { database in
            try RelayStatus.fetchAll(database, sql: "SELECT * FROM outbox_relay ORDER BY position")
        }
    }

    /// Stores the guidance that the view `outbox_status` uses: patience and resends.
    package func setGuidance(_ guidance: Guidance) async throws {
        try await write { database in
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO outbox_guidance (id, patience, resends, resend_window) VALUES (1, ?, ?, ?)
                    """,
                arguments: [
                    guidance.patience.inMilliseconds, guidance.resends, guidance.window.inMilliseconds,
                ]
            )
        }
    }

    /// The guidance that the view `outbox_status` uses: patience and resends.
    package func guidance() async throws -> Guidance {
        try await read { database in
            try Guidance.fetchOne(database, sql: "SELECT * FROM outbox_guidance") ?? Guidance()
        }
    }
}

extension Guidance: FetchableRecord {
    /// Reads a row of `outbox_guidance`, whose durations are in milliseconds.
    package init(row: Row) {
        self.init(
            patience: .milliseconds(row["patience"] as Int64),
            resends: row["resends"],
            window: .milliseconds(row["resend_window"] as Int64)
        )
    }
}
