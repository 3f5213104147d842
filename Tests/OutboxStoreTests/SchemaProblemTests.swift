// Files whose outbox was made or damaged by other tools: each is recognised, and what can be mended is mended.

import Foundation
import GRDB
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct SchemaProblemTests {
    private static let objects =
        "SELECT type, name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name"

    /// A file that some statements have made, without anything of this program.
    private func withFile(
        _ statements: String,
        _ body: (_ path: String, _ application: DatabaseQueue) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "application.db").path
            let application = try DatabaseQueue(path: path)
            try await application.write { try $0.execute(sql: statements) }
            try await body(path, application)
        }
    }

    /// The error of opening the file for each use.
    private func errors(_ path: String) -> [String] {
        [OutboxDatabase.Access.upgrading, .migrating, .writing, .reading].compactMap { access in
            do {
                _ = try OutboxDatabase(path: path, access: access)
                return nil
            } catch {
                return "\(error)"
            }
        }
    }

    @Test("the printed schema makes what a migration makes, and a migration of such a file changes nothing")
    func script() async throws {
        try await withFile(Schema.script) { path, application in
            let printed = try application.read { try Row.fetchAll($0, sql: Self.objects) }
            #expect(try OutboxDatabase(path: path, access: .migrating).migration == Migration())
            let migrated = try DatabaseQueue()
            try await migrated.write { _ = try SchemaMigrator.current.migrate($0) }
            #expect(try migrated.read { try Row.fetchAll($0, sql: Self.objects) } == printed)
            for table in ["outbox_schema", "outbox_guidance", "outbox_secret"] {
                let count = "SELECT count(*) FROM \(table)"
                let printedRows = try await application.read { try Int.fetchOne($0, sql: count) }
                let rows = try await migrated.read { try Int.fetchOne($0, sql: count) }
                #expect(printedRows == rows && rows != 0, "\(table)")
            }
        }
    }

    @Test("the schema's statements are split as SQLite keeps them")
    func statements() throws {
        let kept = try SchemaInventory(madeBy: Schema.script).objects.map(\.text)
        let statements = SQLScript.statements(Schema.script)
        #expect(Set(statements.filter { $0.hasPrefix("CREATE ") }) == Set(kept))
        #expect(statements.count == kept.count + 3, "the schema's rows: guidance, ballast, version")
        #expect(
            SQLScript.statements("-- a; b\n SELECT ';' ; ;CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END; x")
                == ["SELECT ';' ", "", "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END"]
        )
    }

    @Test(
        "somebody else's table or view named outbox is left alone, and the error names its columns",
        arguments: [
            "CREATE TABLE outbox (id INTEGER PRIMARY KEY, topic TEXT, payload TEXT)",
            "CREATE TABLE event (id INTEGER, payload TEXT); CREATE VIEW outbox AS SELECT id, payload FROM event",
        ]
    )
    func foreign(statements: String) async throws {
        try await withFile(statements) { path, application in
            let errors = errors(path)
            #expect(errors.count == 4)
            #expect(errors[0].contains("belongs to another program") && errors[0].contains("`database`"))
            #expect(statements.contains("VIEW") || errors[0].contains("its columns: id, topic, payload"))
            #expect(throws: OutboxDatabaseError.self) { try OutboxDatabase(path: path, access: .repairing) }
            let names = try await application.read {
                try String.fetchAll($0, sql: "SELECT name FROM sqlite_schema WHERE name GLOB 'outbox*'")
            }
            #expect(names == ["outbox"])
        }
    }

    @Test("a model's own table of the outbox is recognised: it has no rules")
    func model() async throws {
        let statements = """
            CREATE TABLE outbox (id INTEGER NOT NULL, kind TEXT NOT NULL, recipient TEXT NOT NULL, token TEXT,
                PRIMARY KEY (id));
            """
        try await withFile(statements) { path, _ in
            for error in errors(path) {
                #expect(error.contains("outbox has another definition of the column id"))
                #expect(error.contains("outboxctl schema"))
            }
        }
    }

    @Test("tables that lost STRICT or their rules, and a table in place of a view, are recognised")
    func reshaped() async throws {
        // Like a schema.rb of Rails: no STRICT, no CHECK, no trigger, no view.
        let bare = try SchemaInventory(madeBy: Schema.script).objects.filter { $0.type == "table" }.map {
            $0.text.replacing(/\) STRICT(, WITHOUT ROWID)?$/) { ")\($0.output.1.map { _ in " WITHOUT ROWID" } ?? "")" }
        }
        try await withFile(bare.joined(separator: ";\n")) { path, _ in
            for error in errors(path) {
                #expect(error.contains("is not STRICT") && error.contains("and \(bare.count - 5) more"))
            }
            #expect(errors(path).count == 4)
        }
        let outbox = try #require(bare.first { $0.hasPrefix("CREATE TABLE outbox (") })
        let lax = outbox.replacing(/CONSTRAINT recipient_is_not_empty CHECK \(recipient <> ''\)/, with: "") + " STRICT"
        try await withFile(lax) { path, _ in
            #expect(errors(path).allSatisfy { $0.contains("outbox has no rule recipient_is_not_empty") })
        }
        try await withFile(Schema.script) { path, application in
            try await application.write {
                try $0.execute(sql: "DROP VIEW outbox_status; CREATE TABLE outbox_status (id INTEGER, state TEXT)")
            }
            #expect(errors(path).allSatisfy { $0.contains("outbox_status is a table and should be a view") })
        }
    }

    @Test("any object that a tool dropped is named, and a repair makes it anew and changes no other row")
    func dropped() async throws {
        let expected = try SchemaInventory(madeBy: Schema.script)
        for object in expected.objects {
            try await withFile(Schema.script) { path, application in
                let before = try application.write { database in
                    for number in 1...3 {
                        try database.execute(
                            sql: "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 's3cret')",
                            arguments: ["person\(number)@example.com"]
                        )
                    }
                    let before = try Row.fetchAll(database, sql: Self.objects)
                    try database.execute(sql: "DROP \(object.description)")
                    return before
                }
                let found = errors(path)
                if object.name != "outbox_schema" {
                    // Without it, the version is unknown to a program that does not migrate.
                    #expect(found.count == 4, "\(object.name)")
                    #expect(found[0].contains(object.description) && found[0].contains("outboxctl migrate --repair"))
                }
                let repaired = try OutboxDatabase(path: path, access: .repairing)
                #expect(repaired.migration.added.contains(object.description))
                #expect(try application.read { try Row.fetchAll($0, sql: Self.objects) } == before)
                let lostStates = object.name == "outbox_state" ? 3 : 0
                #expect(repaired.migration.rowsWithoutState == lostStates)
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
                #expect(try OutboxDatabase(path: path, access: .repairing).migration == Migration())
            }
        }
    }

    @Test("after a tool dropped everything but the versions, a repair makes the whole outbox")
    func droppedAll() async throws {
        try await withFile(Schema.script) { path, application in
            let before = try application.write { database in
                let before = try Row.fetchAll(database, sql: Self.objects)
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
            for error in errors(path) { #expect(error.contains("and \(rest) more")) }
            _ = try OutboxDatabase(path: path, access: .repairing)
            #expect(try application.read { try Row.fetchAll($0, sql: Self.objects) } == before)
        }
    }

    @Test("a changed trigger, index or view is named and replaced by a repair")
    func changed() async throws {
        try await withFile(Schema.script) { path, application in
            try await application.write {
                try $0.execute(
                    sql: """
                        DROP VIEW outbox_status; CREATE VIEW outbox_status AS SELECT id FROM outbox;
                        DROP TRIGGER outbox_deleted;
                        CREATE TRIGGER outbox_deleted AFTER DELETE ON outbox BEGIN SELECT 1; END;
                        """
                )
            }
            for error in errors(path) {
                #expect(error.contains("changed: trigger outbox_deleted, view outbox_status"))
            }
            let repaired = try OutboxDatabase(path: path, access: .repairing)
            #expect(Set(repaired.migration.replaced) == ["view outbox_status", "trigger outbox_deleted"])
            #expect(errors(path).isEmpty)
        }
    }

    @Test("an application's own column, index and trigger, and its other tables, are no problem")
    func additions() async throws {
        try await withFile(Schema.script) { path, application in
            try await application.write {
                try $0.execute(
                    sql: """
                        ALTER TABLE outbox ADD COLUMN note TEXT;
                        CREATE INDEX outbox_by_kind ON outbox (kind);
                        CREATE TABLE outbox_subscriber (id INTEGER PRIMARY KEY);
                        CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT);
                        CREATE TRIGGER outbox_counted AFTER INSERT ON outbox BEGIN
                            INSERT INTO person (email) VALUES (NEW.recipient);
                        END;
                        """
                )
            }
            #expect(errors(path).isEmpty)
            #expect(try OutboxDatabase(path: path, access: .repairing).migration == Migration())
        }
    }
}
