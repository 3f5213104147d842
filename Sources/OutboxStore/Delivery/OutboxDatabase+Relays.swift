// What the running outboxd knows of its relays, and what the configuration says of advice, for everybody else to read.

import GRDB
package import OutboxCore

extension OutboxDatabase {
    /// Replaces everything known of relays by these: what the configuration has at start.
    package func replaceRelays(_ relays: [RelayStatus]) async throws {
        try await write { database in
            try database.execute(sql: "DELETE FROM outbox_relay")
            for relay in relays { try Self.record(relay, in: database) }
        }
    }

    package func record(_ relays: [RelayStatus]) async throws {
        try await write { database in
            for relay in relays { try Self.record(relay, in: database) }
        }
    }

    /// The relays in order of preference, as outboxd last wrote them down.
    package func relays() async throws -> [RelayStatus] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT name, position, state, paused_until, down_since, fault, reason, stage, detail, setting, updated_at
                    FROM outbox_relay ORDER BY position
                    """
            ).map { row in
                RelayStatus(
                    name: row[0],
                    position: row[1],
                    state: row[2],
                    pausedUntil: timestamp(row[3]),
                    downSince: timestamp(row[4]),
                    fault: row[5],
                    reason: row[6],
                    stage: row[7],
                    detail: row[8],
                    setting: row[9],
                    updatedAt: Timestamp(milliseconds: row[10])
                )
            }
        }
    }

    /// Stores what the view `outbox_status` says of patience and resends.
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

    /// What the view `outbox_status` says of patience and resends.
    package func guidance() async throws -> Guidance {
        try await read { database in
            let row = try Row.fetchOne(database, sql: "SELECT patience, resends, resend_window FROM outbox_guidance")
            guard let row else { return Guidance() }
            return Guidance(
                patience: .milliseconds(row[0] as Int64),
                resends: row[1],
                window: .milliseconds(row[2] as Int64)
            )
        }
    }

    private static func record(_ relay: RelayStatus, in database: Database) throws {
        let upsert = try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO outbox_relay (name, position, state, paused_until, down_since, fault, reason, stage,
                    detail, setting, updated_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        )
        try upsert.execute(arguments: [
            relay.name, relay.position, relay.state, relay.pausedUntil?.milliseconds, relay.downSince?.milliseconds,
            relay.fault, relay.reason, relay.stage, relay.detail, relay.setting, relay.updatedAt.milliseconds,
        ])
    }
}
