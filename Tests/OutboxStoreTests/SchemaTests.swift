// The schema as a contract: its refusals and their names, also through Python's sqlite3.

import Foundation
import GRDB
import OutboxCore
import OutboxStore
import TestSupport
import Testing

@Suite struct SchemaTests {
    private let outbox: TemporaryOutbox

    init() throws { outbox = try TemporaryOutbox() }

    private static let long = String(repeating: "x", count: 300)

    @Test(
        "a bad row is refused at the insert, and the constraint's name says why",
        arguments: [
            ("recipient", "''", "recipient_is_not_empty"),
            ("recipient", "'ann'", "recipient_is_one_bare_address_with_one_at_sign"),
            ("recipient", "'ann@b@c'", "recipient_is_one_bare_address_with_one_at_sign"),
            ("recipient", "'Ann <ann@example.com>'", "recipient_is_one_bare_address_with_one_at_sign"),
            ("recipient", "'a@b.c> NOTIFY=NEVER'", "recipient_is_one_bare_address_with_one_at_sign"),
            ("recipient", "'@example.com'", "recipient_local_part_is_1_to_64_octets"),
            ("recipient", "'\(long.prefix(65))@example.com'", "recipient_local_part_is_1_to_64_octets"),
            (
                "recipient", "'\(String(repeating: "ü", count: 33))@example.com'",
                "recipient_local_part_is_1_to_64_octets"
            ),
            ("recipient", "'ann@'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@-x.example'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@x-.example'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@x..example'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@example.'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@exa_mple.com'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann' || char(8238) || '@example.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann@exam' || char(173) || 'ple.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann@127.0.0.1'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@123'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@example.123'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@\(long.prefix(64)).example'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@mail.\(long.prefix(64))'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann@x.-example'", "recipient_domain_is_a_host_name"),
            ("recipient", "'ann' || char(8203) || '@example.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann@example.com' || char(8203)", "recipient_has_no_invisible_characters"),
            ("recipient", "char(65279) || 'ann@example.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann' || char(160) || '@example.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann@example.com' || char(12288)", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann@exam' || char(8205) || 'ple.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann' || char(65039) || '@example.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'山' || char(8204) || '田@example.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann' || char(10240) || '@example.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann@example.com' || char(65533)", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann' || char(57344) || '@example.com'", "recipient_has_no_invisible_characters"),
            ("recipient", "'ann' || char(917536) || '@example.com'", "recipient_has_no_invisible_characters"),
            ("account", "'17.0'", "account_is_not_a_number_with_point_zero"),
            ("cancelled", "2", "cancelled_is_0_or_1"),
            ("id", "0", "id_is_positive"),
            ("variables", "printf('{\"a\":\"%.*c\"}', 70000, 'x')", "variables_is_at_most_65536_octets"),
            ("recipient", "'\(long.prefix(64))@\(long.prefix(190))'", "recipient_is_at_most_254_octets"),
            ("recipient", "'ann@example.com' || char(13) || char(10)", "recipient_has_no_control_characters"),
            ("recipient", "'ann@example.com' || char(0) || 'x'", "recipient_has_no_control_characters"),
            ("recipient", "'ann@example.com' || char(133)", "recipient_has_no_control_characters"),
            ("token", "'s3' || char(10)", "token_has_no_control_characters"),
            ("token", "'s3' || char(13) || 'x'", "token_has_no_control_characters"),
            ("token", "'s3' || char(0)", "token_has_no_control_characters"),
            ("token", "''", "token_is_not_empty"),
            ("expires_at", "1800000000", "expires_at_is_in_milliseconds_since_1970"),
            ("expires_at", "1800000000000000", "expires_at_is_in_milliseconds_since_1970"),
            ("not_before", "1800000000", "not_before_is_in_milliseconds_since_1970"),
            ("kind", "'../etc'", "kind_is_lower_case_letters_digits_and_hyphens"),
            ("kind", "'Verify'", "kind_is_lower_case_letters_digits_and_hyphens"),
            ("kind", "'verify' || char(0) || '/..'", "kind_is_lower_case_letters_digits_and_hyphens"),
            ("locale", "'../ja'", "locale_is_a_language_tag"),
            ("time_zone", "''", "time_zone_is_a_name_such_as_europe_berlin"),
            ("time_zone", "'../../etc/passwd'", "time_zone_is_a_name_such_as_europe_berlin"),
            ("time_zone", "'/etc/localtime'", "time_zone_is_a_name_such_as_europe_berlin"),
            ("time_zone", "'Asia/Tokyo' || char(0)", "time_zone_is_a_name_such_as_europe_berlin"),
            ("priority", "10", "priority_is_from_minus_9_to_9"),
            ("account", "''", "account_is_1_to_255_octets"),
            ("idempotency_key", "''", "idempotency_key_is_1_to_255_octets"),
        ]
    )
    func refused(column: String, value: String, constraint: String) throws {
        let error = #expect(throws: DatabaseError.self) { try insert([column: value]) }
        #expect(error?.message == "CHECK constraint failed: \(constraint)")
    }

    @Test(
        "the schema takes the addresses that the grammar takes, and those of which SQL can't tell",
        arguments: addressTable
    )
    func addresses(row: AddressCase) throws {
        if row.isRecipient || row.isBeyondSQL {
            #expect(throws: Never.self) { try outbox.insert(recipient: row.address) }
        } else {
            let error = #expect(throws: DatabaseError.self) { try outbox.insert(recipient: row.address) }
            #expect(error?.message?.contains("recipient") == true)
        }
    }

    @Test(
        "what only a trigger can check is refused with the rule's name as well",
        arguments: [
            ("variables", "'[1]'", "variables_is_a_json_object"),
            ("variables", "'1'", "variables_is_a_json_object"), ("variables", "'{'", "malformed JSON"),
            ("id", "4611686018427387905", "id_is_at_most_2_to_the_62"),
            ("id", "9223372036854775807", "id_is_at_most_2_to_the_62"),
            (
                "variables",
                "replace(hex(zeroblob(33)), '00', '{\"a\":') || '1' "
                    + "|| replace(hex(zeroblob(33)), '00', '}')", "variables_is_at_most_32_levels_deep"
            ),
            ("recipient", "CAST(x'6af67267406578616d706c652e636f6d' AS TEXT)", utf8Rule),
            ("account", "CAST(x'ff' AS TEXT)", utf8Rule), ("token", "CAST(x'c328' AS TEXT)", utf8Rule),
            ("idempotency_key", "CAST(x'eda080' AS TEXT)", utf8Rule),
        ]
    )
    func refusedByTrigger(column: String, value: String, message: String) throws {
        let error = #expect(throws: DatabaseError.self) { try insert([column: value]) }
        #expect(error?.message == message)
    }

    private static let utf8Rule = "recipient_account_idempotency_key_and_token_are_utf8"

    /// Inserts a row of valid values and the given ones, as SQL.
    private func insert(_ values: [String: String]) throws {
        let row = ["kind": "'verify-email'", "recipient": "'ann@example.com'", "token": "'s3cret'"]
            .merging(values) { $1 }.sorted { $0.key < $1.key }
        try outbox.execute(
            """
            INSERT INTO outbox (\(row.map(\.key).joined(separator: ", ")))
            VALUES (\(row.map(\.value).joined(separator: ", ")))
            """
        )
    }

    @Test(
        "unusual but good rows are taken",
        arguments: [
            ("recipient", "'ann+tag@sub.example.com'"), ("recipient", "'o''brien@example.com'"),
            ("recipient", "'山田@例え.jp'"), ("recipient", "'用户@例え.jp'"),
            ("recipient", "'\(long.prefix(64))@\(long.prefix(63)).\(long.prefix(63)).\(long.prefix(61))'"),
            ("recipient", "'50%off&more/x=y?z^`{|}~!#$*-_@example.com'"), ("recipient", "'ann@163.com'"),
            ("recipient", "'ann@r3---sn.1and1.de'"), ("recipient", "'ann@i❤️.example'"),
            ("recipient", "'ann@localhost'"),
            ("recipient", "'ann@ශ්' || char(8205) || 'රී.example'"),
            ("recipient", "'ann@نامه' || char(8204) || 'ای.example'"),
            ("recipient", "'ann@\(String(repeating: "x", count: 63)).example'"),
            ("recipient", "'jane..doe.@carrier.example'"),
            ("variables", "'{\"name\": \"Ann\", \"list\": [1, 2]}'"), ("locale", "'ja_JP'"), ("locale", "'zh-Hant-TW'"),
            ("time_zone", "'America/Argentina/Buenos_Aires'"), ("time_zone", "'Etc/GMT+5'"), ("time_zone", "NULL"),
            ("priority", "-9"), ("token", "'ünïcode~ token'"), ("variables", "NULL"), ("variables", "''"),
            ("priority", "NULL"), ("cancelled", "NULL"), ("account", "'17'"), ("account", "'1.0.0'"),
            (
                "variables",
                "replace(hex(zeroblob(32)), '00', '{\"a\":') || '1' || replace(hex(zeroblob(32)), '00', '}')"
            ),
        ]
    )
    func taken(column: String, value: String) throws {
        try insert([column: value])
        #expect(try outbox.state(1) == "queued")
    }

    @Test("no row check makes SQLite build a temporary index for a list")
    func priceOfChecks() throws {
        for statement in [
            "INSERT INTO outbox (kind, recipient, token) VALUES (1, 2, 3)",
            "UPDATE outbox_state SET state = 'accepted', accepted_at = 1, finished_at = 1, secret = NULL WHERE sequence = 1",
            "INSERT INTO outbox_attempt (message_id, attempt, started_at) VALUES (1, 2, 3)",
            "UPDATE outbox_attempt SET outcome = 1, fault = 2, stage = 3 WHERE message_id = 1 AND attempt = 2",
        ] {
            let operations = try DatabaseQueue(path: outbox.path).read { database in
                let program = try Row.fetchAll(database, sql: "EXPLAIN \(statement)")
                // The triggers' programs follow, each from address 0: they may contain one-row tables.
                let own = program.dropFirst().prefix { $0["addr"] as Int > 0 }
                return own.map { $0["opcode"] as String }
            }
            #expect(operations.count > 10 && !operations.contains("OpenEphemeral"), "\(statement)")
        }
    }

    @Test("envelope ids of later messages sort after those of earlier ones, and half of each can't be guessed")
    func envelopeIDs() async throws {
        for _ in 1...3 {
            try outbox.execute(
                "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 's3cret')"
            )
            try await Task.sleep(for: .milliseconds(3))
        }
        let ids = try await DatabaseQueue(path: outbox.path).read {
            try String.fetchAll($0, sql: "SELECT envelope_id FROM outbox_state ORDER BY sequence")
        }
        #expect(ids == ids.sorted() && Set(ids.map { $0.suffix(20) }).count == 3)
    }

    @Test("the minimal insert gets the current time and its own envelope id")
    func defaults() throws {
        let before = Int64(Date.now.timeIntervalSince1970 * 1000) - 1
        for _ in 1...2 {
            try outbox.execute(
                "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 's3cret')"
            )
        }
        let after = Int64(Date.now.timeIntervalSince1970 * 1000) + 1
        let requestedAt = try #require(try outbox.value(Int64.self, "SELECT requested_at FROM outbox_state"))
        #expect((before...after).contains(requestedAt))
        #expect(try outbox.value(Int.self, "SELECT count(DISTINCT envelope_id) FROM outbox_state") == 2)
        #expect(try outbox.value(Int.self, "SELECT length(envelope_id) FROM outbox_state") == 32)
    }

    @Test("a foreign program inserts and reads through Python's sqlite3, and sees a refusal's name")
    func python() async throws {
        let script = """
            import sqlite3, sys
            db = sqlite3.connect(sys.argv[1])
            with db:
                db.execute("INSERT INTO outbox (kind, recipient, token) VALUES (?, ?, ?)",
                           ("verify-email", "ann@example.com", "s3cret"))
            row = db.execute("SELECT * FROM outbox_status")
            print(",".join(column[0] for column in row.description))
            print(row.fetchone()[4])
            try:
                db.execute("INSERT INTO outbox (kind, recipient, token, expires_at) VALUES (?, ?, ?, ?)",
                           ("verify-email", "ann@example.com", "s3cret", 1800000000))
            except sqlite3.IntegrityError as error:
                print(error)
            """
        #expect(
            try await Program.python(script, [outbox.path]).output == """
                id,kind,recipient,account,state,requested_at,accepted_at,delivered_at,delayed_at,finished_at,expires_at,\
                redeemed_at,attempts,next_attempt_at,waiting_for,detail,may_arrive_twice,advice,advice_at
                queued
                CHECK constraint failed: expires_at_is_in_milliseconds_since_1970

                """
        )
    }

    @Test("a final message stays unchanged, except for a bounce after acceptance")
    func finalIsFinal() async throws {
        let id = try outbox.insert()
        let claim = try #require(try await outbox.database.claim().claims.first)
        _ = try await outbox.database.finish([.accepted(claim)], now: noon)
        for state in ["queued", "deferred", "rejected", "expired"] {
            let error = #expect(throws: DatabaseError.self) {
                try outbox.execute("UPDATE outbox_state SET state = '\(state)' WHERE message_id = \(id)")
            }
            #expect(error?.message?.contains("a message in a final state stays in it") == true)
        }
        try outbox.execute("UPDATE outbox_state SET state = 'bounced' WHERE message_id = \(id)")
        #expect(try outbox.state(id) == "bounced")
    }

    @Test("the trigger allows exactly what the state machine allows for final states")
    func triggerAgreesWithStateMachine() {
        let events: [MessageEvent] = [
            .claimed, .accepted, .deferred, .rejected, .expired, .superseded, .suppressed, .cancelled, .bounced,
        ]
        let ways = MessageState.allCases.filter { !$0.isOpen }.flatMap { state in
            events.compactMap { event in state.after(event).map { "\(state)>\($0)" } }
        }
        #expect(ways == ["accepted>bounced"])
    }

    @Test("an application's database keeps its objects, and the names of all our objects begin with outbox")
    func applicationsOwnFile() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "app-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "app.db").path
        let application = try DatabaseQueue(path: path)
        try application.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE person (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES person (id));
                    CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
                    """
            )
        }
        #expect(try OutboxDatabase(path: path, access: .migrating).migration.versions == [1])
        #expect(try OutboxDatabase(path: path, access: .migrating).migration.versions == [])
        let names = try application.read { database in
            try String.fetchAll(database, sql: "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
        }
        #expect(names.filter { !$0.hasPrefix("outbox") }.sorted() == ["grdb_migrations", "person"])
        try application.write { database in
            try database.execute(
                sql: """
                    INSERT INTO person (id) VALUES (1);
                    INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 's3cret');
                    """
            )
        }
        let count = try application.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM grdb_migrations") }
        #expect(count == 0)
    }

    @Test("a schema of a newer program is left alone")
    func newerSchema() throws {
        try outbox.execute("INSERT INTO outbox_schema (version) VALUES (99)")
        for access in [OutboxDatabase.Access.migrating, .writing, .reading] {
            let error = #expect(throws: OutboxDatabaseError.self) {
                try OutboxDatabase(path: outbox.path, access: access)
            }
            #expect(error?.description.contains("newer than this program's") == true)
        }
    }

    @Test("a file without an outbox is told from a missing file, with the remedy")
    func missing() throws {
        let empty = outbox.folder.appending(path: "empty.db").path
        try DatabaseQueue(path: empty).write { try $0.execute(sql: "CREATE TABLE t (x)") }
        let withoutOutbox = #expect(throws: OutboxDatabaseError.self) {
            try OutboxDatabase(path: empty, access: .reading)
        }
        #expect(withoutOutbox?.description.contains("holds no outbox; create it with `outboxctl migrate`") == true)
        let nothing = #expect(throws: OutboxDatabaseError.self) {
            try OutboxDatabase(path: outbox.folder.appending(path: "none.db").path, access: .writing)
        }
        #expect(nothing?.description.hasPrefix("there is no database at") == true)
        let noFolder = #expect(throws: OutboxDatabaseError.self) {
            try OutboxDatabase(path: outbox.folder.appending(path: "no/outbox.db").path, access: .migrating)
        }
        #expect(noFolder?.description.contains("its folder doesn't exist") == true)
        let text = outbox.folder.appending(path: "text.db").path
        try String(repeating: "no database", count: 100).write(toFile: text, atomically: true, encoding: .utf8)
        let damaged = #expect(throws: OutboxDatabaseError.self) { try OutboxDatabase(path: text, access: .reading) }
        #expect(damaged?.description.contains("is not an SQLite database: it is damaged") == true)
    }

    @Test("a new file and its log are closed to other users")
    func permissions() throws {
        try outbox.insert()
        for name in ["outbox.db", "outbox.db-wal"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: outbox.folder.appending(path: name).path)
            let mode = try #require(attributes[.posixPermissions] as? NSNumber)
            #expect(mode.intValue & 0o007 == 0)
        }
        #expect(outbox.database.fileRemarks == [])
        try FileManager.default.setAttributes([.posixPermissions: NSNumber(value: 0o644)], ofItemAtPath: outbox.path)
        #expect(outbox.database.fileRemarks == [.everybodyReads(path: outbox.database.path)])
    }
}
