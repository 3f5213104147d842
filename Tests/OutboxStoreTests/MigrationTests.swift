// Schema versions: an upgraded file equals a new one, and a development build's file is refused.

import Foundation
import GRDB
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct MigrationTests {
    private static let objects = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"

    /// The schema that a migrator creates from an empty file, by way of the given earlier one.
    private func schema(of migrator: SchemaMigrator, by way: SchemaMigrator? = nil) throws -> [Row] {
        let queue = try DatabaseQueue()
        return try queue.write { database in
            if let way { _ = try way.migrate(database) }
            _ = try migrator.migrate(database)
            #expect(try SchemaMigrator.version(of: database) == migrator.newestVersion)
            #expect(try String.fetchOne(database, sql: "PRAGMA integrity_check") == "ok")
            return try Row.fetchAll(database, sql: Self.objects)
        }
    }

    @Test("a file of each earlier version is upgraded to exactly the schema of a new file")
    func everyVersion() throws {
        // Version 1 is the newest one. For version 2, this keeps the place and tests the comparison with an upgrade of
        // its own.
        let upgrade = "CREATE INDEX outbox_by_kind ON outbox (kind);"
        let next = SchemaMigrator(text: Schema.text + upgrade, upgrades: Schema.upgrades + [upgrade])
        #expect(try schema(of: next, by: .current) == schema(of: next))
        let forgotten = SchemaMigrator(text: Schema.text, upgrades: Schema.upgrades + [upgrade])
        #expect(try schema(of: forgotten, by: .current) != schema(of: forgotten))
    }

    @Test("each missing version is applied once, and recorded")
    func versions() throws {
        let queue = try DatabaseQueue()
        let next = SchemaMigrator(
            text: Schema.text,
            upgrades: ["CREATE TABLE outbox_a (x)", "CREATE TABLE outbox_b (x)"]
        )
        let second = SchemaMigrator(text: Schema.text, upgrades: Array(next.upgrades.prefix(1)))
        let applied = try queue.write { database in
            let first = SchemaMigrator(text: Schema.text, upgrades: [])
            return try [first, second, next, next].map { try $0.migrate(database).versions }
        }
        #expect(applied == [[1], [2], [3], []])
        #expect(throws: OutboxDatabaseError.self) { try queue.write { try second.migrate($0) } }
    }

    @Test("a copy of the schema alone accepts inserts and queries, and a migration completes it")
    func schemaAlone() async throws {
        let statements = try DatabaseQueue().inDatabase { database in
            _ = try SchemaMigrator.current.migrate(database)
            return try String.fetchAll(
                database,
                sql: "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
            )
        }
        try await withFolder { folder in
            let path = folder.appending(path: "copy.db").path
            let copy = try DatabaseQueue(path: path)
            try await copy.write { database in
                for statement in statements { try database.execute(sql: statement) }
                for kind in ["verify-email", "reset-password"] {
                    try database.execute(
                        sql: "INSERT INTO outbox (kind, recipient, token) VALUES (?, 'ann@example.com', 's3cret')",
                        arguments: [kind]
                    )
                }
            }
            #expect(try await copy.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM outbox_status") } == 2)
            let database = try OutboxDatabase(path: path, access: .migrating)
            #expect(database.migration.versions == [1])
            let now = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000) + 1000)
            #expect(try await database.claim(now: now).claims.map(\.message.token?.secret) == ["s3cret", "s3cret"])
            #expect(try await copy.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM outbox_secret") } == 5)
        }
    }
}
