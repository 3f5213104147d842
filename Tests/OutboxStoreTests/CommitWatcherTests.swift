// Commits of other processes are noticed without polling, even among our own commits, and looked at sparingly.

import GRDB
import OutboxCore
import OutboxStore
import Synchronization
import Testing

@Suite struct CommitWatcherTests {
    private let outbox: TemporaryOutbox
    private let watcher: CommitWatcher

    init() throws {
        outbox = try TemporaryOutbox()
        watcher = CommitWatcher(store: outbox.database, pollInterval: .seconds(3600))
    }

    /// Watches while `body` runs.
    private func watching(inBacklog: Bool = false, _ body: () async throws -> Void) async throws {
        let watching = Task { [watcher] in
            await watcher.run(onCommit: {}, hasBacklog: { inBacklog }, onTrouble: { Issue.record($0) })
        }
        do { try await body() } catch {
            watching.cancel()
            throw error
        }
        watching.cancel()
        // Returns only if cancelling ends the watcher's thread.
        await watching.value
    }

    /// - Returns: whether a count grew beyond `value` in time.
    private func isBeyond(_ value: Int, _ count: KeyPath<CommitWatcher.Counts, Int>) async throws -> Bool {
        for _ in 1...3000 {
            if watcher.countsSoFar[keyPath: count] > value { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test("each new message of another connection is reported without polling, even between our own commits")
    func noticed() async throws {
        try await watching {
            #expect(try await isBeyond(0, \.reports))
            for round in 1...20 {
                let before = watcher.countsSoFar.reports
                try outbox.insert(recipient: "person\(round)@example.com")
                try #require(try await isBeyond(before, \.reports), "commit \(round) was not noticed")
                let claims = try await outbox.database.claim().claims
                if round.isMultiple(of: 3) { try await Task.sleep(for: .milliseconds(round * 15)) }
                for claim in claims { _ = try await outbox.database.finish([.accepted(claim)], now: noon) }
            }
        }
    }

    @Test(
        "commits to an application's own tables are gathered, in a backlog for longer, and none is reported",
        arguments: [false, true]
    )
    func application(inBacklog: Bool) async throws {
        let application = try DatabaseQueue(path: outbox.path)
        try await application.write { try $0.execute(sql: "CREATE TABLE visit (at INTEGER)") }
        try await watching(inBacklog: inBacklog) {
            try #require(try await isBeyond(0, \.reports))
            let before = watcher.countsSoFar
            let clock = ContinuousClock()
            let began = clock.now
            var commits = 0
            while clock.now - began < .seconds(1) {
                try await application.write { try $0.execute(sql: "INSERT INTO visit VALUES (1)") }
                commits += 1
            }
            let lasted = clock.now - began
            try #require(try await isBeyond(before.commits, \.commits))
            let after = watcher.countsSoFar
            #expect(after.reports == before.reports)
            // However many commits there were: one look finds a commit in 5 ms, in a backlog in 25, and a few precede each
            // commit's visibility.
            #expect(Double(after.commits - before.commits) <= lasted / .milliseconds(inBacklog ? 25 : 5) + 2)
            #expect(Double(after.looks - before.looks) <= lasted / .milliseconds(1) + 30)
            #expect(after.commits - before.commits <= commits + 1)
        }
    }

    @Test("a message that another daemon gives back, or that is cancelled while it is sent, is reported")
    func changes() async throws {
        let id = try outbox.insert()
        let other = try outbox.secondDaemon()
        try await watching {
            try #require(try await isBeyond(0, \.reports))
            func isReported(_ change: () async throws -> Void) async throws -> Bool {
                let before = watcher.countsSoFar.reports
                try await change()
                return try await isBeyond(before, \.reports)
            }
            var claims: [Claim] = []
            #expect(try await isReported { claims = try await other.claim().claims })
            try #require(claims.count == 1)
            #expect(try await isReported { try await other.returnUnsent(claims, now: noon, rules: DeliveryRules()) })
            _ = try await outbox.database.claim()
            #expect(try await isReported { try outbox.execute("UPDATE outbox SET cancelled = 1 WHERE id = ?", [id]) })
        }
    }

    /// What the watcher reported besides commits.
    private final class Seen: Sendable {
        let problems = Mutex<[String]>([])
        let errors = Mutex(0)
    }

    @Test("a damaged schema is reported while the daemon runs, and its repair as well; failing looks are rare")
    func damaged() async throws {
        let seen = Seen()
        let watcher = CommitWatcher(store: outbox.database, pollInterval: .milliseconds(200))
        let watching = Task {
            await watcher.run(
                onCommit: {},
                onSchema: { problem in seen.problems.withLock { $0.append(problem.map { "\($0)" } ?? "whole") } },
                onTrouble: { _ in seen.errors.withLock { $0 += 1 } }
            )
        }
        defer { watching.cancel() }
        func wait(_ condition: () -> Bool) async throws {
            for _ in 1...3000 where !condition() { try await Task.sleep(for: .milliseconds(10)) }
            try #require(condition())
        }
        func lastProblem() -> String { seen.problems.withLock { $0.last ?? "" } }
        try await wait { watcher.countsSoFar.reports > 0 }
        try outbox.execute("DROP TRIGGER outbox_inserted")
        try await wait { lastProblem().contains("missing: trigger outbox_inserted") }
        _ = try OutboxDatabase(path: outbox.path, access: .repairing)
        try await wait { lastProblem() == "whole" }
        #expect(seen.errors.withLock(\.self) == 0)
        try outbox.execute("ALTER TABLE outbox_state RENAME TO elsewhere")
        try await wait { seen.errors.withLock(\.self) >= 3 }
        #expect(lastProblem().contains("was renamed to elsewhere"))
        let looks = seen.errors.withLock(\.self)
        try await Task.sleep(for: .milliseconds(1000))
        // One in 200 ms; before, each reopened connection began a new series of looks.
        #expect(seen.errors.withLock(\.self) - looks <= 8)
        try outbox.execute("ALTER TABLE elsewhere RENAME TO outbox_state")
        try await wait { lastProblem() == "whole" }
    }
}
