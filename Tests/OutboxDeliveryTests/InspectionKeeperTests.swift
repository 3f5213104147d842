// When the database is looked through for damage, with a time that passes at once.

import FakeSMTP
import Logging
import OutboxCore
import OutboxStore
import Synchronization
import TestSupport
import Testing

@testable import OutboxDelivery

@Suite struct InspectionKeeperTests {
    /// - Parameter backlog: whether there is a backlog so many seconds after the start.
    /// - Returns: when the first two inspections ran, in seconds after the start.
    private func inspections(backlog: @escaping @Sendable (Int) -> Bool) async throws -> [Int] {
        let elapsed = Mutex(Duration.zero)
        let inspections = Mutex<[Int]>([])
        let seconds = { @Sendable in Int(elapsed.withLock(\.self).components.seconds) }
        let keeper = InspectionKeeper(
            inspect: {
                inspections.withLock { $0.append(seconds()) }
                return .sound
            },
            hasBacklog: { backlog(seconds()) },
            environment: DeliveryEnvironment(
                now: { Timestamp(milliseconds: 1_800_000_000_000) },
                uptime: { elapsed.withLock(\.self) },
                sleep: { duration in
                    if inspections.withLock(\.count) == 2 { withUnsafeCurrentTask { $0?.cancel() } }
                    try Task.checkCancellation()
                    elapsed.withLock { $0 += duration }
                },
                chance: { 0.5 }
            ),
            database: "outbox.db",
            log: DeliveryLog(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        )
        await Task { await keeper.run() }.value
        return inspections.withLock(\.self)
    }

    @Test("the first inspection is a second after the start, the next one a day later")
    func calm() async throws {
        #expect(try await inspections { _ in false } == [1, 86_402])
    }

    @Test("an inspection waits for the end of a backlog, but not longer than ten minutes")
    func backlog() async throws {
        #expect(try await inspections { $0 < 90 } == [90, 86_491])
        #expect(try await inspections { _ in true } == [600, 87_600])
    }

    @Test("the service inspects when its backlog has gone: not before, and soon after", .timeLimit(.minutes(5)))
    func service() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 1
        choices.faults = ["finalDot: delay 20ms"]
        try await DeliveryFixture.run(choices) { database in
            _ = try await database.enqueue((1...150).map { .sample("p\($0)@example.com") })
        } _: { fixture in
            _ = try await fixture.log.waitUntil("the outbox is inspected") {
                fixture.log.all.first { $0.hasPrefix("the outbox's tables are sound") }
            }
            // The last 32 and the one with the lane may be claimed already.
            #expect(fixture.server.ledger.acceptedCount >= 117)
        }
    }
}
