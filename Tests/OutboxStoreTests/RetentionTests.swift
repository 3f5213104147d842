// Retention removes old rows, a slice at a time, and nothing else.

import Foundation
import GRDB
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct RetentionTests {
    private let outbox: TemporaryOutbox
    private var store: OutboxDatabase { outbox.database }

    init() throws { outbox = try TemporaryOutbox() }

    /// A clock by which no slice takes long, however busy the machine is.
    private var quick: @Sendable () -> ContinuousClock.Instant {
        let clock = Ticking()
        return { clock.tick(.microseconds(1)) }
    }

    /// Adds messages that became final this long before noon, one per second, with an attempt each.
    private func addFinal(_ count: Int, age: Duration, state: String = "accepted", from first: Int = 1) throws {
        let finished = (noon - age).milliseconds
        let range = "\(first) AND \(first + count - 1)"
        try outbox.execute(
            """
            WITH RECURSIVE number (n) AS (
                SELECT \(first) UNION ALL SELECT n + 1 FROM number WHERE n < \(first + count - 1))
            INSERT INTO outbox (id, kind, recipient, token, idempotency_key)
                SELECT n, 'verify-email', 'p' || n || '@example.com', 't', iif(n % 2, 'key-' || n, NULL) FROM number;
            UPDATE outbox_state SET state = '\(state)', due_at = NULL, secret = NULL, last_attempt = 1,
                requested_at = \(finished) - 2000 + message_id * 1000,
                accepted_at = iif('\(state)' = 'accepted', \(finished) + message_id * 1000, NULL),
                finished_at = \(finished) + message_id * 1000 WHERE message_id BETWEEN \(range);
            UPDATE outbox_used_key SET used_at = \(finished) WHERE message_id BETWEEN \(range);
            INSERT INTO outbox_attempt (message_id, attempt, started_at, finished_at, outcome)
                SELECT message_id, 1, requested_at, finished_at, '\(state)' FROM outbox_state
                WHERE message_id BETWEEN \(range) AND state IN ('accepted', 'rejected');
            INSERT INTO outbox_report (message_id, action, received_at)
                SELECT message_id, 'delayed', finished_at FROM outbox_state WHERE message_id = \(first);
            """
        )
    }

    /// Runs slices until nothing is left to remove.
    @discardableResult
    private func retire(
        _ step: RetentionStep,
        before: Timestamp,
        now: Timestamp = noon
    ) async throws -> (removed: Int, slices: Int, refused: [RowRefusal]) {
        var total = (removed: 0, slices: 0, refused: [RowRefusal]())
        var place: RetentionPlace?
        repeat {
            let slice = try await store.retire(
                step,
                before: before,
                from: place,
                pace: SlicePace(),
                now: now,
                uptime: quick
            )
            total.removed += slice.removed
            total.slices += 1
            total.refused += slice.refused
            place = slice.next
        } while place != nil
        return total
    }

    private func count(_ table: String) throws -> Int? { try outbox.value(Int.self, "SELECT count(*) FROM \(table)") }

    @Test("old final messages are removed with attempts and reports, oldest first; younger and open ones stay")
    func oldOnes() async throws {
        try addFinal(120, age: .seconds(40 * 86_400))
        try addFinal(10, age: .seconds(86_400), from: 1000)
        let waiting = try outbox.insert(
            requestedAt: noon - .seconds(400 * 86_400),
            notBefore: noon + .seconds(365 * 86_400)
        )
        let first = try await store.retire(
            .messages,
            before: noon - .seconds(30 * 86_400),
            from: nil,
            pace: SlicePace(),
            now: noon,
            uptime: quick
        )
        #expect(first.removed == 50 && first.lookedAt == 50 && first.next != nil && first.held > .zero)
        #expect(try outbox.value(Int.self, "SELECT min(id) FROM outbox") == 51)
        let rest = try await retire(.messages, before: noon - .seconds(30 * 86_400))
        #expect(rest.removed == 70)
        #expect(try count("outbox") == 11 && count("outbox_state") == 11 && count("outbox_attempt") == 10)
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_report WHERE message_id = 1") == 0)
        #expect(try outbox.state(waiting) == "queued")
        #expect(try await store.claim(now: noon + .seconds(365 * 86_400 + 1)).claims.count == 1)
    }

    @Test("a removed id is refused for one more retention, and then forgotten")
    func ids() async throws {
        try addFinal(3, age: .seconds(40 * 86_400))
        try await retire(.messages, before: noon - .seconds(30 * 86_400))
        let again = "INSERT INTO outbox (id, kind, recipient, token) VALUES (2, 'verify-email', 'p2@example.com', 't')"
        let error = #expect(throws: DatabaseError.self) { try outbox.execute(again) }
        #expect(error?.message == "id_was_used_before")
        #expect(try await retire(.ids, before: noon - .milliseconds(1)).removed == 0)
        #expect(throws: DatabaseError.self) { try outbox.execute(again) }
        let later = noon + .seconds(30 * 86_400)
        #expect(try await retire(.ids, before: later - .seconds(30 * 86_400), now: later).removed == 3)
        try outbox.execute(again)
    }

    @Test("an idempotency key is refused for one more retention after its row; a key with a row stays")
    func keys() async throws {
        try addFinal(2, age: .seconds(40 * 86_400))
        try outbox.execute(
            """
            INSERT INTO outbox (kind, recipient, token, idempotency_key)
            VALUES ('verify-email', 'a@b.c', 't', 'waits')
            """
        )
        try outbox.execute("UPDATE outbox_used_key SET used_at = \(noon.milliseconds) - 40 * 86400000")
        try await retire(.messages, before: noon - .seconds(30 * 86_400))
        #expect(try await retire(.keys, before: noon - .seconds(30 * 86_400)).removed == 0)
        func again(_ key: String) -> String {
            """
            INSERT INTO outbox (kind, recipient, token, idempotency_key)
            VALUES ('verify-email', 'a@b.c', 't', '\(key)')
            """
        }
        #expect(throws: DatabaseError.self) { try outbox.execute(again("key-1")) }
        // The waiting message's key was examined, and its time is renewed.
        let older = "SELECT count(*) FROM outbox_used_key WHERE used_at < \(noon.milliseconds)"
        #expect(try outbox.value(Int.self, older) == 0)
        let later = noon + .seconds(31 * 86_400)
        #expect(try await retire(.keys, before: later - .seconds(30 * 86_400), now: later).removed == 1)
        try outbox.execute(again("key-1"))
        #expect(throws: DatabaseError.self) { try outbox.execute(again("waits")) }
        try outbox.execute("DELETE FROM outbox WHERE idempotency_key = 'waits'")
        #expect(throws: DatabaseError.self) { try outbox.execute(again("waits")) }
    }

    @Test("a row kept by a trigger, or by another table's deferred foreign key, stops no other row")
    func refused() async throws {
        try addFinal(130, age: .seconds(40 * 86_400))
        try outbox.execute(
            """
            CREATE TRIGGER mine BEFORE DELETE ON outbox WHEN OLD.id = 3
            BEGIN SELECT RAISE(ABORT, 'this mail is evidence'); END;
            CREATE TABLE mail (id INTEGER REFERENCES outbox (id) DEFERRABLE INITIALLY DEFERRED);
            INSERT INTO mail VALUES (70);
            """
        )
        let done = try await retire(.messages, before: noon - .seconds(30 * 86_400))
        #expect(done.removed == 128)
        #expect(done.refused.map(\.messageID) == [3, 70])
        #expect(done.refused.first?.rule == "this mail is evidence")
        #expect(try count("outbox") == 2)
        #expect(try count("outbox_retired_id") == 128)
        #expect(try outbox.value(Int.self, "SELECT sum(requested) FROM outbox_day") == 128)
    }

    @Test("the cost of a slice doesn't grow with the file")
    func steps() async throws {
        func steps(beside count: Int) async throws -> Int {
            let outbox = try TemporaryOutbox()
            let test = RetentionTests(outbox)
            try test.addFinal(200, age: .seconds(40 * 86_400))
            try test.addFinal(count, age: .seconds(20 * 86_400), state: "rejected", from: 1000)
            let counter = StepCounter()
            let instant = ContinuousClock.now
            try await outbox.database.queue.writeWithoutTransaction { counter.attach(to: $0) }
            for step in RetentionStep.allCases {
                let slice = try await outbox.database.retire(
                    step,
                    before: noon - .seconds(step == .messages ? 30 * 86_400 : 0),
                    from: nil,
                    pace: SlicePace(),
                    now: noon,
                    uptime: { instant }
                )
                #expect(slice.lookedAt == 50, "\(step)")
            }
            try await outbox.database.queue.writeWithoutTransaction { counter.detach(from: $0) }
            return counter.steps
        }
        let few = try await steps(beside: 100)
        let many = try await steps(beside: 20_000)
        #expect(Double(many) < Double(few) * 1.02, "\(few) VM steps, then \(many)")
    }

    @Test("a slice ends when its time is over, and the next one continues there")
    func budget() async throws {
        try addFinal(200, age: .seconds(40 * 86_400))
        let clock = Ticking()
        var pace = SlicePace()
        for _ in 0..<10 { pace.note(rows: pace.rows, held: .zero) }
        let slice = try await store.retire(
            .messages,
            before: noon,
            from: nil,
            pace: pace,
            now: noon,
            uptime: { clock.tick(.milliseconds(3)) }
        )
        // Two checks at 3 ms each exceed 4 ms.
        #expect(slice.removed == 10 && slice.next != nil)
        #expect(try count("outbox") == 190)
    }

    /// A clock that advances by this much at each reading.
    private final class Ticking: @unchecked Sendable {
        private var now = ContinuousClock.now
        func tick(_ step: Duration) -> ContinuousClock.Instant {
            now += step
            return now
        }
    }

    @Test("a slice's commit waits for no disk sync; every other commit does, even after a failure")
    func commitWithoutSync() async throws {
        try addFinal(3, age: .seconds(40 * 86_400))
        func synchronous() async throws -> Int? {
            try await store.queue.read { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        }
        let (normal, full) = (1, 2)
        try await store.queue.write { database in
            try database.execute(
                sql: """
                    CREATE TEMP TABLE seen (synchronous);
                    CREATE TEMP TRIGGER look AFTER DELETE ON main.outbox BEGIN
                        INSERT INTO seen SELECT synchronous FROM pragma_synchronous;
                    END;
                    """
            )
        }
        try await retire(.messages, before: noon - .seconds(30 * 86_400))
        let seen = try await store.queue.read { try Int.fetchAll($0, sql: "SELECT synchronous FROM seen") }
        #expect(seen == [normal, normal, normal])
        #expect(try await synchronous() == full)
        // A checkpoint has synced the log: the file without its log says the same.
        let copy = outbox.path + "-without-log"
        try FileManager.default.copyItem(atPath: outbox.path, toPath: copy)
        let left = try await DatabaseQueue(path: copy).read { try Int.fetchOne($0, sql: "SELECT count(*) FROM outbox") }
        #expect(left == 0)

        try addFinal(3, age: .seconds(40 * 86_400), from: 10)
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let writer = try DatabaseQueue(path: outbox.path, configuration: configuration)
        try await store.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA busy_timeout = 0") }
        try await writer.writeWithoutTransaction { database in
            try database.execute(sql: "BEGIN IMMEDIATE")
        }
        await #expect(throws: OutboxDatabaseError.self) {
            try await retire(.messages, before: noon - .seconds(30 * 86_400))
        }
        #expect(try await synchronous() == full)
    }

    @Test("with nothing to remove, retention takes no write lock, even while another connection holds it")
    func idle() async throws {
        try addFinal(3, age: .seconds(86_400))
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let writer = try DatabaseQueue(path: outbox.path, configuration: configuration)
        try await writer.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        for step in RetentionStep.allCases {
            let slice = try await store.retire(
                step,
                before: noon - .seconds(300 * 86_400),
                from: nil,
                pace: SlicePace(),
                now: noon,
                uptime: quick
            )
            #expect(slice.held == .zero && slice.next == nil)
        }
        try await writer.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    }

    @Test("the promise's statistics stay: counts by day and kind exactly, times to a sixteenth")
    func days() async throws {
        try addFinal(100, age: .seconds(40 * 86_400))
        try addFinal(20, age: .seconds(40 * 86_400), state: "expired", from: 200)
        try addFinal(30, age: .seconds(35 * 86_400), state: "superseded", from: 300)
        try outbox.execute(
            "UPDATE outbox_state SET requested_at = accepted_at - 400000 WHERE message_id <= 10",
        )
        struct Seen: Sendable, Equatable {
            var rows: [PromiseTally] = []
            var days: [PromiseTally] = []
        }
        func measure() async throws -> Seen {
            var seen = try await store.forEachRequested(
                since: noon - .seconds(90 * 86_400),
                into: Seen(rows: [PromiseTally()]),
                summary: { $0.days.append($1.tally) },
                { seen, record in
                    seen.rows[0].add(
                        PromiseOutcome(
                            state: record.state,
                            requestedAt: record.requestedAt,
                            notBefore: record.notBefore,
                            acceptedAt: record.acceptedAt,
                            finishedAt: record.finishedAt,
                            patience: .seconds(300),
                            now: noon
                        )
                    )
                }
            )
            seen.days.sort { $0.requested > $1.requested }
            return seen
        }
        let before = try await measure()
        #expect(before.days == [] && before.rows[0].requested == 150)
        try await retire(.messages, before: noon)
        let after = try await measure()
        #expect(after.rows[0].requested == 0)
        #expect(after.days.map(\.requested) == [120, 30])
        let first = try #require(after.days.first)
        #expect(first.acceptedInTime == 90 && first.acceptedLate == 10 && first.expired == 20)
        #expect(after.days[1].notMailed == [.superseded: 30])
        #expect(first.longest == .seconds(400))
        #expect(first.delays == before.rows[0].delays)
        #expect(first.delays.counts.values.reduce(0, +) == 100)
    }

    @Test("each step finds the oldest rows by an index")
    func plans() async throws {
        let wanted: [(RetentionStep, String)] = [
            (.messages, "outbox_finished"), (.ids, "outbox_retired_id_age"), (.keys, "outbox_used_key_age"),
        ]
        for (step, index) in wanted {
            let plan = try await store.queue.writeWithoutTransaction { database in
                let explain = try database.makeStatement(sql: "EXPLAIN QUERY PLAN SELECT * FROM \(step.oldest)")
                explain.setUncheckedArguments([])
                return try Row.fetchAll(explain).map { $0[3] as String }
            }
            #expect(plan.contains { $0.hasPrefix("SEARCH") && $0.contains(index) }, "\(plan)")
            #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
        }
    }
}

extension RetentionTests {
    fileprivate init(_ outbox: TemporaryOutbox) { self.outbox = outbox }
}
