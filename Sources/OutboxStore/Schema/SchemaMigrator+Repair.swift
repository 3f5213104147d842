// Makes lost objects of the outbox anew, and brings the rows to the state that the objects would have kept. Never sends a
// message, and never removes a row of an application.

import GRDB

extension SchemaMigrator {
    /// Makes missing and changed objects anew, in the order in which a new file gets them.
    ///
    /// Applications may have used the outbox meanwhile, so afterwards the rows are brought to the state that the
    /// triggers would have kept.
    /// - Throws: `SchemaProblem` where tables would have to be made anew that hold rows.
    func repair(_ database: Database, _ migration: inout Migration) throws {
        let expected = try SchemaInventory(madeBy: Schema.versions + text)
        switch try SchemaInventory(database, comparedWith: expected).problem(expected: expected, in: database) {
        case nil: break
        case .incomplete(let missing, let changed):
            let foreign = try triggers(on: changed, but: expected, in: database)
            for object in changed {
                try database.execute(sql: "DROP \(object.type) \(object.name.quotedDatabaseIdentifier)")
            }
            let keys = Set((missing + changed).map(\.key))
            for object in expected.objects where keys.contains(object.key) {
                try database.execute(sql: object.text)
            }
            for trigger in foreign { try database.execute(sql: trigger) }
            try continueNumbers(of: missing.map(\.name), in: database)
            // The mark names a run that is lost: the file would look restored.
            if missing.contains(where: { $0.name == "outbox_run" }) {
                try database.execute(sql: "DELETE FROM outbox_file")
            }
            migration.added = missing.map(\.description)
            migration.replaced = changed.map(\.description)
        case let problem?: throw problem
        }
        try database.execute(sql: Schema.rows)
        try secureTokens(database)
        try reconcile(database, &migration)
    }

    /// An application's own triggers on views that are about to be replaced.
    private func triggers(
        on changed: [SchemaInventory.Object],
        but expected: SchemaInventory,
        in database: Database
    ) throws -> [String] {
        let views = changed.filter { $0.type == "view" }.map(\.name)
        let ours = Set(expected.objects.filter { $0.type == "trigger" }.map { $0.name.lowercased() })
        return try Row.fetchAll(database, sql: "SELECT name, tbl_name, sql FROM sqlite_schema WHERE type = 'trigger'")
            .filter { views.contains($0["tbl_name"] as String) && !ours.contains(($0["name"] as String).lowercased()) }
            .map { $0["sql"] }
    }

    /// A new table would number its rows from 1 on, and those numbers are known elsewhere.
    private func continueNumbers(of tables: [String], in database: Database) throws {
        for (table, numbers) in [
            "outbox": "SELECT max(message_id) AS number FROM outbox_state",
            "outbox_state": "SELECT max(sequence) AS number FROM outbox_token",
        ] where tables.contains(table) {
            try database.execute(
                sql: "INSERT INTO sqlite_sequence (name, seq) SELECT ?, number FROM (\(numbers)) WHERE number > 0",
                arguments: [table]
            )
        }
    }

    /// A message must never be mailed with the token of another one, and no token may stay that belongs to no message or
    /// that an insert left in `outbox`.
    private func secureTokens(_ database: Database) throws {
        let isLost = """
            slot > 0 AND slot NOT IN (SELECT secret FROM outbox_state WHERE secret IS NOT NULL)
            AND slot NOT IN (SELECT slot FROM outbox_free_secret)
            """
        try database.execute(
            sql: """
                -- A slot behind all that messages refer to: new slots begin there.
                INSERT OR IGNORE INTO outbox_secret (slot, token)
                    SELECT max(secret) + 1, printf('%.*c', 64, char(10)) FROM outbox_state
                    WHERE secret > (SELECT max(slot) FROM outbox_secret) HAVING max(secret) IS NOT NULL;
                -- A free slot that a message refers to, or that does not exist, must not be given away.
                DELETE FROM outbox_free_secret WHERE slot IN (SELECT secret FROM outbox_state WHERE secret IS NOT NULL)
                    OR slot NOT IN (SELECT slot FROM outbox_secret);
                UPDATE outbox_secret SET token = printf('%.*c', \(Schema.octets("token")), char(10)) WHERE \(isLost);
                INSERT INTO outbox_free_secret (octets, slot)
                    SELECT \(Schema.octets("token")), slot FROM outbox_secret WHERE \(isLost);
                UPDATE outbox SET token = \(Schema.zeros(for: "token")) WHERE token IS NOT NULL;
                UPDATE outbox SET token = NULL WHERE token IS NOT NULL;
                """
        )
    }

    /// What applications did while triggers or tables were missing.
    private func reconcile(_ database: Database, _ migration: inout Migration) throws {
        func messages(_ sql: String) throws -> Migration.MessageList { .init(try Int64.fetchAll(database, sql: sql)) }
        migration.withoutState = try messages(
            "SELECT id FROM outbox WHERE id NOT IN (SELECT message_id FROM outbox_state) ORDER BY id"
        )
        migration.withoutRow = try messages(
            """
            SELECT message_id FROM outbox_state
            WHERE finished_at IS NULL AND message_id NOT IN (SELECT id FROM outbox) ORDER BY message_id
            """
        )
        migration.cancelled = try messages(
            """
            SELECT id FROM outbox JOIN outbox_state ON message_id = id
            WHERE cancelled = 1 AND finished_at IS NULL AND is_cancelled = 0 ORDER BY id
            """
        )
        let isCancelled = "message_id IN (SELECT id FROM outbox WHERE cancelled = 1)"
        try database.execute(
            sql: """
                \(Schema.cancelling(isCancelled))
                INSERT OR IGNORE INTO outbox_used_key (idempotency_key, message_id, used_at)
                    SELECT idempotency_key, id, \(Schema.now) FROM outbox WHERE idempotency_key IS NOT NULL;
                """
        )
    }
}
