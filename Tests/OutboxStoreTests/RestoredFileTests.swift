// A file that is older than what outboxd last committed to it, and files that only look so.

import Foundation
import GRDB
import OutboxCore
import OutboxTokens
import Synchronization
import TestSupport
import Testing

@testable import OutboxStore

@Suite("A restored file") struct RestoredFileTests {
    private let world: RestoringWorld

    init() throws { world = try RestoringWorld() }

    /// What happens to the file after outboxd has run on machine A, and what the next start says about it.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let finding: String
        var machine = "A"
        let happens: @Sendable (RestoringWorld) async throws -> Void
    }

    private static func dump(_ world: RestoringWorld) async throws {
        let script = """
            import sqlite3, sys
            with open(sys.argv[2], "w") as file:
                file.write("\\n".join(sqlite3.connect(sys.argv[1]).iterdump()))
            """
        let result = try await Program.python(script, [world.database, world.file("dump.sql")])
        #expect(result.exitCode == 0, "\(result.errors)")
    }

    /// A backup is taken while the daemon works, which then goes on.
    private static func afterBackup(_ name: String, _ backUp: @escaping @Sendable (RestoringWorld) async throws -> Void)
        -> @Sendable (RestoringWorld) async throws -> Void
    {
        { world in
            let daemon = try await world.start()
            try await daemon.work(2)
            try await backUp(world)
            try await daemon.work(1)
            try world.restore(name)
        }
    }

    static let cases: [Case] = [
        Case(testDescription: "a new file", finding: "unmarked") { world in
            for name in try FileManager.default.contentsOfDirectory(atPath: world.file("A")) {
                try FileManager.default.removeItem(atPath: world.file("A/\(name)"))
            }
        },
        Case(testDescription: "nothing happened", finding: "complete") { _ in },
        Case(
            testDescription: "restored from outboxctl backup",
            finding: "restored",
            happens: afterBackup("backup.db") { world in
                let file = try OutboxDatabase(path: world.database, access: .reading)
                _ = try await file.backUp(to: world.file("backup.db"))
            }
        ),
        Case(
            testDescription: "restored from VACUUM INTO",
            finding: "restored",
            happens: afterBackup("vacuum.db") { world in
                try await DatabaseQueue(path: world.database).vacuum(into: world.file("vacuum.db"))
            }
        ),
        Case(
            testDescription: "restored from cp of the file and its log",
            finding: "restored",
            happens: afterBackup("copy.db") { try $0.copy("app.db", to: "copy.db") }
        ),
        Case(
            testDescription: "restored from cp of the file without its log",
            finding: "restored",
            happens: afterBackup("copy.db") { world in
                try FileManager.default.copyItem(atPath: world.database, toPath: world.file("copy.db"))
            }
        ),
        Case(testDescription: "restored from .dump", finding: "restored") { world in
            let daemon = try await world.start()
            try await daemon.work(2)
            try await dump(world)
            try await daemon.work(1)
            try world.wipe()
            let sql = try String(contentsOfFile: world.file("dump.sql"), encoding: .utf8)
            try await DatabaseQueue(path: world.database).writeWithoutTransaction { try $0.execute(sql: sql) }
        },
        Case(testDescription: "the true file is put back before a start", finding: "complete") { world in
            try await world.start().work(2)
            try world.copy("app.db", to: "true.db")
            try world.wipe()
            try world.restore("true.db")
        },
        Case(testDescription: "the true file is put back after a start on a restored one", finding: "restored") {
            world in
            try world.copy("app.db", to: "old.db")
            try await world.start().work(2)
            try world.copy("app.db", to: "true.db")
            try world.restore("old.db")
            #expect(try await world.start().isRestored)
            try world.restore("true.db")
        },
        Case(testDescription: "the same content in a new inode", finding: "complete") { world in
            try await world.start().work(2)
            try world.copy("app.db", to: "same.db")
            try world.restore("same.db")
        },
        Case(testDescription: "VACUUM", finding: "complete") { world in
            try await world.start().work(2)
            try await DatabaseQueue(path: world.database).vacuum()
        },
        Case(testDescription: "killed between commit and mark", finding: "complete") { world in
            let daemon = try await world.start()
            try await daemon.work(1)
            let mark = try world.mark()
            world.pass(.seconds(1))
            try world.insert()
            #expect(try await daemon.store.claim(now: world.now).claims.count == 1)
            try world.setMark(mark)
        },
        Case(testDescription: "a crash of the machine: the mark is three mails behind", finding: "complete") { world in
            let daemon = try await world.start()
            try await daemon.work(1)
            let mark = try world.mark()
            try await daemon.work(3)
            try world.setMark(mark)
        },
        Case(testDescription: "a crash of the machine: the mark is incomplete", finding: "unreadable") { world in
            try await world.start().work(2)
            try world.setMark(try world.mark().prefix(24) + Data(count: 16))
        },
        Case(testDescription: "the log is lost", finding: "restored") { world in
            let daemon = try await world.start()
            try daemon.checkpoint()
            try FileManager.default.copyItem(atPath: world.database, toPath: world.file("lost.db"))
            try await daemon.work(3)
            try world.restore("lost.db")
        },
        Case(testDescription: "moved to B", finding: "unmarked", machine: "B") { _ in },
        Case(testDescription: "on B again", finding: "complete", machine: "B") { world in
            try await world.start("B").work(4)
        },
        Case(testDescription: "moved to B, and back", finding: "complete") { world in
            try await world.start("B").work(4)
            try await world.start("B").work(1)
        },
        Case(testDescription: "an old backup restored on B, which knows more", finding: "restored", machine: "B") {
            world in
            try world.copy("app.db", to: "old.db")
            try await world.start("B").work(1)
            try await world.start("A").work(1)
            try world.restore("old.db")
        },
        Case(testDescription: "an old backup restored on C, which never had it", finding: "unmarked", machine: "C") {
            world in
            try world.copy("app.db", to: "old.db")
            try await world.start("A").work(1)
            try world.restore("old.db")
        },
        Case(testDescription: "two daemons: B begins while A's mark is newer", finding: "complete", machine: "B") {
            world in
            let a = try await world.start("A")
            try await world.start("B").work(1)
            try await a.work(3)
        },
        Case(testDescription: "two daemons: A begins while B's mark is newer", finding: "complete") { world in
            let b = try await world.start("B")
            try await world.start("A").work(1)
            try await b.work(3)
        },
        Case(testDescription: "two daemons with one folder of marks take turns", finding: "complete") { world in
            let (first, second) = (try await world.start(), try await world.start())
            #expect(first.finding == .complete && second.finding == .complete)
            for _ in 1...3 {
                try await first.work(1)
                try await second.work(1)
                #expect(try await world.start().finding == .complete)
            }
        },
    ]

    @Test("is told from a moved, copied, changed or crashed one", arguments: cases)
    func findings(_ situation: Case) async throws {
        // The first run, on A.
        try await world.start().work(2)
        try await situation.happens(world)
        let daemon = try await world.start(situation.machine)
        #expect("\(daemon.finding)".hasPrefix(situation.finding), "\(daemon.finding)")
        #expect(world.troubles.withLock(\.self) == [])
    }

    /// A restored file with these messages: `open` waits, `sending` is being sent, `final` is accepted; all three were
    /// sent since the backup.
    private func restoredWorld(rules: DeliveryRules = .lax) async throws -> (
        daemon: RestoringWorld.Daemon, open: Int64, sending: Int64, final: Int64
    ) {
        let before = try await world.start()
        let final = try world.insert("fay")
        try await before.send()
        let sending = try world.insert("sam")
        #expect(try await before.store.claim(now: world.now).claims.count == 1)
        world.pass(.seconds(1))
        let open = try world.insert("olga")
        try world.copy("app.db", to: "backup.db")
        try await before.send()
        try world.restore("backup.db")
        return (try await world.start(rules: rules), open, sending, final)
    }

    @Test("its open messages are held and nothing else: they are neither due nor expire; later requests leave")
    func holds() async throws {
        let (daemon, open, sending, final) = try await restoredWorld()
        #expect(daemon.isRestored)
        #expect(daemon.beginning.uncertain == [sending] && daemon.beginning.refused == [])
        #expect(daemon.beginning.held?.count == 2 && daemon.beginning.held?.since == world.now)
        #expect(try await daemon.store.status(id: final)?.state == .accepted)
        for id in [open, sending] {
            let status = try #require(try await daemon.store.status(id: id))
            #expect(status.state == (id == open ? .queued : .deferred) && status.mayArriveTwice == (id == sending))
            #expect(status.waitingFor == "restored-file" && status.nextAttemptAt == nil)
            #expect(status.advice == "request-new" && status.adviceAt == daemon.beginning.held?.since)
        }
        #expect(try await daemon.store.attempts(of: sending).map(\.outcome) == [.uncertain])
        world.pass(.seconds(1))
        let later = try world.insert("lea")
        #expect(try await daemon.store.list(StatusFilter(waitingFor: .restoredFile)).map(\.id) == [open, sending])
        #expect(try await daemon.send() == [later])
        world.pass(.seconds(90 * 86_400))
        #expect(try await daemon.send() == [])
        #expect(try await daemon.store.expire(now: world.now) == [])
        let moments = try await daemon.store.nextMoments(now: world.now)
        #expect(moments.next == nil && moments.hasRestored && !moments.hasInterrupted)
    }

    @Test("what was requested after the mark's time leaves, also if it was inserted before the start")
    func requestedLater() async throws {
        let before = try await world.start()
        let open = try world.insert("olga")
        try world.copy("app.db", to: "backup.db")
        try await before.send()
        try world.restore("backup.db")
        world.pass(.milliseconds(1))
        let later = try world.insert("lea")
        let daemon = try await world.start()
        #expect(daemon.beginning.held?.requested == world.now - .milliseconds(1001)...world.now - .milliseconds(1001))
        #expect(try await daemon.send() == [later])
        #expect(try await daemon.store.status(id: open)?.waitingFor == "restored-file")
    }

    @Test(
        "what was requested by a clock that was fast is held all the same, and what has a number that was given again"
    )
    func fastClock() async throws {
        let before = try await world.start()
        world.pass(.seconds(3600))
        let early = try world.insert("olga")
        world.pass(.seconds(-3600))
        try world.execute("UPDATE outbox_state SET due_at = \(world.now.milliseconds)")
        try world.copy("app.db", to: "backup.db")
        #expect(try await before.send() == [early])
        let lost = try world.insert("lou")
        #expect(try await before.send() == [lost])
        try world.restore("backup.db")
        world.pass(.seconds(60))
        let (again, new) = (try world.insert("lea"), try world.insert("leo"))
        #expect(again == lost)
        let daemon = try await world.start()
        #expect(daemon.isRestored)
        #expect(try await daemon.store.list(StatusFilter(waitingFor: .restoredFile)).map(\.id) == [again, early])
        #expect(try await daemon.send() == [new])
    }

    @Test("what was being sent alone in the backup is not put down to the message")
    func sendingAlone() async throws {
        let before = try await world.start()
        let sending = try world.insert("sam")
        #expect(try await before.store.claim(now: world.now).claims.count == 1)
        try world.execute("UPDATE outbox_state SET is_alone = 1, interruptions = 2, interruptions_alone = 2")
        try world.copy("app.db", to: "backup.db")
        try await before.work()
        try world.restore("backup.db")
        let daemon = try await world.start()
        #expect(daemon.beginning.uncertain == [sending] && daemon.beginning.held?.count == 1)
        let row = "interruptions || ' ' || interruptions_alone || ' ' || is_alone || ' ' || uncertain_attempts"
        #expect(try world.value(String.self, "SELECT \(row) FROM outbox_state") == "2 2 0 1")
    }

    @Test("it is noticed once, and its messages stay held over further starts")
    func staysHeld() async throws {
        let (first, open, sending, _) = try await restoredWorld()
        for _ in 1...2 {
            let daemon = try await world.start()
            #expect(daemon.finding == .complete && daemon.beginning.uncertain == [])
            #expect(daemon.beginning.held?.count == 2 && daemon.beginning.held?.since == first.beginning.held?.since)
            #expect(try await daemon.send() == [])
        }
        #expect(try await first.store.sendRestored(now: world.now).due == [sending, open])
        #expect(try await world.start().beginning.held == nil)
    }

    @Test("killed between the hold and the new mark, the next start doesn't hold what was accepted meanwhile")
    func killedAfterHold() async throws {
        // Another daemon keeps the run that the mark names.
        let before = try await world.start()
        let open = try world.insert("olga")
        try world.copy("app.db", to: "backup.db")
        try await before.send()
        let mark = try world.mark()
        try world.restore("backup.db")
        let company = try OutboxDatabase(path: world.database, access: .writing)
        company.showDaemon()
        let daemon = try await world.start()
        #expect(daemon.isRestored)
        // Not by the daemon, which would set its mark.
        #expect(try await company.sendRestored(now: world.now).due == [open])
        try world.setMark(mark)
        let next = try await world.start()
        #expect(next.finding == .complete && next.beginning.held == nil)
    }
}
