// Troubles of the file and the clock during delivery: locks, clock steps, rules that refuse a row.

import FakeSMTP
import Foundation
import GRDB
import Logging
import OutboxCore
import OutboxDelivery
import OutboxStore
import SMTPTransport
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@Suite("In trouble with the file or the clock", .timeLimit(.minutes(10)))
struct StoreTroubleTests {
    /// A foreign connection, which waits for outboxd's write lock like an application.
    private static func connection(to fixture: DeliveryFixture) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.busyMode = .timeout(10)
        return try DatabaseQueue(path: fixture.database.path, configuration: configuration)
    }

    @Test("a write lock that another program holds longer than the lease causes no second mail")
    func longLock() async throws {
        var choices = DeliveryFixture.Choices()
        choices.lease = .milliseconds(600)
        choices.connections = 2
        let delay: Fault = "finalDot: delay 300ms"
        choices.faults = [delay]
        try await DeliveryFixture.run(choices) { fixture in
            let ids = try await fixture.database.enqueue((1...6).map { .sample("p\($0)@example.com") })
            try await fixture.server.ledger.waitForFiring(of: delay)
            let blocker = try Self.connection(to: fixture)
            try await blocker.writeWithoutTransaction { database in
                try database.execute(sql: "BEGIN IMMEDIATE")
                Thread.sleep(forTimeInterval: 2)
                try database.execute(sql: "COMMIT")
            }
            for id in ids { _ = try await fixture.wait(for: id, .accepted) }
            let recipients = fixture.server.ledger.accepted.map(\.recipients)
            #expect(recipients.count == 6 && Set(recipients).count == 6)
            #expect(!fixture.log.all.contains { $0.hasPrefix("lease ran out") || $0.hasPrefix("claim was lost") })
        }
    }

    @Test(
        "a clock that is set, forward or back, causes no second mail, and nothing stands still",
        arguments: [-86_400, -600, 90, 600, 86_400]
    )
    func clockSteps(seconds: Int) async throws {
        let clock = SteppingClock()
        var choices = DeliveryFixture.Choices()
        choices.environment.now = { clock.now }
        choices.connections = 1
        choices.schedule = RetrySchedule(delays: [.milliseconds(200)], jitter: 0)
        let delay: Fault = "finalDot: delay 150ms nth 1"
        choices.faults = [delay, "rcpt: reply 450 4.2.1 \"busy\" nth 3"]
        try await DeliveryFixture.run(choices) { fixture in
            let deadline = Timestamp.now + .seconds(1800)
            let first = try await fixture.database.enqueue(
                (1...20).map { .sample("p\($0)@example.com", expiresAt: $0 % 2 == 0 ? deadline : nil) }
            )
            try await fixture.server.ledger.waitForFiring(of: delay)
            clock.set(by: .seconds(seconds))
            // Messages past their deadline by the new clock wait until the clock is trusted; all others leave.
            let isPastDeadlines = seconds > 1800
            for id in isPastDeadlines ? [] : first {
                _ = try await fixture.wait(for: id, .accepted)
            }
            if isPastDeadlines {
                _ = try await fixture.log.waitUntil("the step is noticed") {
                    fixture.log.all.contains { $0.hasPrefix("the machine's clock was set") } ? true : nil
                }
            }
            for id in first { #expect(try await fixture.database.status(id: id)?.state != .expired) }
            let recipients = fixture.server.ledger.accepted.map(\.recipients)
            #expect(Set(recipients).count == recipients.count)
            #expect(fixture.log.all.contains { $0.hasPrefix("the machine's clock was set") })
        }
    }

    @Test("a rule that refuses one outcome does not keep others from being recorded, and nobody is mailed twice")
    func refusedOutcome() async throws {
        try await DeliveryFixture.run { fixture in
            let bad = try await fixture.enqueue(.sample("bad@example.com", notBefore: .now + .milliseconds(300)))
            try await Self.connection(to: fixture).write { database in
                try database.execute(
                    sql: """
                        CREATE TRIGGER audit BEFORE UPDATE OF accepted_at ON outbox_state WHEN NEW.message_id = \(bad)
                        BEGIN SELECT RAISE(ABORT, 'audit says no'); END
                        """
                )
            }
            _ = try await fixture.log.waitUntil("the rule is named") {
                fixture.log.all.contains { $0.contains("audit says no") } ? true : nil
            }
            let good = try await fixture.enqueue(.sample("good@example.com"))
            _ = try await fixture.wait(for: good, .accepted)
            #expect(try await fixture.database.status(id: bad)?.state == .sending)
            #expect(fixture.server.ledger.accepted.count == 2)
        }
    }

    @Test("an outcome that a rule refused is recorded at shutdown, if the rule was fixed")
    func refusedUntilTheEnd() async throws {
        try await DeliveryFixture.run { fixture in
            let id = try await fixture.enqueue(.sample(notBefore: .now + .milliseconds(300)))
            let application = try Self.connection(to: fixture)
            try await application.write { database in
                try database.execute(
                    sql: """
                        CREATE TRIGGER audit BEFORE UPDATE OF accepted_at ON outbox_state
                        WHEN NEW.message_id = \(id) BEGIN SELECT RAISE(ABORT, 'audit says no'); END
                        """
                )
            }
            _ = try await fixture.log.waitUntil("the rule is named") {
                fixture.log.all.contains { $0.contains("audit says no") } ? true : nil
            }
            try await application.write { try $0.execute(sql: "DROP TRIGGER audit") }
            await fixture.shutdown.triggerGracefulShutdown()
            _ = try await fixture.wait(for: id, .accepted)
            #expect(fixture.server.ledger.accepted.count == 1)
        }
    }

    @Test("a step of the clock that the store could not follow at once is followed when it can")
    func stepUnderLock() async throws {
        let clock = SteppingClock()
        var choices = DeliveryFixture.Choices()
        choices.environment.now = { clock.now }
        choices.schedule = RetrySchedule(delays: [.seconds(5)], jitter: 0)
        let busy: Fault = "rcpt: reply 450 4.2.1 \"busy\" nth 1"
        choices.faults = [busy]
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            // Waits for the log, because a slow machine may miss the state between the two attempts.
            _ = try await fixture.log.waitUntil("the first attempt is recorded") {
                try await fixture.database.attempts(of: id).isEmpty ? nil : true
            }
            let blocker = try Self.connection(to: fixture)
            try await blocker.writeWithoutTransaction { database in
                try database.execute(sql: "BEGIN IMMEDIATE")
                clock.set(by: .seconds(-86_400))
                // Longer than outboxd waits for a lock.
                Thread.sleep(forTimeInterval: 6.5)
                try database.execute(sql: "COMMIT")
            }
            _ = try await fixture.wait(for: id, .accepted)
        }
    }

    @Test("a clock that is set back before an outcome is on record keeps no message until the old time comes")
    func stepBeforeRecord() async throws {
        let clock = SteppingClock()
        var choices = DeliveryFixture.Choices()
        choices.environment.now = { clock.now }
        choices.schedule = RetrySchedule(delays: [.seconds(2)], jitter: 0)
        let delay: Fault = "mail: delay 2s nth 1"
        let busy: Fault = "rcpt: reply 450 4.2.1 \"busy\" nth 1"
        choices.faults = [delay, busy]
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(30) }
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            try await fixture.server.ledger.waitForFiring(of: delay)
            var shared = Configuration()
            shared.allowsUnsafeTransactions = true
            let blocker = try DatabaseQueue(path: fixture.database.path, configuration: shared)
            try await blocker.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
            try await fixture.server.ledger.waitForFiring(of: busy)
            // Usually the reply is judged by the old clock meanwhile. If it isn't yet, the test proves nothing, but
            // doesn't fail.
            try await Task.sleep(for: .milliseconds(300))
            clock.set(by: .seconds(-86_400))
            try await blocker.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
            _ = try await fixture.wait(for: id, .accepted)
        }
    }

    @Test("an urgent mail is claimed although as many less urgent ones wait for a lane as may")
    func priority() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 1
        choices.grace = .milliseconds(100)
        let hang: Fault = "finalDot: hang"
        choices.faults = [hang]
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(120) }
        try await DeliveryFixture.run(choices) { fixture in
            let application = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await application.enqueue((1...30).map { .sample("slow\($0)@example.com", priority: -5) })
            try await fixture.server.ledger.waitForFiring(of: hang)
            let urgent = try await application.enqueue(.sample("urgent@example.com", priority: 9))
            _ = try await fixture.wait(for: urgent, .sending)
            // The lanes' own claims, those that may wait, and the urgent one.
            #expect(try await application.list(StatusFilter(state: .sending)).count <= 18)
        }
    }

    @Test("a message that is cancelled between its MAIL and its content is not mailed")
    func cancelledBeforeContent() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 1
        let delay: Fault = "data: delay 5s nth 1"
        choices.faults = [delay]
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(30) }
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            try await fixture.server.ledger.waitForFiring(of: delay)
            try await Self.connection(to: fixture).write { database in
                try database.execute(sql: "UPDATE outbox SET cancelled = 1")
            }
            let status = try await fixture.wait(for: id, .cancelled)
            #expect(status.attempts == 0)
            let next = try await fixture.enqueue(.sample("ben@example.com"))
            _ = try await fixture.wait(for: next, .accepted)
            #expect(fixture.server.ledger.accepted.map(\.recipients) == [["ben@example.com"]])
        }
    }
}

/// The machine's clock, set by a test.
private final class SteppingClock: Sendable {
    private let offset = Mutex(Duration.zero)
    var now: Timestamp { Timestamp.now + offset.withLock(\.self) }
    func set(by step: Duration) { offset.withLock { $0 += step } }
}
