// Makes older messages void when newer ones arrive. Never looks at what is due.

import GRDB
package import OutboxCore

extension OutboxDatabase {
    /// So many new rows are looked at in one transaction, so that it stays short.
    private static let newRowsLimit: Int64 = 5000

    package func supersede(
        newerThan id: Int64?,
        now: Timestamp,
        rules: DeliveryRules
    ) async throws -> Supersession {
        let newest = try await read { database in
            try Int64.fetchOne(database.cachedStatement(sql: "SELECT max(id) FROM outbox")) ?? 0
        }
        guard let id, newest > id else {
            return Supersession(newest: max(newest, id ?? 0), hasMore: false, superseded: [], claimed: [])
        }
        let last = min(newest, id + Self.newRowsLimit)
        let keepOlder = rules.keepOlder
        let claimant = claimant
        return try await write { database in
            let keep = JSONText.array(keepOlder.sorted())
            let superseded = try Int64.fetchAll(
                database.cachedStatement(
                    sql: """
                        UPDATE outbox SET state = 'superseded', finished_at = :now, token = NULL, next_attempt_at = NULL
                        WHERE id IN (\(Self.olderMessages(inStates: "('queued', 'deferred')")))
                            AND kind NOT IN (SELECT value FROM json_each(:keep))
                        RETURNING id
                        """
                ),
                arguments: ["after": id, "last": last, "keep": keep, "now": now.milliseconds]
            )
            let claimed = try Int64.fetchAll(
                database.cachedStatement(
                    sql: """
                        SELECT id FROM outbox
                        WHERE id IN (\(Self.olderMessages(inStates: "('sending')"))) AND claimed_by = :claimant
                            AND kind NOT IN (SELECT value FROM json_each(:keep))
                        """
                ),
                arguments: ["after": id, "last": last, "keep": keep, "claimant": claimant]
            )
            return Supersession(newest: last, hasMore: last < newest, superseded: superseded, claimed: claimed)
        }
    }

    /// Makes messages void that wait again, and for which a newer one came while they were claimed.
    static func supersedeReopened(
        _ ids: [Int64],
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws {
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox SET state = 'superseded', finished_at = ?2, token = NULL, next_attempt_at = NULL
                WHERE id = ?1 AND state IN ('queued', 'deferred') AND kind NOT IN (SELECT value FROM json_each(?3))
                    AND CASE
                        WHEN account IS NOT NULL THEN EXISTS (
                            SELECT 1 FROM outbox AS newer WHERE newer.account = outbox.account
                                AND newer.kind = outbox.kind AND newer.id > outbox.id)
                        ELSE EXISTS (
                            SELECT 1 FROM outbox AS newer WHERE newer.recipient = outbox.recipient COLLATE NOCASE
                                AND newer.kind = outbox.kind AND newer.id > outbox.id AND newer.account IS NULL
                                AND \(ClaimGate.localPart("newer.recipient"))
                                    = \(ClaimGate.localPart("outbox.recipient")))
                        END
                """
        )
        let keep = JSONText.array(rules.keepOlder.sorted())
        for id in ids { try update.execute(arguments: [id, now.milliseconds, keep]) }
    }

    /// The ids of messages older than one of the rows `:after` … `:last`, for the same person and kind.
    private static func olderMessages(inStates states: String) -> String {
        """
        SELECT older.id FROM outbox AS newer CROSS JOIN outbox AS older
            ON older.account = newer.account AND older.kind = newer.kind AND older.id < newer.id
        WHERE newer.id > :after AND newer.id <= :last AND newer.account IS NOT NULL AND older.state IN \(states)
        UNION ALL
        SELECT older.id FROM outbox AS newer CROSS JOIN outbox AS older
            ON older.recipient = newer.recipient COLLATE NOCASE AND older.kind = newer.kind AND older.id < newer.id
        WHERE newer.id > :after AND newer.id <= :last AND newer.account IS NULL AND older.account IS NULL
            AND older.state IN \(states)
            AND \(ClaimGate.localPart("older.recipient")) = \(ClaimGate.localPart("newer.recipient"))
        """
    }
}

/// JSON for `json_each`, by which a list becomes one argument.
private enum JSONText {
    static func array(_ kinds: [String]) -> String {
        // A kind consists of lower-case letters, digits and hyphens: nothing to escape.
        "[" + kinds.map { "\"\($0)\"" }.joined(separator: ",") + "]"
    }
}
