// The count of a run's commits, in the file and in the mark outside of it.

import Foundation
import GRDB
import Glibc
import OutboxCore
import Synchronization
import Testing

@testable import OutboxStore

@Suite("The mark of a run") struct DaemonRunTests {
    private let world: RestoringWorld

    init() throws { world = try RestoringWorld() }

    private func mark() throws -> CommitMark? { CommitMark(record: [UInt8](try world.mark())) }

    @Test("a mark is read as it was written, and no mark with one other octet is read")
    func record() {
        let mark = CommitMark(run: .max - 5, commits: 1 << 40, committedAt: noon, sequence: 7, inode: -8)
        let record = mark.record
        #expect(record.count == CommitMark.octets && CommitMark(record: record) == mark)
        #expect(CommitMark(record: []) == nil && CommitMark(record: record + [0]) == nil)
        for index in record.indices {
            var other = record
            other[index] ^= 1
            #expect(CommitMark(record: other) == nil, "octet \(index)")
        }
    }

    @Test("the file of the mark has the identity as its name, and only its owner can read it")
    func file() async throws {
        _ = try await world.start()
        let names = try FileManager.default.contentsOfDirectory(atPath: world.file("A"))
        #expect(names.count == 1 && names.first?.wholeMatch(of: /[0-9a-f]{32}/) != nil)
        #expect(try world.value(String.self, "SELECT identity FROM outbox_file") == names.first)
        #expect(FileStatus(world.file("A/\(names[0])"))?.mode == 0o600)
    }

    @Test("each transaction of the daemon that changes something counts, and the mark follows; others don't count")
    func counting() async throws {
        let daemon = try await world.start()
        let run = try #require(try mark()).run
        func count() throws -> Int64? {
            let stored = try world.value(Int64.self, "SELECT commits FROM outbox_run WHERE run = \(run)")
            let mark = try mark()
            #expect(mark?.commits == stored && mark?.run == run)
            return stored
        }
        // The run before is forgotten in a transaction of its own, which changes nothing here.
        #expect(try count() == 0)
        #expect(try await daemon.store.claim(now: world.now).isEmpty)
        _ = try await daemon.store.expiredClaims(now: world.now, lease: .seconds(60))
        try await daemon.store.renewLeases(until: world.now)
        #expect(try await daemon.store.expire(now: world.now) == [])
        #expect(try count() == 0)
        world.pass(.seconds(1))
        try world.insert()
        let claim = try #require(try await daemon.store.claim(now: world.now).claims.first)
        #expect(try count() == 1)
        #expect(try mark()?.committedAt == world.now)
        _ = try await daemon.store.finish([.accepted(claim, at: world.now)], now: world.now)
        #expect(try count() == 2)
        // What outboxctl does is not the daemon's.
        let outboxctl = try OutboxDatabase(path: world.database, access: .writing)
        let id = try await outboxctl.enqueue(NewMessage(kind: "verify-email", recipient: "bob@example.com"))
        #expect(try await outboxctl.cancel(id: id))
        #expect(try count() == 2)
        // A power failure may undo what retention removes, so the mark must not know of it.
        world.pass(.seconds(100 * 86_400))
        let slice = try await daemon.store.retire(
            .messages,
            before: world.now,
            from: nil,
            pace: SlicePace(),
            now: world.now,
            uptime: { .now }
        )
        #expect(slice.removed > 0)
        #expect(try count() == 2)
    }

    @Test("a transaction that fails does not count, even if it fails at its commit")
    func failure() async throws {
        struct Failure: Error {}
        let daemon = try await world.start()
        await #expect(throws: Failure.self) {
            try await daemon.store.write { database in
                try database.execute(sql: "INSERT INTO outbox_domain VALUES ('a', 'b')")
                throw Failure()
            }
        }
        #expect(try mark()?.commits == 0)
        try world.execute("CREATE TABLE mine (id REFERENCES outbox (id) DEFERRABLE INITIALLY DEFERRED)")
        await #expect(throws: OutboxDatabaseError.self) {
            try await daemon.store.write { try $0.execute(sql: "INSERT INTO mine VALUES (999)") }
        }
        #expect(try mark()?.commits == 0)
        try await daemon.work()
        #expect(try mark()?.commits == 2)
    }

    @Test("starts leave the newest thousand runs in the file, and the one that the mark names")
    func runs() async throws {
        try await world.start().work()
        let own = try #require(try mark()).run
        try world.execute(
            """
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1500)
            INSERT INTO outbox_run (run, commits, committed_at) SELECT \(own) + (n << 32), 0, 0 FROM number
            """
        )
        #expect(try await world.start("B").finding == .unmarked)
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_run") == 1000)
        try world.execute("DELETE FROM outbox_run; INSERT INTO outbox_run VALUES (\(own), 2, 0)")
        try world.execute(
            """
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1500)
            INSERT INTO outbox_run (run, commits, committed_at) SELECT \(own) + (n << 32), 0, 0 FROM number
            """
        )
        #expect(try await world.start().finding == .complete)
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_run") == 1001)
        let newest = try #require(try mark()).run
        #expect(try world.value(Int64.self, "SELECT max(run) FROM outbox_run") == newest)
        // The number that follows in a copy is another one.
        try world.copy("app.db", to: "copy.db")
        _ = try await world.start()
        let next = try #require(try mark()).run
        try world.restore("copy.db")
        _ = try await world.start()
        #expect(try #require(try mark()).run != next && next >> 32 == newest >> 32 + 1)
    }

    @Test("the run of another daemon that works on the file stays")
    func company() async throws {
        let first = try await world.start()
        let second = try await world.start()
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_run") == 2)
        try await first.work()
        try await second.work()
        // By a clock that is wrong for years.
        world.pass(.seconds(3000 * 86_400))
        #expect(try await world.start().finding == .complete)
        world.pass(.seconds(-3000 * 86_400))
        try await first.work()
        try await second.work()
    }

    @Test(
        "a machine that comes back after years raises no alarm, and a file that is older does, whatever the clock says"
    )
    func absence() async throws {
        try await world.start("A").work()
        try world.copy("app.db", to: "old.db")
        try await world.start("A").work()
        world.pass(.seconds(800 * 86_400))
        try await world.start("B").work()
        #expect(try await world.start("A").finding == .complete)
        world.pass(.seconds(800 * 86_400))
        try world.restore("old.db")
        #expect(try await world.start("A").isRestored)
    }

    @Test("the folder of marks alone is set back, over one start or several: no alarm")
    func folderSetBack() async throws {
        try await world.start().work()
        for starts in 1...2 {
            let mark = try world.mark()
            for _ in 1...starts {
                // A lock of this process on the file ends with the process, so each start gets a new one.
                try world.copy("app.db", to: "copy.db")
                try world.restore("copy.db")
                try await world.start().work()
            }
            try world.setMark(mark)
            #expect(try await world.start().finding == .complete)
        }
    }

    @Test("the table of runs is dropped and repaired: the file gets a new identity, and there is no alarm")
    func repaired() async throws {
        try await world.start().work()
        let identity = try world.value(String.self, "SELECT identity FROM outbox_file")
        try world.execute("DROP TABLE outbox_run")
        let open = try world.insert("olga")
        #expect(try OutboxDatabase(path: world.database, access: .repairing).migration.added == ["table outbox_run"])
        let daemon = try await world.start()
        #expect(daemon.finding == .unmarked)
        #expect(try await daemon.send() == [open])
        let other = try world.value(String.self, "SELECT identity FROM outbox_file")
        #expect(other != nil && other != identity)
        // Another repair changes nothing.
        _ = try OutboxDatabase(path: world.database, access: .repairing)
        #expect(try await world.start().finding == .complete)
    }

    @Test("an older state from before the first run is written over the file: the empty table of runs hides nothing")
    func writtenOverByTheFirst() async throws {
        try world.insert("olga")
        try world.copy("app.db", to: "backup.db")
        let daemon = try await world.start()
        try await daemon.send()
        try DatabaseQueue(path: world.file("backup.db")).backup(to: DatabaseQueue(path: world.database))
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_run") == 0)
        await #expect(throws: OutboxDatabaseError.self) { try await daemon.send() }
        let next = try await world.start()
        #expect(next.isRestored && next.beginning.held?.count == 1)
    }

    @Test("an older state ends a daemon, too, that has committed nothing since, if another one has")
    func writtenOverBeside() async throws {
        let idle = try await world.start()
        let busy = try await world.start()
        try await idle.work()
        let open = try world.insert("olga")
        _ = try await OutboxDatabase(path: world.database, access: .reading).backUp(to: world.file("backup.db"))
        #expect(try await busy.send() == [open])
        try DatabaseQueue(path: world.file("backup.db")).backup(to: DatabaseQueue(path: world.database))
        await #expect(throws: OutboxDatabaseError.self) { try await idle.send() }
        #expect(try world.value(String.self, "SELECT state FROM outbox_state WHERE message_id = \(open)") == "queued")
        #expect(await idle.store.fileLoss() == .restored(path: world.database))
        await #expect(throws: OutboxDatabaseError.self) { try await busy.send() }
        let next = try await world.start()
        #expect(next.isRestored && next.beginning.held?.count == 1)
    }

    @Test("a copy of the file that is tried out with the same folder does not end the daemon, but its next start holds")
    func copyTriedOut() async throws {
        let daemon = try await world.start()
        try await daemon.work()
        try world.copy("app.db", to: "trial.db")
        let trial = try OutboxDatabase(path: world.file("trial.db"), access: .upgrading)
        let beginning = try await trial.beginRun(
            marks: world.file("A"),
            rules: .lax,
            clock: { [world] in world.now },
            onTrouble: { _ in Issue.record("the mark can be kept") }
        )
        #expect(beginning.finding == .complete)
        let mark = try world.mark()
        try await daemon.work(2)
        try world.setMark(mark)
        #expect(try await world.start().isRestored)
    }

    @Test("a copy of the schema alone, or without its identity, gets an identity of its own")
    func schemaOnly() async throws {
        _ = try await world.start()
        let identity = try world.value(String.self, "SELECT identity FROM outbox_file")
        let schema = try await DatabaseQueue(path: world.database).read { database in
            try String.fetchAll(
                database,
                sql: "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' AND sql IS NOT NULL ORDER BY rowid"
            )
        }
        try world.wipe()
        try await DatabaseQueue(path: world.database).write { database in
            for statement in schema { try database.execute(sql: statement) }
        }
        let copy = try await world.start()
        #expect(copy.finding == .unmarked)
        let other = try world.value(String.self, "SELECT identity FROM outbox_file")
        #expect(other != nil && other != identity)
        try world.execute("DELETE FROM outbox_file")
        #expect(try await world.start().finding == .unmarked)
        let third = try world.value(String.self, "SELECT identity FROM outbox_file")
        #expect(third != nil && third != other)
    }

    @Test("an older state that is written over the file under outboxd ends delivery, and the next start holds")
    func writtenOver() async throws {
        let daemon = try await world.start()
        let open = try world.insert("olga")
        _ = try await OutboxDatabase(path: world.database, access: .reading).backUp(to: world.file("backup.db"))
        try await daemon.send()
        // What .restore of sqlite3 does.
        try DatabaseQueue(path: world.file("backup.db")).backup(to: DatabaseQueue(path: world.database))
        #expect(try await daemon.store.status(id: open)?.state == .queued)
        let error = await #expect(throws: OutboxDatabaseError.self) { try await daemon.send() }
        guard case .lost(.restored) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(await daemon.store.fileLoss() == .restored(path: world.database))
        await #expect(throws: OutboxDatabaseError.self) { try await daemon.store.claim(now: world.now) }
        #expect(try world.value(String.self, "SELECT state FROM outbox_state WHERE message_id = \(open)") == "queued")
        let next = try await world.start()
        #expect(next.isRestored && next.beginning.held?.count == 1)
    }

    @Test("an application that empties all tables under outboxd does not end it")
    func emptied() async throws {
        let daemon = try await world.start()
        try await daemon.work()
        let identity = try world.value(String.self, "SELECT identity FROM outbox_file")
        try world.execute("DELETE FROM outbox; DELETE FROM outbox_run; DELETE FROM outbox_file")
        try await daemon.work(2)
        try world.execute("DELETE FROM outbox_run")
        try await daemon.work(2)
        #expect(try world.value(String.self, "SELECT identity FROM outbox_file") == identity)
        #expect(try await world.start().finding == .complete)
    }

    @Test("a daemon whose run the file has forgotten, because very many others have begun, goes on")
    func forgotten() async throws {
        let daemon = try await world.start()
        try await daemon.work()
        let other = try await world.start()
        try await other.work()
        let run = try #require(try world.value(Int64.self, "SELECT min(run) FROM outbox_run"))
        try world.execute("DELETE FROM outbox_run WHERE run = \(run)")
        try await daemon.work(2)
        #expect(try world.value(Bool.self, "SELECT EXISTS (SELECT 1 FROM outbox_run WHERE run = \(run))") == true)
        #expect(try await world.start().finding == .complete)
    }

    @Test("a mark that can't be kept stops no mail, and is said once", arguments: ["nowhere", "occupied"])
    func trouble(_ folder: String) async throws {
        let identity = try #require(try world.value(String.self, "SELECT identity FROM outbox_file"))
        // Another thing has the mark's name.
        let name = world.file("occupied/\(identity)")
        try FileManager.default.createDirectory(atPath: name, withIntermediateDirectories: true)
        let daemon = try await world.start(folder)
        #expect(daemon.finding == .unmarked)
        try await daemon.work(3)
        #expect(world.troubles.withLock(\.count) == 1)
        #expect(world.troubles.withLock(\.first)?.path == world.file("\(folder)/\(identity)"))
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_run") == 0)
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_state WHERE state = 'accepted'") == 3)
    }

    @Test("a full disk under the mark stops no mail, and is said once", .enabled(if: FileStatus("/dev/full") != nil))
    func fullDisk() throws {
        let opened = CommitMarkFile(folder: "/dev", identity: "full") { [world] trouble in
            world.troubles.withLock { $0.append(trouble) }
        }
        let marks = try #require(opened)
        let mark = CommitMark(run: 1, commits: 1, committedAt: noon, sequence: 1, inode: 1)
        for _ in 1...3 { marks.write(mark) }
        #expect(!marks.writeDurably(mark))
        #expect(world.troubles.withLock(\.self).map(\.reason) == ["No space left on device"])
    }

    @Test("without a folder nothing is compared and nothing counted, and held messages are known all the same")
    func withoutFolder() async throws {
        let before = try await world.start()
        try world.insert("olga")
        try world.copy("app.db", to: "backup.db")
        try await before.send()
        try world.restore("backup.db")
        #expect(try await world.start().isRestored)
        let runs = try world.value(Int.self, "SELECT count(*) FROM outbox_run")
        let store = try OutboxDatabase(path: world.database, access: .upgrading)
        let beginning = try await store.beginRun(
            marks: nil,
            rules: .lax,
            clock: { noon },
            onTrouble: { _ in Issue.record("nothing is kept") }
        )
        #expect(beginning.finding == .unmarked && beginning.held?.count == 1)
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_run") == runs)
    }

    /// Run by hand, with a release build: `OUTBOX_MEASURE=1 swift test -c release --filter DaemonRunTests`.
    @Test(
        "what counting costs a transaction",
        .enabled(if: ProcessInfo.processInfo.environment["OUTBOX_MEASURE"] != nil)
    )
    func cost() async throws {
        for round in 1...3 {
            for folder in ["", "A"] {
                let store = try OutboxDatabase(path: world.database, access: .upgrading)
                _ = try await store.beginRun(
                    marks: folder.isEmpty ? nil : world.file(folder),
                    rules: .lax,
                    clock: { Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000)) },
                    onTrouble: { _ in }
                )
                try await store.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
                try world.insert()
                let count = 20_000
                let began = clock()
                for number in 1...count {
                    try await store.write { database in
                        try database.cachedStatement(sql: "UPDATE outbox_state SET priority = ?")
                            .execute(arguments: [number % 9])
                    }
                }
                let cost = Double(clock() - began) / Double(CLOCKS_PER_SEC) / Double(count) * 1e6
                print("round \(round), \(folder.isEmpty ? "without" : "with") a mark: \(cost) µs of CPU a transaction")
                try world.execute("DELETE FROM outbox")
            }
        }
    }
}
