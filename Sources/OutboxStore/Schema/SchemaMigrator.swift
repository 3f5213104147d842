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
        // Another program's table may have the name.
        guard try database.tableExists("outbox_schema"),
            try Set(database.columns(in: "outbox_schema").map(\.name)).isSuperset(of: ["version", "applied_at"])
        else { return 0 }
        return try Int.fetchOne(database, sql: "SELECT max(version) FROM outbox_schema") ?? 0
    }

    /// Creates the schema, adds the rows that a copy of the schema alone lacks, or applies missing upgrades.
    ///
    /// - Parameter repairs: whether to make missing and changed objects anew (``repair(_:_:)``).
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
        let expected = try SchemaInventory(madeBy: Schema.versions + text)
        return try !SchemaInventory(database, comparedWith: expected).isDisjoint(from: expected)
    }

    /// Checks that the objects in the file are those that this program makes.
    ///
    /// - Throws: `SchemaProblem`.
    func check(_ database: Database) throws {
        // Nearly always the texts are the same. This costs a tenth of what the comparison costs.
        if try texts.isSubset(of: SchemaInventory.texts(database)) { return }
        let expected = try SchemaInventory(madeBy: Schema.versions + text)
        let found = try SchemaInventory(database, comparedWith: expected)
        if let problem = try found.problem(expected: expected, in: database) { throw problem }
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
    /// Messages whose state is lost, which outboxd never sends: their number, and the first ids.
    package var withoutState = MessageList()
    /// Open messages whose row in `outbox` is lost, and which outboxd therefore removes.
    package var withoutRow = MessageList()
    /// Messages that the application had cancelled while the trigger for that was missing.
    package var cancelled = MessageList()

    /// Messages by number and by their first ids.
    package struct MessageList: Sendable, Hashable {
        package var count = 0
        package var first: [Int64] = []

        package init() {}

        init(_ ids: [Int64]) {
            count = ids.count
            first = Array(ids.prefix(10))
        }
    }
}
