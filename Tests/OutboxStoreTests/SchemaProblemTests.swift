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
        try await withFile(statements) { path, application in
            let errors = errors(path)
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

    /// A migrated file with one message, changed in a way, and repaired.
    private func repaired(
        _ message: String,
        after change: String,
        _ body: (_ migration: Migration, _ path: String, _ application: DatabaseQueue) async throws -> Void
    ) async throws {
        try await withFile(Schema.script) { path, application in
            try await application.write { try $0.execute(sql: message + change) }
            try await body(OutboxDatabase(path: path, access: .repairing).migration, path, application)
        }
    }

    private static let insert = """
        INSERT INTO outbox (kind, recipient, token, idempotency_key)
            VALUES ('verify-email', 'ann@example.com', 's3cret-of-ann', 'once');
        """

    @Test("a repair wipes the tokens that inserts left in the table, and names the messages, also the second time")
    func tokens() async throws {
        try await repaired("DROP TRIGGER outbox_inserted;", after: Self.insert) { migration, path, application in
            #expect(migration.withoutState.first == [1])
            let token = try await application.read { try String.fetchOne($0, sql: "SELECT token FROM outbox") }
            #expect(token == nil)
            let again = try OutboxDatabase(path: path, access: .repairing).migration
            #expect(again.withoutState.first == [1] && again.added.isEmpty)
        }
    }

    @Test("a repair cancels what was cancelled meanwhile, and knows the used keys again")
    func reconciles() async throws {
        try await repaired(Self.insert, after: "DROP TRIGGER outbox_cancelled; UPDATE outbox SET cancelled = 1;") {
            migration,
            _,
            application in
            #expect(migration.cancelled.first == [1])
            let state = "SELECT state FROM outbox_status"
            let found = try await application.read { try String.fetchOne($0, sql: state) }
            #expect(found == "cancelled")
        }
        try await repaired(Self.insert, after: "DROP TABLE outbox_used_key;") { _, _, application in
            await #expect(throws: DatabaseError.self) {
                try await application.write {
                    try $0.execute(sql: Self.insert.replacing("INSERT", with: "INSERT OR REPLACE", maxReplacements: 1))
                }
            }
            let states = try await application.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM outbox_state") }
            #expect(states == 1)
        }
    }

    @Test("open messages whose row is lost are named")
    func lostRows() async throws {
        try await repaired(Self.insert, after: "DROP TABLE outbox;") { migration, _, _ in
            #expect(migration.withoutRow.first == [1])
        }
    }

    @Test("an application's trigger on a view stays when the view is replaced")
    func triggersOnViews() async throws {
        let change = """
            DROP VIEW outbox_status; CREATE VIEW outbox_status AS SELECT id FROM outbox;
            CREATE TRIGGER mine INSTEAD OF DELETE ON outbox_status BEGIN SELECT 1; END;
            """
        try await repaired(Self.insert, after: change) { migration, _, application in
            #expect(migration.replaced == ["view outbox_status"])
            let count = "SELECT count(*) FROM sqlite_schema WHERE name = 'mine'"
            let kept = try await application.read { try Int.fetchOne($0, sql: count) }
            #expect(kept == 1)
        }
    }

    @Test(
        "a renamed table is recognised, and renaming it back keeps everything",
        arguments: [
            "outbox", "outbox_state", "outbox_attempt", "outbox_token",
        ]
    )
    func renamed(table: String) async throws {
        try await withFile(Schema.script + Self.insert) { path, application in
            try await application.write { try $0.execute(sql: "ALTER TABLE \(table) RENAME TO elsewhere") }
            for error in errors(path) {
                #expect(error.contains(#"ALTER TABLE "elsewhere" RENAME TO \#(table), and"#), "\(error)")
                #expect(!error.contains("PRAGMA"), "\(error)")
            }
            #expect(throws: OutboxDatabaseError.self) { try OutboxDatabase(path: path, access: .repairing) }
            try await application.write { try $0.execute(sql: "ALTER TABLE elsewhere RENAME TO \(table)") }
            let migration = try OutboxDatabase(path: path, access: .repairing).migration
            #expect(migration.added.isEmpty && migration.withoutState.count == 0 && migration.withoutRow.count == 0)
            #expect(errors(path).isEmpty)
            let count = "SELECT count(*) FROM outbox_status WHERE state = 'queued'"
            let waiting = try await application.read { try Int.fetchOne($0, sql: count) }
            #expect(waiting == 1)
        }
    }

    @Test("a table renamed in the mode that leaves views and triggers as they are is renamed back in the same mode")
    func renamedInLegacyMode() async throws {
        try await withFile(Schema.script + Self.insert) { path, application in
            func rename(_ sql: String) async throws {
                try await application.writeWithoutTransaction { try $0.execute(sql: sql) }
            }
            try await rename("PRAGMA legacy_alter_table = ON; ALTER TABLE outbox RENAME TO elsewhere")
            try await rename("PRAGMA legacy_alter_table = OFF")
            let remedy = #"PRAGMA legacy_alter_table = ON; ALTER TABLE "elsewhere" RENAME TO outbox"#
            #expect(errors(path).allSatisfy { $0.contains(remedy) } && errors(path).count == 4, "\(errors(path))")
            try await rename(remedy)
            #expect(errors(path).isEmpty)
        }
    }

    @Test("an application's archive is not taken for a renamed table")
    func archive() async throws {
        let change = "CREATE TABLE mail_archive AS SELECT * FROM outbox; DROP TABLE outbox;"
        try await withFile(Schema.script + Self.insert + change) { path, _ in
            #expect(errors(path).allSatisfy { $0.contains("missing: table outbox") }, "\(errors(path))")
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
        try await withFile(Schema.script) { path, application in
            try await application.writeWithoutTransaction {
                try $0.execute(sql: "ALTER TABLE outbox ADD COLUMN note TEXT;" + virtual)
            }
            #expect(errors(path) == [])
            try await application.write { try $0.execute(sql: "DROP TABLE outbox_guidance") }
            #expect(errors(path).allSatisfy { $0.contains("missing: table outbox_guidance") }, "\(errors(path))")
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
        try await withFile(statements.joined(separator: ";\n")) { path, _ in
            let migration = try OutboxDatabase(path: path, access: .migrating).migration
            #expect(migration.versions == [1])
            #expect(errors(path).isEmpty)
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
        try await withFile(script) { path, _ in
            #expect(errors(path).allSatisfy { $0.contains(expected) } && errors(path).count == 4, "\(errors(path))")
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
