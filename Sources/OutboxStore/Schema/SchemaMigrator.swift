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

    /// The version that this program works with.
    var newestVersion: Int { upgrades.count + 1 }

    /// The version of the schema in the file; 0 where the file has no outbox.
    static func version(of database: Database) throws -> Int {
        guard try database.tableExists("outbox_schema") else { return 0 }
        return try Int.fetchOne(database, sql: "SELECT max(version) FROM outbox_schema") ?? 0
    }

    /// Creates the schema, adds the rows that a copy of the schema alone lacks, or applies missing upgrades.
    ///
    /// - Returns: the versions that were applied, empty where the schema was up to date.
    /// - Throws: `OutboxDatabaseError.schemaTooNew` where a newer program made the schema.
    func migrate(_ database: Database) throws -> [Int] {
        let present = try Self.version(of: database)
        guard present <= newestVersion else {
            throw OutboxDatabaseError.schemaTooNew(found: present, known: newestVersion)
        }
        if present == newestVersion { return [] }
        if try present == 0 && database.tableExists("outbox_schema") {
            try database.execute(sql: Schema.rows)
        } else if present == 0 {
            try database.execute(
                sql: """
                    CREATE TABLE outbox_schema (
                        version INTEGER PRIMARY KEY,
                        applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
                    ) STRICT
                    """
            )
            try database.execute(sql: text)
        } else {
            for upgrade in upgrades[(present - 1)...] { try database.execute(sql: upgrade) }
        }
        let applied = Array((present + 1)...newestVersion)
        for version in applied {
            try database.execute(sql: "INSERT INTO outbox_schema (version) VALUES (?)", arguments: [version])
        }
        return applied
    }
}
