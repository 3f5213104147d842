// What outboxd's connection to the file leaves behind: no temporary file, no growing set of statements.

import GRDB
import GRDBSQLite
import OutboxCore
import Testing

@testable import OutboxStore

@Suite struct ConnectionTests {
    /// SQLite spills the previous content of changed pages to a temporary file, 64 KB of them per statement suffice, and
    /// these pages hold tokens (https://sqlite.org/tempfiles.html, "Statement Journal Files").
    @Test("pages with tokens never go to a temporary file")
    func temporaryFiles() async throws {
        let outbox = try TemporaryOutbox()
        let memory = 2
        #expect(try await outbox.database.queue.read { try Int.fetchOne($0, sql: "PRAGMA temp_store") } == memory)
    }

    @Test("the prepared statements don't grow with the messages")
    func statements() async throws {
        let outbox = try TemporaryOutbox()
        let store = outbox.database
        func statements() async throws -> Int {
            try await store.queue.writeWithoutTransaction { database in
                let first = sqlite3_next_stmt(database.sqliteConnection, nil)
                return sequence(state: first) { statement in
                    defer { statement = statement.flatMap { sqlite3_next_stmt(database.sqliteConnection, $0) } }
                    return statement
                }.reduce(0) { count, _ in count + 1 }
            }
        }
        func deliver(at now: Timestamp) async throws {
            try outbox.insert(recipient: "ann\(now.milliseconds)@example.com", requestedAt: now)
            try outbox.execute("UPDATE outbox_state SET expires_at = NULL, valid_for = 600000 WHERE state = 'queued'")
            let claims = try await store.claim(now: now).claims
            #expect(claims.count == 1)
            let deferred = claims.map { Completion.deferred($0, until: now + .seconds(5), at: now) }
            #expect(try await store.finish(deferred, now: now).isEmpty)
            let again = try await store.claim(now: now + .seconds(5)).claims
            #expect(again.count == 1)
            let accepted = again.map { Completion.accepted($0, at: now + .seconds(6)) }
            #expect(try await store.finish(accepted, now: now + .seconds(6)).isEmpty)
        }
        try await deliver(at: noon + .seconds(1000))
        let before = try await statements()
        for number in 2...20 { try await deliver(at: noon + .seconds(1000 * number)) }
        #expect(try await statements() == before)
    }
}
