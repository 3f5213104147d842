// Processes the applications' statements since the last call: newer and cancelled messages. Never looks for due
// messages.

import GRDB
package import OutboxCore

extension OutboxDatabase {
    /// Maximum number of new rows examined, and of older rows superseded, per transaction, so that it stays short.
    private static let rowsLimit: Int64 = 1000

    package func supersede(
        newerThan sequence: Int64?,
        now: Timestamp,
        rules: DeliveryRules
    ) async throws -> Supersession {
        let claimant = claimant
        if sequence == nil { try await correctAddressesOfOpenMessages() }
        let (newest, cancelled) = try await read { database in
            let select = try database.cachedStatement(sql: "SELECT max(sequence) FROM outbox_state")
            let newest = try Int64.fetchOne(select) ?? 0
            let cancelled = try Int64.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT message_id FROM outbox_state
                        WHERE is_cancelled = 1 AND claimed_by IS NOT NULL AND claimed_by = ?
                        """
                ),
                arguments: [claimant]
            )
            return (newest, cancelled)
        }
        // A schema-only copy may have lost rows: a highest sequence below the known one means no new rows.
        guard let sequence, newest > sequence else {
            return Supersession(
                newest: max(newest, sequence ?? 0),
                hasMore: false,
                superseded: [],
                claimed: [],
                cancelled: cancelled
            )
        }
        return try await write { database in
            // Sequences may have gaps, so rows are counted.
            let last =
                try Int64.fetchOne(
                    database.cachedStatement(
                        sql: """
                            SELECT max(sequence) FROM (
                                SELECT sequence FROM outbox_state WHERE sequence > ? ORDER BY sequence LIMIT ?)
                            """
                    ),
                    arguments: [sequence, Self.rowsLimit]
                ) ?? newest
            try Self.correctAddresses(after: sequence, upTo: last, in: database)
            let older = try Self.olderMessages(after: sequence, upTo: last, now: now, in: database)
                .filter { !rules.keepOlder.contains($0.kind) }
            let (superseded, refused) = try database.changeRows(
                older.filter { $0.claimedBy == nil },
                messageID: \.messageID
            ) { rows in
                try Self.finishUnsent(database, rows.map(\.sequence), as: .superseded, now: now)
                return rows.map(\.messageID)
            }
            // If the limit was reached, the next call examines the same new rows again.
            let isDone = older.count < Self.rowsLimit || superseded.isEmpty && refused.count == older.count
            return Supersession(
                newest: isDone ? last : sequence,
                hasMore: !isDone || last < newest,
                superseded: superseded,
                claimed: older.filter { $0.claimedBy == claimant }.map(\.messageID),
                cancelled: cancelled
            )
        }
    }

    /// Supersedes the waiting messages that are older than the given one, for the same person and kind.
    static func supersedeOlder(than sequence: Int64, now: Timestamp, rules: DeliveryRules, in database: Database) throws
    {
        let older = try olderMessages(after: sequence - 1, upTo: sequence, now: now, in: database)
            .filter { !rules.keepOlder.contains($0.kind) && $0.claimedBy == nil }
        try finishUnsent(database, older.map(\.sequence), as: .superseded, now: now)
    }

    private struct OlderMessage {
        let sequence: Int64
        let messageID: Int64
        let kind: String
        let claimedBy: String?
    }

    /// Open messages that are older than one of the rows with these sequences, for the same person and kind.
    ///
    /// Only the newest row of each person and kind is compared; the number of pairs would grow with the square.
    private static func olderMessages(
        after sequence: Int64,
        upTo last: Int64,
        now: Timestamp,
        in database: Database
    ) throws -> [OlderMessage] {
        let select = try database.cachedStatement(
            sql: """
                WITH newer AS MATERIALIZED (
                    SELECT person, kind, max(sequence) AS sequence FROM outbox_state
                    WHERE sequence > :after AND sequence <= :last AND state <> 'cancelled' AND is_cancelled = 0
                        AND (not_before IS NULL OR not_before <= :now)
                    GROUP BY person, kind)
                SELECT older.sequence, older.message_id, older.kind, older.claimed_by
                FROM newer CROSS JOIN outbox_state AS older
                    ON older.person = newer.person AND older.kind = newer.kind AND older.finished_at IS NULL
                        AND older.sequence < newer.sequence
                LIMIT \(rowsLimit)
                """
        )
        let arguments: StatementArguments = ["after": sequence, "last": last, "now": now]
        return try Row.fetchAll(select, arguments: arguments).map { row in
            OlderMessage(sequence: row[0], messageID: row[1], kind: row[2], claimedBy: row[3])
        }
    }

    /// Converts the addresses of new rows to canonical form where the insert's trigger could not.
    private static func correctAddresses(after sequence: Int64, upTo last: Int64, in database: Database) throws {
        let select = try database.cachedStatement(
            sql: """
                SELECT sequence, address FROM outbox_state
                WHERE sequence > ? AND sequence <= ? AND \(Schema.mayNeedCorrection)
                """
        )
        try correct(
            Row.fetchAll(select, arguments: [sequence, last]).map { IncorrectAddress(sequence: $0[0], address: $0[1]) },
            in: database
        )
    }

    /// A row of `outbox_state` and its address.
    private struct IncorrectAddress {
        let sequence: Int64
        let address: String
    }

    /// A row that a rule of the application refuses to change keeps its address until it is claimed.
    private static func correct(_ rows: [IncorrectAddress], in database: Database) throws {
        _ = try database.changeRows(rows, messageID: \.sequence) { rows in
            for row in rows { _ = try correctAddress(row.address, sequence: row.sequence, in: database) }
            return rows
        }
    }

    /// Corrects the addresses of open messages that were inserted while no outboxd was running.
    private func correctAddressesOfOpenMessages() async throws {
        let found = try await read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT sequence, address FROM outbox_state
                    WHERE \(Schema.mayNeedCorrection)
                    """
            )
            var found: [IncorrectAddress] = []
            while let row = try rows.next() {
                let address: String = row[1]
                if Self.correctedAddress(address) != nil {
                    found.append(IncorrectAddress(sequence: row[0], address: address))
                }
            }
            return found
        }
        for start in stride(from: 0, to: found.count, by: Int(Self.rowsLimit)) {
            let part = Array(found[start..<min(start + Int(Self.rowsLimit), found.count)])
            try await write { try Self.correct(part, in: $0) }
        }
    }
}
