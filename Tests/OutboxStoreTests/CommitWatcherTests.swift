// Commits of other processes are noticed without polling, even among our own commits.

import OutboxCore
import OutboxStore
import Synchronization
import Testing

@Suite struct CommitWatcherTests {
    private final class Counter: Sendable {
        private let count = Mutex(0)

        var value: Int { count.withLock(\.self) }

        func increase() { count.withLock { $0 += 1 } }
    }

    @Test("each commit of another connection is reported without polling, even between our own commits")
    func noticed() async throws {
        let outbox = try TemporaryOutbox()
        let watcher = CommitWatcher(store: outbox.database, pollInterval: .seconds(3600))
        let told = Counter()
        let watching = Task {
            await watcher.run(
                onCommit: { told.increase() },
                onTrouble: { Issue.record($0) }
            )
        }
        defer { watching.cancel() }
        /// - Returns: whether `told` grew beyond `count` in time.
        func isTold(beyond count: Int) async throws -> Bool {
            for _ in 1...3000 {
                if told.value > count { return true }
                try await Task.sleep(for: .milliseconds(10))
            }
            return false
        }
        #expect(try await isTold(beyond: 0))
        for round in 1...20 {
            let before = told.value
            try outbox.insert(recipient: "person\(round)@example.com")
            try #require(try await isTold(beyond: before), "commit \(round) was not noticed")
            let claims = try await outbox.database.claim().claims
            if round.isMultiple(of: 3) { try await Task.sleep(for: .milliseconds(round * 15)) }
            for claim in claims { _ = try await outbox.database.finish([.accepted(claim)], now: noon) }
        }
    }
}
