// Damage in the file: the inspection finds it, and errors explain it.

import Foundation
import GRDB
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct DamageTests {
    /// An outbox in an application's file with a collation that only the application has, and 2,000 messages.
    private func withFile(_ body: (OutboxDatabase) async throws -> Void) async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "app.db").path
            var configuration = Configuration()
            configuration.prepareDatabase { $0.add(collation: DatabaseCollation("app_own") { $0.compare($1) }) }
            let application = try DatabaseQueue(path: path, configuration: configuration)
            try await application.write {
                try $0.execute(sql: "CREATE TABLE app (x TEXT COLLATE app_own); CREATE INDEX app_x ON app (x)")
            }
            let database = try OutboxDatabase(path: path, access: .migrating)
            try await application.write { database in
                try database.execute(sql: "INSERT INTO app VALUES ('b'), ('a')")
                try database.execute(
                    sql: """
                        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                        INSERT INTO outbox (kind, recipient, token) SELECT 'verify-email', 'p' || i || '@example.com', 't' || i FROM n
                        """
                )
            }
            try application.close()
            try await body(database)
        }
    }

    /// Overwrites the pages of a table, except its root, with garbage.
    private func damage(_ table: String, of database: OutboxDatabase) async throws {
        let (pages, size) = try await database.queue.writeWithoutTransaction { connection in
            _ = try Row.fetchOne(connection, sql: "PRAGMA wal_checkpoint(TRUNCATE)")
            return (
                try Int.fetchAll(
                    connection,
                    sql: "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'",
                    arguments: [table]
                ),
                try Int.fetchOne(connection, sql: "PRAGMA page_size") ?? 4096
            )
        }
        try #require(!pages.isEmpty)
        let file = try FileHandle(forUpdating: URL(filePath: database.path))
        for page in pages {
            try file.seek(toOffset: UInt64((page - 1) * size))
            try file.write(contentsOf: Data(repeating: 0x5A, count: size))
        }
    }

    @Test("an outbox is sound although a quick_check of the whole file fails")
    func sound() async throws {
        try await withFile { database in
            let inspection = try await database.inspect(limit: .seconds(60))
            #expect(inspection == .sound)
            func checkAll() throws -> [String] {
                try database.queue.writeWithoutTransaction { try String.fetchAll($0, sql: "PRAGMA quick_check") }
            }
            #expect(throws: DatabaseError.self) { try checkAll() }
        }
    }

    @Test("a table with damaged pages is found and named")
    func damaged() async throws {
        try await withFile { database in
            try await damage("outbox", of: database)
            guard case .damaged(let findings) = try await database.inspect(limit: .seconds(60)) else {
                Issue.record("no damage was found")
                return
            }
            #expect(findings.contains { $0.hasPrefix("outbox: ") }, "\(findings.prefix(3))")
        }
    }

    @Test("an inspection without time names the unchecked tables")
    func unfinished() async throws {
        try await withFile { database in
            guard case .unfinished(let tables) = try await database.inspect(limit: .zero) else {
                Issue.record("it ended")
                return
            }
            #expect(tables.contains("outbox") && tables.contains("outbox_state"))
        }
    }

    @Test("the error for a damaged file names the damage and the remedy, not permissions")
    func words() async throws {
        try await withFile { database in
            for table in ["outbox", "outbox_state"] { try await damage(table, of: database) }
            let fresh = try OutboxDatabase(path: database.path, access: .writing)
            let error = await #expect(throws: OutboxDatabaseError.self) { try await fresh.claim() }
            let words = try #require(error?.description)
            #expect(words.contains("is damaged (") && words.contains(".recover") && words.contains("restore a backup"))
            #expect(!words.contains("permissions"))
        }
    }
}
