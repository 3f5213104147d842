// Creates and upgrades the outbox's objects in a database file. Never touches any other object in it.

import GRDB

/// Brings a database to the newest version of the schema, in one transaction.
///
/// GRDB's own `DatabaseMigrator` isn't used because its bookkeeping table has a fixed name, `grdb_migrations`: an
/// application that keeps the outbox in its own file, and uses GRDB itself, would find our entries among its own. It
/// also checks the foreign keys of the whole file, whose state is the application's business.
enum SchemaMigrator {
    /// The version that this program works with.
    static var currentVersion: Int { Schema.versions.count }

    /// The version of the schema in the file: 0 where there is no outbox in it.
    static func version(of database: Database) throws -> Int {
        guard try database.tableExists("outbox_migration") else { return 0 }
        return try Int.fetchOne(database, sql: "SELECT max(version) FROM outbox_migration") ?? 0
    }

    /// Applies what is missing.
    ///
    /// - Returns: the versions that were applied, empty where the schema was up to date.
    /// - Throws: `OutboxDatabaseError.schemaTooNew` where a newer program made the schema.
    static func migrate(_ database: Database) throws -> [Int] {
        try database.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS outbox_migration (
                    version INTEGER PRIMARY KEY,
                    applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
                ) STRICT
                """
        )
        let present = try version(of: database)
        guard present <= currentVersion else {
            throw OutboxDatabaseError.schemaTooNew(found: present, known: currentVersion)
        }
        let missing = Array(present..<currentVersion)
        for index in missing {
            try database.execute(sql: Schema.versions[index])
            try database.execute(sql: "INSERT INTO outbox_migration (version) VALUES (?)", arguments: [index + 1])
        }
        return missing.map { $0 + 1 }
    }
}
