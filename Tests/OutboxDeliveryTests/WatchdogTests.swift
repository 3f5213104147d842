// The signs of life for a watchdog: they come only from the dispatcher's own steps.

import Foundation
import GRDB
import OutboxCore
import OutboxDelivery
import OutboxStore
import Synchronization
import Testing

@Suite("For the watchdog", .serialized, .timeLimit(.minutes(10)))
struct WatchdogTests {
    /// Counts the steps, and lets a test block the dispatcher in one of them.
    private final class Probe: Sendable {
        let steps = Mutex(0)
        let states = Mutex<[DeliveryState]>([])
        /// Whether the next step should hang, and whether one hangs. Only one does: any other caller that reports a
        /// step is not blocked, and is counted.
        let hanging = Mutex((isWanted: false, isUnderWay: false))

        var pulse: DeliveryPulse {
            DeliveryPulse(
                interval: .milliseconds(50),
                onStep: { [self] in
                    hangIfWanted()
                    steps.withLock { $0 += 1 }
                },
                onRound: { state in self.states.withLock { $0.append(state) } }
            )
        }

        private func hangIfWanted() {
            let isHanging = hanging.withLock { hanging in
                guard hanging.isWanted, !hanging.isUnderWay else { return false }
                hanging.isUnderWay = true
                return true
            }
            while isHanging, hanging.withLock(\.isWanted) { usleep(1000) }
        }

        func waitForSteps(_ count: Int) async throws {
            let goal = steps.withLock(\.self) + count
            while steps.withLock(\.self) < goal { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    @Test("an idle dispatcher shows that it lives, and says that nothing waits and the relay is up")
    func idle() async throws {
        let probe = Probe()
        var choices = DeliveryFixture.Choices()
        choices.pulse = probe.pulse
        try await DeliveryFixture.run(choices) { _ in
            try await probe.waitForSteps(20)
            #expect(probe.states.withLock { $0.last?.line } == "no message waits to be sent; relay fake is up")
        }
    }

    @Test("while messages of a restored database are held, the state says so, until they are accepted")
    func restored() async throws {
        let probe = Probe()
        var choices = DeliveryFixture.Choices()
        choices.pulse = probe.pulse
        try await DeliveryFixture.run(choices) { fixture in
            func line() -> String { probe.states.withLock { $0.last?.line } ?? "" }
            let none = "no message waits to be sent; "
            let held = none + "messages of a restored database wait for outboxctl accept-restored; "
            let application = try DatabaseQueue(path: fixture.database.path)
            try await application.write { database in
                try database.execute(
                    sql: """
                        INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 's3cret');
                        UPDATE outbox_state SET restored_at = requested_at, due_at = NULL
                        """
                )
            }
            while line() != held + "relay fake is up" { try await Task.sleep(for: .milliseconds(20)) }
            _ = try await fixture.database.cancelRestored(now: Timestamp(milliseconds: 0))
            while line() != none + "relay fake is up" { try await Task.sleep(for: .milliseconds(20)) }
        }
    }

    @Test("a dispatcher that hangs in a step is silent, although time, lanes and commits go on")
    func blocked() async throws {
        let probe = Probe()
        var choices = DeliveryFixture.Choices()
        choices.pulse = probe.pulse
        try await DeliveryFixture.run(choices) { fixture in
            try await probe.waitForSteps(4)
            probe.hanging.withLock { $0.isWanted = true }
            defer { probe.hanging.withLock { $0.isWanted = false } }
            while !probe.hanging.withLock(\.isUnderWay) { try await Task.sleep(for: .milliseconds(5)) }
            // The store is free, other programs write, and the timer that asks for rounds runs: none of these may
            // count.
            let before = probe.steps.withLock(\.self)
            for _ in 1...3 { _ = try await fixture.enqueue(.sample()) }
            try await Task.sleep(for: .milliseconds(300))
            #expect(probe.steps.withLock(\.self) == before)
            probe.hanging.withLock { $0.isWanted = false }
            try await probe.waitForSteps(4)
        }
    }

    @Test("waiting for another program's write lock is not hanging: a failed try shows life, and the status says so")
    func locked() async throws {
        let probe = Probe()
        var choices = DeliveryFixture.Choices()
        choices.pulse = probe.pulse
        try await DeliveryFixture.run(choices) { fixture in
            // It falls due while the lock is held: without anything to write, the dispatcher would not request the
            // lock.
            var message = NewMessage.sample()
            message.notBefore = .now + .seconds(1)
            _ = try await fixture.enqueue(message)
            var lasting = Configuration()
            lasting.allowsUnsafeTransactions = true
            lasting.busyMode = .timeout(5)
            let other = try DatabaseQueue(path: fixture.database.path, configuration: lasting)
            try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
            _ = try await fixture.log.waitUntil("a round fails") {
                fixture.log.all.contains { $0.hasPrefix("the outbox can't be worked on") } ? true : nil
            }
            try await probe.waitForSteps(1)
            let line = try #require(probe.states.withLock { $0.last?.line })
            #expect(line.hasPrefix("the outbox can't be worked on: another program has locked the database"))
            try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        }
    }
}
