// Creates and upgrades the outbox's objects in a database file. Never touches any other object in the file.

import GRDB

/// Brings a database to the newest version of the schema, in one transaction.
///
/// GRDB's own `DatabaseMigrator` isn't used because its bookkeeping table has a fixed name, `grdb_migrations`: an
/// application that keeps the outbox in its own file, and uses GRDB itself, would find our entries among its own. It
/// also checks the foreign keys of the whole file, whose state is the application's business.
struct SchemaMigrator {
    /// The migrator of this program.
    static let current = SchemaMigrator(text: Schema.text, upgrades: Schema.upgrades)

    /// The newest version, for a new file.
    let text: String
    /// The scripts that upgrade version 1 to version 2, version 2 to version 3, and so on.
    let upgrades: [String]
    /// The statements that make the objects of the newest version, as SQLite keeps them.
    private let texts: Set<String>

    init(text: String, upgrades: [String]) {
        self.text = text
        self.upgrades = upgrades
        texts = Set(SQLScript.statements(Schema.versions + text).filter { $0.hasPrefix("CREATE ") })
    }

    /// The version that this program works with.
    var newestVersion: Int { upgrades.count + 1 }

    /// The version of the schema in the file; 0 where the file has no outbox.
    static func version(of database: Database) throws -> Int {
        guard try database.tableExists("outbox_schema"),
            try database.columns(in: "outbox_schema").contains(where: { $0.name == "version" })
        else { return 0 }
        return try Int.fetchOne(database, sql: "SELECT max(version) FROM outbox_schema") ?? 0
    }

    /// Creates the schema, adds the rows that a copy of the schema alone lacks, or applies missing upgrades.
    ///
    /// - Parameter repairs: whether to make missing and changed objects anew. No row is changed or removed.
    /// - Throws: `OutboxDatabaseError.schemaTooNew` where a newer program made the schema; `SchemaProblem` where another
    ///   tool removed or made objects.
    func migrate(_ database: Database, repairs: Bool = false) throws -> Migration {
        let present = try Self.version(of: database)
        guard present <= newestVersion else {
            throw OutboxDatabaseError.schemaTooNew(found: present, known: newestVersion)
        }
        var migration = Migration(versions: Array(present..<newestVersion).map { $0 + 1 })
        if present == 0, try !hasOutbox(database) {
            try database.execute(sql: Schema.versions + text)
        } else {
            if present > 0 { for upgrade in upgrades[(present - 1)...] { try database.execute(sql: upgrade) } }
            if repairs {
                try repair(database, &migration)
            } else {
                try check(database)
                if present == 0 { try database.execute(sql: Schema.rows) }
            }
        }
        for version in migration.versions {
            try database.execute(sql: "INSERT INTO outbox_schema (version) VALUES (?)", arguments: [version])
        }
        return migration
    }

    /// Whether the file has any object of the outbox.
    func hasOutbox(_ database: Database) throws -> Bool {
        try !SchemaInventory(database).isDisjoint(from: SchemaInventory(madeBy: Schema.versions + text))
    }

    /// Checks that the objects in the file are those that this program makes.
    ///
    /// - Throws: `SchemaProblem`.
    func check(_ database: Database) throws {
        // Nearly always the texts are the same. This costs a tenth of what the comparison costs.
        if try texts.isSubset(of: SchemaInventory.texts(database)) { return }
        let expected = try SchemaInventory(madeBy: Schema.versions + text)
        if let problem = try SchemaInventory(database).problem(expected: expected) { throw problem }
    }

    /// Makes missing and changed objects anew, in the order in which a new file gets them.
    private func repair(_ database: Database, _ migration: inout Migration) throws {
        let expected = try SchemaInventory(madeBy: Schema.versions + text)
        switch try SchemaInventory(database).problem(expected: expected) {
        case nil: try database.execute(sql: Schema.rows)
        case .incomplete(let missing, let changed):
            for object in changed {
                try database.execute(sql: "DROP \(object.type) \(object.name.quotedDatabaseIdentifier)")
            }
            let keys = Set((missing + changed).map(\.key))
            for object in expected.objects where keys.contains(object.key) {
                try database.execute(sql: object.text)
            }
            // A new table numbers its rows from 1 on, and these numbers are known elsewhere.
            for (table, numbers) in [
                "outbox": "SELECT max(message_id) AS number FROM outbox_state",
                "outbox_state": "SELECT max(sequence) AS number FROM outbox_token",
            ] where missing.contains(where: { $0.name == table }) {
                try database.execute(
                    sql: "INSERT INTO sqlite_sequence (name, seq) SELECT ?, number FROM (\(numbers)) WHERE number > 0",
                    arguments: [table]
                )
            }
            try database.execute(sql: Schema.rows)
            try secureTokens(database)
            migration.added = missing.map(\.description)
            migration.replaced = changed.map(\.description)
            migration.rowsWithoutState =
                try Int.fetchOne(
                    database,
                    sql: "SELECT count(*) FROM outbox WHERE id NOT IN (SELECT message_id FROM outbox_state)"
                ) ?? 0
        case let problem?: throw problem
        }
    }

    /// After tables were lost: a message must never be mailed with the token of another one, and the tokens of lost
    /// messages must not stay.
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
                """
        )
    }
}

/// What a migration did.
package struct Migration: Sendable, Hashable {
    /// The versions that it applied; empty where the schema was up to date.
    package var versions: [Int] = []
    /// The objects that a repair added, such as `view outbox_status`.
    package var added: [String] = []
    /// The objects that a repair replaced because their text was another one.
    package var replaced: [String] = []
    /// After a repair: messages whose state is lost. outboxd never sends them.
    package var rowsWithoutState = 0
}
