// Old rows are removed automatically, while mails pass.

import Foundation
import Logging
import OutboxCore
import OutboxStore
import Synchronization
import TestSupport
import Testing

@testable import OutboxDelivery

@Suite(.timeLimit(.minutes(10))) struct RetentionKeeperTests {
    /// Adds old final messages.
    private func addFinal(_ count: Int, to database: OutboxDatabase) async throws {
        let messages = (0..<count).map { NewMessage.sample("p\($0)@example.com") }
        _ = try await database.enqueue(messages)
        let age = Timestamp.now - .seconds(40 * 86_400)
        let result = try await Program.python(
            """
            import sqlite3, sys
            with sqlite3.connect(sys.argv[1], timeout=10) as db:
                db.execute("UPDATE outbox_state SET state = 'accepted', due_at = NULL, secret = NULL, "
                           "requested_at = ?1, accepted_at = ?1, finished_at = ?1", (int(sys.argv[2]),))
            """,
            [database.path, String(age.milliseconds)]
        )
        #expect(result.exitCode == 0, "\(result.errors)")
    }

    @Test("old messages leave in slices beside the mails that pass, and the log says so once")
    func passing() async throws {
        let sleeps = Mutex<[Duration]>([])
        var choices = DeliveryFixture.Choices()
        // The first check comes at once, and pauses are short.
        choices.environment.sleep = { duration in
            sleeps.withLock { $0.append(duration) }
            try await Task.sleep(for: duration == .seconds(10) ? .zero : min(duration, .milliseconds(10)))
        }
        try await DeliveryFixture.run(choices) { database in
            try await addFinal(300, to: database)
        } _: { fixture in
            let id = try await fixture.enqueue(.sample("ann@example.com"))
            _ = try await fixture.wait(for: id, .accepted)
            let line = try await fixture.log.waitUntil("old messages are removed") {
                fixture.log.all.first { $0.hasPrefix("old messages removed") }
            }
            #expect(line.contains("count=300"))
            #expect(try await fixture.database.status(id: id)?.state == .accepted)
            #expect(try await fixture.database.status(id: 1) == nil)
            #expect(fixture.log.all.filter { $0.hasPrefix("old messages removed") }.count == 1)
            #expect(sleeps.withLock { $0.filter { $0 >= .milliseconds(50) && $0 < .seconds(10) } }.count >= 4)
        }
    }

    @Test("nothing is removed for hours after the clock was set forward by a year, and then the rest of what is old")
    func clockSetForward() async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "outbox.db").path
            let database = try OutboxDatabase(path: path, access: .migrating)
            let id = try await database.enqueue(.sample())
            let cancelled = try await database.cancel(id: id)
            #expect(cancelled)
            let log = LogCapture()
            let time = Mutex((now: Timestamp.now, uptime: ContinuousClock.now, looks: 0))
            var environment = DeliveryEnvironment.test
            environment.now = { time.withLock { $0.now } }
            // Each sleep ends at once; during the second one the clock is set forward.
            environment.sleep = { duration in
                let looks = time.withLock { time in
                    time.looks += 1
                    time.uptime += duration
                    time.now = time.now + duration
                    if time.looks == 2 { time.now = time.now + .seconds(365 * 86_400) }
                    return time.looks
                }
                if looks == 5 {
                    #expect(try await database.status(id: id) != nil)
                    #expect(log.all.contains { $0.hasPrefix("the clock was set forward") })
                }
                if looks == 12 { throw CancellationError() }
            }
            let keeper = RetentionKeeper(
                store: database,
                retention: { .seconds(30 * 86_400) },
                environment: environment,
                log: DeliveryLog(logger: log.logger),
                uptime: { time.withLock { $0.uptime } }
            )
            await keeper.run()
            #expect(try await database.status(id: id) == nil)
            #expect(log.all.filter { $0.hasPrefix("the clock was set forward") }.count == 1)
        }
    }
}
