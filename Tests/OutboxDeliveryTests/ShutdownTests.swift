// Shutdown: transmissions finish, other claims return to the queue, and nothing is lost.

import FakeSMTP
import OutboxCore
import OutboxStore
import SMTPTransport
import ServiceLifecycle
import Testing

@Suite("On shutdown", .timeLimit(.minutes(10)))
struct ShutdownTests {
    @Test("transmissions finish and are recorded, and waiting messages go back as if untouched")
    func graceful() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 1
        let delay: Fault = "finalDot: delay 300ms"
        choices.faults = [delay]
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(10) }
        try await withOutcome(choices) { fixture in
            for _ in 1...5 { _ = try await fixture.enqueue(.sample()) }
            try await fixture.server.ledger.waitForFiring(of: delay)
        } afterwards: { database in
            let messages = try await database.list(StatusFilter())
            #expect(messages.count == 5)
            #expect(messages.count { $0.state == .accepted } >= 1)
            for message in messages where message.state != .accepted {
                #expect(message.state == .queued && message.attempts == 0)
                #expect(try await database.attempts(of: message.id).isEmpty)
            }
        }
    }

    @Test("when the grace is over, transmissions are aborted, and tried again after the next start")
    func graceOver() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 1
        choices.grace = .milliseconds(200)
        let hang: Fault = "finalDot: hang"
        choices.faults = [hang]
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(60) }
        try await withOutcome(choices) { fixture in
            _ = try await fixture.enqueue(.sample())
            try await fixture.server.ledger.waitForFiring(of: hang)
        } afterwards: { database in
            let message = try #require(try await database.status(id: 1))
            #expect(message.state == .deferred)
            let attempts = try await database.attempts(of: 1)
            #expect(attempts.map(\.outcome) == [.uncertain])
            #expect(attempts.first?.detail == "ended by the shutdown of outboxd")
        }
    }

    /// Runs the service, and inspects the database once it has ended.
    private func withOutcome(
        _ choices: DeliveryFixture.Choices,
        during: @Sendable @escaping (DeliveryFixture) async throws -> Void,
        afterwards: @Sendable @escaping (OutboxDatabase) async throws -> Void
    ) async throws {
        try await DeliveryFixture.run(choices) { fixture in
            try await during(fixture)
            await fixture.shutdown.triggerGracefulShutdown()
            _ = try await fixture.log.waitUntil("delivery stopped") {
                fixture.log.all.contains { $0.hasPrefix("delivery stopped") } ? true : nil
            }
            try await afterwards(fixture.database)
        }
    }
}
