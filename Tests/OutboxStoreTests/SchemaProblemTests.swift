// Files whose outbox was made or damaged by other tools: each is recognised, and what can be mended is mended.

import Foundation
import GRDB
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct SchemaProblemTests {
    @Test("the printed schema makes what a migration makes, and a migration of such a file changes nothing")
    func script() async throws {
        try await ForeignFile.with(Schema.script) { path, application in
            let printed = try application.read { try Row.fetchAll($0, sql: ForeignFile.objects) }
            #expect(try OutboxDatabase(path: path, access: .migrating).migration == Migration())
            let migrated = try DatabaseQueue()
            try await migrated.write { _ = try SchemaMigrator.current.migrate($0) }
            #expect(try migrated.read { try Row.fetchAll($0, sql: ForeignFile.objects) } == printed)
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
        #expect(statements.count == kept.count + 4, "the rows: guidance, ballast, identity, version")
        #expect(
            SQLScript.statements("-- a; b\n SELECT ';' ; ;CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END; x")
                == ["SELECT ';' ", "", "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END"]
        )
    }

    @Test(
        "somebody else's objects with our names are left alone, and the error names them",
        arguments: [
            (
                "CREATE TABLE outbox (id INTEGER PRIMARY KEY, topic TEXT, payload TEXT)",
                "table outbox (its columns: id, topic, payload)"
            ),
            ("CREATE TABLE Outbox (id INTEGER PRIMARY KEY, topic TEXT)", "table Outbox (its columns: id, topic)"),
            ("CREATE TABLE e (id INTEGER); CREATE VIEW outbox AS SELECT id FROM e", "view outbox"),
            ("CREATE TABLE outbox_report (id INTEGER, t TEXT)", "table outbox_report (its columns: id, t)"),
            ("CREATE TABLE outbox_schema (version INTEGER); INSERT INTO outbox_schema VALUES (7)", "outbox_schema"),
            ("CREATE TABLE t (a); CREATE INDEX outbox_due ON t (a)", "index outbox_due on t"),
            (
                "CREATE TABLE t (a); CREATE TRIGGER outbox_inserted AFTER INSERT ON t BEGIN SELECT 1; END",
                "trigger outbox_inserted on t"
            ),
        ]
    )
    func foreign(statements: String, expected: String) async throws {
        try await ForeignFile.with(statements) { path, application in
            let errors = ForeignFile.errors(path)
            #expect(errors.count == 4)
            #expect(errors.allSatisfy { $0.contains("of another program") && $0.contains("`database`") }, "\(errors)")
            #expect(errors[0].contains(expected), "\(errors)")
            #expect(throws: OutboxDatabaseError.self) { try OutboxDatabase(path: path, access: .repairing) }
            let names = try await application.read {
                try String.fetchAll($0, sql: "SELECT name FROM sqlite_schema WHERE lower(name) GLOB 'outbox*'")
            }
            #expect(names.count == 1)
        }
    }

    @Test("a model's own table of the outbox is recognised: it has no rules")
    func model() async throws {
        let statements = """
            CREATE TABLE outbox (id INTEGER NOT NULL, kind TEXT NOT NULL, recipient TEXT NOT NULL, token TEXT,
                PRIMARY KEY (id));
            """
        try await ForeignFile.with(statements) { path, _ in
            for error in ForeignFile.errors(path) {
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
        try await ForeignFile.with(bare.joined(separator: ";\n")) { path, _ in
            for error in ForeignFile.errors(path) {
                #expect(error.contains("is not STRICT") && error.contains("and \(bare.count - 5) more"))
            }
            #expect(ForeignFile.errors(path).count == 4)
        }
        let outbox = try #require(bare.first { $0.hasPrefix("CREATE TABLE outbox (") })
        let lax = outbox.replacing(/CONSTRAINT recipient_is_not_empty CHECK \(recipient <> ''\)/, with: "") + " STRICT"
        try await ForeignFile.with(lax) { path, _ in
            #expect(ForeignFile.errors(path).allSatisfy { $0.contains("outbox has no rule recipient_is_not_empty") })
        }
        try await ForeignFile.with(Schema.script) { path, application in
            try await application.write {
                try $0.execute(sql: "DROP VIEW outbox_status; CREATE TABLE outbox_status (id INTEGER, state TEXT)")
            }
            #expect(
                ForeignFile.errors(path).allSatisfy { $0.contains("outbox_status is a table and should be a view") }
            )
        }
    }

    @Test(
        "a renamed table is recognised, and renaming it back keeps everything",
        arguments: [
            "outbox", "outbox_state", "outbox_attempt", "outbox_token",
        ]
    )
    func renamed(table: String) async throws {
        try await ForeignFile.with(Schema.script + ForeignFile.insert) { path, application in
            try await application.write { try $0.execute(sql: "ALTER TABLE \(table) RENAME TO elsewhere") }
            for error in ForeignFile.errors(path) {
                #expect(error.contains(#"ALTER TABLE "elsewhere" RENAME TO \#(table), and"#), "\(error)")
                #expect(!error.contains("PRAGMA"), "\(error)")
            }
            #expect(throws: OutboxDatabaseError.self) { try OutboxDatabase(path: path, access: .repairing) }
            try await application.write { try $0.execute(sql: "ALTER TABLE elsewhere RENAME TO \(table)") }
            let migration = try OutboxDatabase(path: path, access: .repairing).migration
            #expect(migration.added.isEmpty && migration.withoutState.count == 0 && migration.withoutRow.count == 0)
            #expect(ForeignFile.errors(path).isEmpty)
            let count = "SELECT count(*) FROM outbox_status WHERE state = 'queued'"
            let waiting = try await application.read { try Int.fetchOne($0, sql: count) }
            #expect(waiting == 1)
        }
    }

    @Test("a table renamed in the mode that leaves views and triggers as they are is renamed back in the same mode")
    func renamedInLegacyMode() async throws {
        try await ForeignFile.with(Schema.script + ForeignFile.insert) { path, application in
            func rename(_ sql: String) async throws {
                try await application.writeWithoutTransaction { try $0.execute(sql: sql) }
            }
            try await rename("PRAGMA legacy_alter_table = ON; ALTER TABLE outbox RENAME TO elsewhere")
            try await rename("PRAGMA legacy_alter_table = OFF")
            let remedy = #"PRAGMA legacy_alter_table = ON; ALTER TABLE "elsewhere" RENAME TO outbox"#
            #expect(
                ForeignFile.errors(path).allSatisfy { $0.contains(remedy) } && ForeignFile.errors(path).count == 4,
                "\(ForeignFile.errors(path))"
            )
            try await rename(remedy)
            #expect(ForeignFile.errors(path).isEmpty)
        }
    }

    @Test("an application's archive is not taken for a renamed table")
    func archive() async throws {
        let change = "CREATE TABLE mail_archive AS SELECT * FROM outbox; DROP TABLE outbox;"
        try await ForeignFile.with(Schema.script + ForeignFile.insert + change) { path, _ in
            #expect(
                ForeignFile.errors(path).allSatisfy { $0.contains("missing: table outbox") },
                "\(ForeignFile.errors(path))"
            )
            let migration = try OutboxDatabase(path: path, access: .repairing).migration
            #expect(migration.added.contains("table outbox"))
        }
    }

    @Test("an application's virtual table, whose module outboxd does not have, is never read")
    func virtualTables() async throws {
        let virtual = """
            PRAGMA writable_schema = ON;
            INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
                VALUES ('table', 'outbox_vec', 'outbox_vec', 0, 'CREATE VIRTUAL TABLE outbox_vec USING vec0(a)');
            PRAGMA writable_schema = OFF;
            """
        try await ForeignFile.with(Schema.script) { path, application in
            try await application.writeWithoutTransaction {
                try $0.execute(sql: "ALTER TABLE outbox ADD COLUMN note TEXT;" + virtual)
            }
            #expect(ForeignFile.errors(path) == [])
            try await application.write { try $0.execute(sql: "DROP TABLE outbox_guidance") }
            #expect(
                ForeignFile.errors(path).allSatisfy { $0.contains("missing: table outbox_guidance") },
                "\(ForeignFile.errors(path))"
            )
            let migration = try OutboxDatabase(path: path, access: .repairing).migration
            #expect(migration.added == ["table outbox_guidance"])
        }
    }

    @Test("a copy by sqlite3's .schema and one with quoted names are whole")
    func copies() async throws {
        let statements = try SchemaInventory(madeBy: Schema.script).objects.map { object in
            let text = object.text.replacing(
                "CREATE INDEX \(object.name) ON",
                with: "CREATE INDEX \"\(object.name)\" ON"
            )
            return object.type == "view" ? "\(text)\n/* \(object.name)(id,kind) */" : text
        }
        try await ForeignFile.with(statements.joined(separator: ";\n")) { path, _ in
            let migration = try OutboxDatabase(path: path, access: .migrating).migration
            #expect(migration.versions == [1])
            #expect(ForeignFile.errors(path).isEmpty)
        }
    }

    @Test(
        "a table without its UNIQUE, AUTOINCREMENT or default is not taken for ours",
        arguments: [
            (" UNIQUE", "", "UNIQUE (idempotency_key)"),
            (" PRIMARY KEY AUTOINCREMENT", " PRIMARY KEY", "AUTOINCREMENT"),
            (" DEFAULT '{}'", "", "definition of the column variables"),
        ]
    )
    func weakened(part: String, replacement: String, expected: String) async throws {
        let script = Schema.script.replacing(part, with: replacement, maxReplacements: 1)
        try await ForeignFile.with(script) { path, _ in
            #expect(
                ForeignFile.errors(path).allSatisfy { $0.contains(expected) } && ForeignFile.errors(path).count == 4,
                "\(ForeignFile.errors(path))"
            )
        }
    }

    @Test("an application's own column, index and trigger, and its other tables, are no problem")
    func additions() async throws {
        try await ForeignFile.with(Schema.script) { path, application in
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
            #expect(ForeignFile.errors(path).isEmpty)
            #expect(try OutboxDatabase(path: path, access: .repairing).migration == Migration())
        }
    }
}
