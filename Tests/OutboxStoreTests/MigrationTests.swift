// An outbox of an earlier version, with mails under way, is upgraded in place.

import Foundation
import GRDB
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct MigrationTests {
    /// An outbox as an earlier program made it.
    private func outbox(ofVersion version: Int, at path: String) throws -> DatabaseQueue {
        let queue = try DatabaseQueue(path: path)
        try queue.write { database in
            try database.execute(sql: "CREATE TABLE outbox_migration (version INTEGER PRIMARY KEY, applied_at TEXT)")
            for number in 1...version {
                try database.execute(sql: Schema.versions[number - 1])
                try database.execute(sql: "INSERT INTO outbox_migration VALUES (?, '')", arguments: [number])
            }
        }
        return queue
    }

    @Test("version 1 is upgraded: attempts are carried over, and what was open goes on")
    func fromVersion1() async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "outbox.db").path
            let old = try outbox(ofVersion: 1, at: path)
            try await old.write { database in
                for (recipient, account) in [("ann@example.com", "a1"), ("ben@example.com", "a2")] {
                    try database.execute(
                        sql: """
                            INSERT INTO outbox (kind, recipient, account, token, requested_at, state, attempts, next_attempt_at)
                            VALUES ('verify-email', ?, ?, 's3cret', ?, 'deferred', 2, ?)
                            """,
                        arguments: [recipient, account, noon.milliseconds, noon.milliseconds]
                    )
                }
                for attempt in 1...2 {
                    try database.execute(
                        sql: """
                            INSERT INTO outbox_attempt (message_id, attempt, started_at, finished_at, outcome)
                            SELECT id, ?, ?, ?, 'deferred' FROM outbox
                            """,
                        arguments: [attempt, noon.milliseconds, noon.milliseconds]
                    )
                }
            }
            try old.close()

            let error = #expect(throws: OutboxDatabaseError.self) { try OutboxDatabase(path: path, access: .writing) }
            #expect(error?.description.contains("has schema version 1, this program needs 3") == true)
            let database = try OutboxDatabase(path: path, access: .migrating)
            #expect(database.appliedVersions == [2, 3])
            #expect(try await database.guidance() == Guidance())
            let claims = try await database.claim().claims
            #expect(claims.map(\.attempt) == [3, 3] && claims.map(\.usedUp) == [3, 3])
            #expect(try await database.finish([.accepted(claims[0])], now: noon).isEmpty)
            #expect(try await database.attempts(of: claims[0].message.id).map(\.attempt) == [1, 2, 3])
            #expect(try await database.status(id: claims[0].message.id)?.attempts == 3)
        }
    }

    @Test("an upgraded file has the same schema as a new one, is sound, and an open connection sees the new rules")
    func editedInPlace() async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "outbox.db").path
            let application = try outbox(ofVersion: 2, at: path)
            let insert = """
                INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 's3cret')
                """
            try await application.write { try $0.execute(sql: insert) }

            #expect(try OutboxDatabase(path: path, access: .migrating).appliedVersions == [3])
            let fresh = try TemporaryOutbox()
            let schema = "SELECT sql FROM sqlite_schema WHERE name <> 'outbox_migration' ORDER BY name"
            let upgraded = try await application.read { try String?.fetchAll($0, sql: schema) }
            let expected = try await DatabaseQueue(path: fresh.path).read { try String?.fetchAll($0, sql: schema) }
            #expect(upgraded == expected && upgraded.count > 10)
            #expect(try await application.read { try String.fetchOne($0, sql: "PRAGMA integrity_check") } == "ok")
            try await application.write { try $0.execute(sql: insert) }
            let newest = "SELECT envelope_id FROM outbox ORDER BY id DESC LIMIT 1"
            #expect(try await application.read { try String.fetchOne($0, sql: newest) }?.hasPrefix("01") == true)
            await #expect(throws: DatabaseError.self) {
                try await application.write { try $0.execute(sql: "UPDATE outbox SET state = 'lost'") }
            }
        }
    }
}
