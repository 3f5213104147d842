// What a repair makes anew, and what it does about the rows that applications changed meanwhile.

import Foundation
import GRDB
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct SchemaRepairTests {
    @Test("any object that a tool dropped is named, and a repair makes it anew and changes no other row")
    func dropped() async throws {
        let expected = try SchemaInventory(madeBy: Schema.script)
        for object in expected.objects {
            try await ForeignFile.with(Schema.script) { path, application in
                let before = try application.write { database in
                    for number in 1...3 {
                        try database.execute(
                            sql: "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 's3cret')",
                            arguments: ["person\(number)@example.com"]
                        )
                    }
                    let before = try Row.fetchAll(database, sql: ForeignFile.objects)
                    try database.execute(sql: "DROP \(object.description)")
                    return before
                }
                let found = ForeignFile.errors(path)
                if object.name != "outbox_schema" {
                    // Without it, the version is unknown to a program that does not migrate.
                    #expect(found.count == 4, "\(object.name)")
                    #expect(found[0].contains(object.description) && found[0].contains("outboxctl migrate --repair"))
                }
                let repaired = try OutboxDatabase(path: path, access: .repairing)
                #expect(repaired.migration.added.contains(object.description))
                #expect(try application.read { try Row.fetchAll($0, sql: ForeignFile.objects) } == before)
                let lostStates = object.name == "outbox_state" ? 3 : 0
                #expect(repaired.migration.withoutState.count == lostStates)
                // The outbox works again.
                let id = try await application.write { database in
                    try database.execute(
                        sql:
                            "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'new@example.com', 'x')"
                    )
                    return database.lastInsertedRowID
                }
                #expect(id == 4)
                let now = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000) + 1000)
                let claimed = try await repaired.claim(now: now).claims.map(\.message.id)
                let hasRows = !["outbox", "outbox_state"].contains(object.name)
                let hasTokens = object.name != "outbox_secret"
                #expect(claimed == (hasRows && hasTokens ? [1, 2, 3, 4] : [4]), "\(object.name)")
                // A message whose token is lost gets no other one, and a token whose message is lost is wiped.
                let tokens = try await application.read {
                    try Int.fetchOne($0, sql: "SELECT count(*) FROM outbox_secret WHERE token GLOB 's3cret*'")
                }
                #expect(tokens == (hasRows && hasTokens ? 3 : 0), "\(object.name)")
                let again = try OutboxDatabase(path: path, access: .repairing).migration
                #expect(again.added.isEmpty && again.replaced.isEmpty && again.versions.isEmpty)
            }
        }
    }

    @Test("after a tool dropped everything but the versions, a repair makes the whole outbox")
    func droppedAll() async throws {
        try await ForeignFile.with(Schema.script) { path, application in
            let before = try application.write { database in
                let before = try Row.fetchAll(database, sql: ForeignFile.objects)
                let names = try Row.fetchAll(
                    database,
                    sql: "SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name GLOB 'outbox*'"
                )
                for row in names where row["name"] != "outbox_schema" {
                    try database.execute(sql: "DROP \(row["type"] as String) \(row["name"] as String)")
                }
                return before
            }
            let rest = try SchemaInventory(madeBy: Schema.script).objects.count - 1 - 5
            for error in ForeignFile.errors(path) { #expect(error.contains("and \(rest) more")) }
            _ = try OutboxDatabase(path: path, access: .repairing)
            #expect(try application.read { try Row.fetchAll($0, sql: ForeignFile.objects) } == before)
        }
    }

    /// A migrated file with one message, changed in a way, and repaired.
    private func repaired(
        _ message: String,
        after change: String,
        _ body: (_ migration: Migration, _ path: String, _ application: DatabaseQueue) async throws -> Void
    ) async throws {
        try await ForeignFile.with(Schema.script) { path, application in
            try await application.write { try $0.execute(sql: message + change) }
            try await body(OutboxDatabase(path: path, access: .repairing).migration, path, application)
        }
    }

    @Test("a repair wipes the tokens that inserts left in the table, and names the messages, also the second time")
    func tokens() async throws {
        try await repaired("DROP TRIGGER outbox_inserted;", after: ForeignFile.insert) { migration, path, application in
            #expect(migration.withoutState.first == [1])
            let token = try await application.read { try String.fetchOne($0, sql: "SELECT token FROM outbox") }
            #expect(token == nil)
            let again = try OutboxDatabase(path: path, access: .repairing).migration
            #expect(again.withoutState.first == [1] && again.added.isEmpty)
        }
    }

    @Test("a repair cancels what was cancelled meanwhile, and knows the used keys again")
    func reconciles() async throws {
        try await repaired(ForeignFile.insert, after: "DROP TRIGGER outbox_cancelled; UPDATE outbox SET cancelled = 1;")
        {
            migration,
            _,
            application in
            #expect(migration.cancelled.first == [1])
            let state = "SELECT state FROM outbox_status"
            let found = try await application.read { try String.fetchOne($0, sql: state) }
            #expect(found == "cancelled")
        }
        try await repaired(ForeignFile.insert, after: "DROP TABLE outbox_used_key;") { _, _, application in
            await #expect(throws: DatabaseError.self) {
                try await application.write {
                    try $0.execute(
                        sql: ForeignFile.insert.replacing("INSERT", with: "INSERT OR REPLACE", maxReplacements: 1)
                    )
                }
            }
            let states = try await application.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM outbox_state") }
            #expect(states == 1)
        }
    }

    @Test("open messages whose row is lost are named")
    func lostRows() async throws {
        try await repaired(ForeignFile.insert, after: "DROP TABLE outbox;") { migration, _, _ in
            #expect(migration.withoutRow.first == [1])
        }
    }

    @Test("an application's trigger on a view stays when the view is replaced")
    func triggersOnViews() async throws {
        let change = """
            DROP VIEW outbox_status; CREATE VIEW outbox_status AS SELECT id FROM outbox;
            CREATE TRIGGER mine INSTEAD OF DELETE ON outbox_status BEGIN SELECT 1; END;
            """
        try await repaired(ForeignFile.insert, after: change) { migration, _, application in
            #expect(migration.replaced == ["view outbox_status"])
            let count = "SELECT count(*) FROM sqlite_schema WHERE name = 'mine'"
            let kept = try await application.read { try Int.fetchOne($0, sql: count) }
            #expect(kept == 1)
        }
    }

    @Test("a changed trigger, index or view is named and replaced by a repair")
    func changed() async throws {
        try await ForeignFile.with(Schema.script) { path, application in
            try await application.write {
                try $0.execute(
                    sql: """
                        DROP VIEW outbox_status; CREATE VIEW outbox_status AS SELECT id FROM outbox;
                        DROP TRIGGER outbox_deleted;
                        CREATE TRIGGER outbox_deleted AFTER DELETE ON outbox BEGIN SELECT 1; END;
                        """
                )
            }
            for error in ForeignFile.errors(path) {
                #expect(error.contains("changed: trigger outbox_deleted, view outbox_status"))
            }
            let repaired = try OutboxDatabase(path: path, access: .repairing)
            #expect(Set(repaired.migration.replaced) == ["view outbox_status", "trigger outbox_deleted"])
            #expect(ForeignFile.errors(path).isEmpty)
        }
    }
}
