// The changes that a newer configuration makes while delivery runs, and those that need a restart.

import FakeSMTP
import Foundation
import MailComposer
import OutboxCore
import OutboxDelivery
import OutboxStore
import SMTPTransport
import Testing

@Suite("A newer configuration", .timeLimit(.minutes(10)))
struct ReloadTests {
    @Test("is taken over except for the keys that need a restart, which are named")
    func merging() async throws {
        try await DeliveryFixture.run { fixture in
            let old = fixture.configuration.value
            var newer = old
            newer.relays[0].configuration.connections = 7
            newer.relays[0].configuration.suspectAfter = 3
            newer.relays[0].configuration.rate = 5
            newer.relays[0].configuration.replyTimeout = .seconds(9)
            var second = newer.relays[0]
            second.configuration.name = "second"
            newer.relays.append(second)
            newer.settings.times.lease = .seconds(30)
            newer.settings.times.pollInterval = .seconds(3)
            newer.settings.times.shutdownGrace = .seconds(4)
            newer.settings.rules.suppression = .seconds(5)
            let keys = fixture.configuration.take(newer)
            #expect(
                keys == [
                    "relays (number, order or names)", "connections of fake", "suspect_after of fake", "lease",
                    "poll_interval",
                ]
            )
            let taken = fixture.configuration.value
            #expect(taken.relays.map(\.name) == ["fake"])
            #expect(
                taken.relays[0].configuration.connections == old.relays[0].configuration.connections
                    && taken.relays[0].configuration.suspectAfter == 20
            )
            #expect(
                taken.relays[0].configuration.rate == 5 && taken.relays[0].configuration.replyTimeout == .seconds(9)
            )
            #expect(taken.settings.times.lease == old.settings.times.lease)
            #expect(taken.settings.times.pollInterval == old.settings.times.pollInterval)
            #expect(
                taken.settings.times.shutdownGrace == .seconds(4) && taken.settings.rules.suppression == .seconds(5)
            )
        }
    }

    @Test("changes sender, schedule, rules and rate from the next message on")
    func inUse() async throws {
        var choices = DeliveryFixture.Choices()
        choices.rate = 0.01
        choices.faults = [#"rcpt: reply 450 4.2.1 "Busy" for late@example.com"#]
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(10) }
        try await DeliveryFixture.run(choices) { fixture in
            let first = try await fixture.enqueue(.sample())
            _ = try await fixture.wait(for: first, .accepted)
            var newer = fixture.configuration.value
            newer.settings = DeliverySettings(
                envelopeSender: { _ in "bounces@example.com" },
                schedule: RetrySchedule(delays: [.seconds(7)], jitter: 0),
                rules: DeliveryRules(limits: ResendLimits(minimumInterval: .seconds(600), perHour: 6))
            )
            newer.relays[0].configuration.rate = nil
            _ = fixture.configuration.take(newer)

            // With the old rate the next message would pass after 100 s.
            let other = try await fixture.enqueue(.sample("ben@example.com"))
            _ = try await fixture.wait(for: other, .accepted)
            #expect(fixture.server.ledger.accepted.map(\.mailFrom).last == "bounces@example.com")
            let late = try await fixture.enqueue(.sample("late@example.com"))
            let deferred = try await fixture.wait(for: late, .deferred)
            let attempt = try #require(try await fixture.database.attempts(of: late).first)
            let next = try #require(deferred.nextAttemptAt)
            #expect(next.timeSince(try #require(attempt.finishedAt)) == .seconds(7))
            let again = try await fixture.enqueue(.sample("ben@example.com"))
            _ = try await fixture.log.waitUntil("the limit holds it") {
                fixture.log.all.contains { $0 == "message held by the limit on resends message.id=\(again)" }
                    ? true : nil
            }
        }
    }
}
