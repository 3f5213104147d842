// Several relays: some down, some slow, some that refuse everybody.

import FakeSMTP
import Foundation
import OutboxCore
import OutboxDelivery
import OutboxStore
import SMTPTransport
import Testing

@Suite("Relays", .timeLimit(.minutes(10)))
struct RelayTests {
    private static func people(_ count: Int) -> [NewMessage] {
        (1...count).map { .sample("person\($0)@example.com") }
    }

    private static func patient(_ relay: inout SMTPRelay) {
        relay.configuration.connectTimeout = .seconds(30)
        relay.configuration.replyTimeout = .seconds(30)
    }

    @Test("with the first relay down, messages go through the second at once, and back when it works again")
    func failover() async throws {
        try await FakeSMTPServer.with { second in
            var choices = DeliveryFixture.Choices()
            choices.faults = ["connect: drop"]
            choices.changeRelay = Self.patient
            var fallback = SMTPRelay(
                RelayConfiguration(name: "second", url: "smtp://127.0.0.1:\(second.port)", tls: .none)
            )
            Self.patient(&fallback)
            fallback.configuration.connections = 2
            choices.furtherRelays = [DeliveryRelay(fallback, setting: "relays[1]")]
            try await DeliveryFixture.run(choices) { fixture in
                for message in Self.people(20) { _ = try await fixture.enqueue(message) }
                for id in 1...20 {
                    let status = try await fixture.wait(for: Int64(id), .accepted)
                    #expect(status.attempts == 1)
                }
                #expect(second.ledger.acceptedCount == 20)
                #expect(fixture.log.all.count { $0.hasPrefix("relay is paused") } == 1)
                let relays = try await fixture.database.relays()
                #expect(relays.map(\.name) == ["fake", "second"])
                #expect(relays[0].state != .up && relays[0].reason?.known == .connectionLost && relays[1].state == .up)

                fixture.server.setFaults([])
                // Only a message can show whether the relay works, so messages are added until one did.
                var count = 20
                while fixture.server.ledger.acceptedCount == 0 {
                    count += 1
                    let id = try await fixture.enqueue(.sample("late\(count)@example.com"))
                    _ = try await fixture.wait(for: id, .accepted)
                }
                _ = try await fixture.log.waitUntil("the relay is up") {
                    try await fixture.database.relays().allSatisfy { $0.state == .up } ? true : nil
                }
                let before = second.ledger.acceptedCount
                let id = try await fixture.enqueue(.sample("last@example.com"))
                _ = try await fixture.wait(for: id, .accepted)
                #expect(second.ledger.acceptedCount == before)
            }
        }
    }

    @Test("with no relay up, messages stay open, lose no attempt, are called delayed, and leave when one is back")
    func outage() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 4
        choices.faults = ["connect: reply 421 4.3.2 \"down for maintenance\""]
        choices.changeRelay = Self.patient
        try await DeliveryFixture.run(choices) { fixture in
            let other = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await other.enqueue(Self.people(200))
            // Several probes have failed.
            _ = try await fixture.log.waitUntil("probes fail") {
                fixture.log.all.count { $0.hasPrefix("relay is still down") } >= 6 ? true : nil
            }
            let open = try await fixture.database.list(StatusFilter(limit: 1000))
            #expect(open.count == 200)
            for message in open where message.state != .sending {
                #expect([.queued, .deferred].contains(message.state) && message.attempts == 0)
                #expect(message.advice == "delivery-delayed")
            }
            #expect(fixture.log.all.count { $0.hasPrefix("relay is paused") } == 1)
            #expect(!fixture.log.all.contains { $0.hasPrefix("message deferred") && $0.contains("level=notice") })
            // Four lanes at first, then one probe at a time, after 1, 2, 4 … s.
            #expect(fixture.server.ledger.connectionCount <= 4 + 8)
            let relay = try await fixture.waitForRelay { $0.reason?.known == .relayClosing }
            #expect(relay.detail == "421 4.3.2 down for maintenance")

            fixture.server.setFaults([])
            _ = try await fixture.server.ledger.waitForAccepted(count: 200, timeout: .seconds(60))
            for id in 1...200 { #expect(try await fixture.wait(for: Int64(id), .accepted).attempts == 1) }
            #expect(fixture.log.all.count { $0.hasPrefix("relay is back") } == 1)
            #expect(fixture.server.ledger.acceptedCount == 200)
        }
    }

    @Test("refused credentials cost no message anything, are logged once, and mended by a reload")
    func credentials() async throws {
        var choices = DeliveryFixture.Choices()
        choices.server = .init(credentials: ["outboxd": "CANARY-right"])
        choices.changeRelay = { relay in
            Self.patient(&relay)
            relay.credentials = SMTPCredentials(user: "outboxd", password: "CANARY-wrong")
        }
        try await DeliveryFixture.run(choices) { fixture in
            let other = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await other.enqueue(Self.people(100))
            _ = try await fixture.log.waitUntil("a probe fails") {
                fixture.log.all.contains { $0.hasPrefix("relay is still down") } ? true : nil
            }
            let errors = fixture.log.all.filter { $0.hasPrefix("relay is paused: mend the configuration") }
            #expect(errors.count == 1)
            #expect(errors.first?.contains("setting=relays[0]: user and password") == true)
            #expect(errors.first?.contains("reason=authentication-refused") == true)
            let relay = try await fixture.waitForRelay { $0.reason?.known == .authenticationRefused }
            #expect(relay.fault?.known == .configuration)
            #expect(relay.setting == "relays[0]: user and password")

            var mended = SMTPRelay(
                RelayConfiguration(name: "fake", url: "smtp://127.0.0.1:\(fixture.server.port)", tls: .none)
            )
            Self.patient(&mended)
            mended.credentials = SMTPCredentials(user: "outboxd", password: "CANARY-right")
            fixture.use(mended)
            _ = try await fixture.server.ledger.waitForAccepted(count: 100, timeout: .seconds(60))
            for id in 1...100 { #expect(try await fixture.wait(for: Int64(id), .accepted).attempts == 1) }
            #expect(!fixture.log.all.contains { $0.contains("CANARY") })
        }
    }

    @Test("a new configuration is used from the next message on, however many wait")
    func reloadWhileBusy() async throws {
        try await FakeSMTPServer.with { second in
            var choices = DeliveryFixture.Choices()
            choices.connections = 1
            choices.faults = ["finalDot: delay 20ms"]
            choices.changeRelay = Self.patient
            try await DeliveryFixture.run(choices) { fixture in
                let other = try OutboxDatabase(path: fixture.database.path, access: .writing)
                _ = try await other.enqueue(Self.people(1000))
                _ = try await fixture.server.ledger.waitForAccepted(count: 3, timeout: .seconds(60))
                // A move to another server shows best that the lane uses the new settings.
                var moved = SMTPRelay(
                    RelayConfiguration(name: "fake", url: "smtp://127.0.0.1:\(second.port)", tls: .none)
                )
                Self.patient(&moved)
                fixture.use(moved)
                _ = try await second.ledger.waitForAccepted(count: 1, timeout: .seconds(60))
                #expect(fixture.server.ledger.acceptedCount < 1000)
            }
        }
    }

    @Test("a relay gets no more messages a second than its rate")
    func rate() async throws {
        var choices = DeliveryFixture.Choices()
        choices.rate = 20
        choices.changeRelay = Self.patient
        try await DeliveryFixture.run(choices) { fixture in
            let other = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await other.enqueue(Self.people(70))
            let mails = try await fixture.server.ledger.waitForAccepted(count: 70, timeout: .seconds(60))
            let times = mails.map(\.acceptedAt).sorted()
            // A burst of one second's messages, then twenty a second.
            let span = try #require(times.last).timeIntervalSince(try #require(times.first))
            #expect(span >= 2.4)
        }
    }

    @Test("a relay that refuses everybody is the suspect: messages stay open, nobody is suppressed, one error")
    func suspicion() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 5
        choices.suspectAfter = 20
        choices.refusalHolding = .seconds(5)
        choices.schedule = RetrySchedule(delays: [.milliseconds(200)], jitter: 0)
        choices.faults = ["rcpt: reply 550 5.1.1 \"No such user\""]
        choices.changeRelay = Self.patient
        try await DeliveryFixture.run(choices) { fixture in
            let other = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await other.enqueue(Self.people(60))
            _ = try await fixture.waitForRelay { $0.state == .suspected }
            _ = try await fixture.log.waitUntil("everybody is refused twice") {
                fixture.server.ledger.firingCount >= 120 ? true : nil
            }
            let messages = try await fixture.database.list(StatusFilter(limit: 100))
            #expect(messages.allSatisfy { $0.state.isOpen })
            #expect(try await fixture.database.suppressions(at: .now).isEmpty)
            #expect(fixture.log.all.count { $0.hasPrefix("relay is suspected: it refuses everybody") } == 1)
            let relay = try await fixture.waitForRelay { $0.reason?.known == .refusesEverybody }
            #expect(relay.fault?.known == .relay)

            fixture.server.setFaults([])
            _ = try await fixture.server.ledger.waitForAccepted(count: 60, timeout: .seconds(60))
            for id in 1...60 { _ = try await fixture.wait(for: Int64(id), .accepted) }
            #expect(try await fixture.database.suppressions(at: .now).isEmpty)
        }
    }

    @Test("slow refusals are final one by one; if the relay proves to refuse everybody, none stays suppressed")
    func slowSuspicion() async throws {
        var choices = DeliveryFixture.Choices()
        choices.suspectAfter = 4
        choices.refusalHolding = .milliseconds(20)
        choices.faults = ["rcpt: reply 550 5.1.1 \"No such user\""]
        choices.changeRelay = Self.patient
        try await DeliveryFixture.run(choices) { fixture in
            for number in 1...3 {
                let id = try await fixture.enqueue(.sample("person\(number)@example.com"))
                #expect(try await fixture.wait(for: id, .rejected).advice == "fix-address")
            }
            #expect(try await fixture.database.suppressions(at: .now).count == 3)
            let last = try await fixture.enqueue(.sample("person4@example.com"))
            #expect(try await fixture.wait(for: last, .deferred).detail == "550 5.1.1 No such user")
            _ = try await fixture.log.waitUntil("the addresses are off the list") {
                try await fixture.database.suppressions(at: .now).isEmpty ? true : nil
            }
        }
    }

    @Test("a real refusal between acceptances is final, and suppresses its address")
    func realRefusal() async throws {
        var choices = DeliveryFixture.Choices()
        choices.refusalHolding = .seconds(3600)
        choices.faults = ["rcpt: reply 550 5.1.1 \"No such user\" for nobody@example.com"]
        choices.changeRelay = Self.patient
        try await DeliveryFixture.run(choices) { fixture in
            let refused = try await fixture.enqueue(.sample("nobody@example.com"))
            try await fixture.server.ledger.waitForFiring(of: fixture.server.faults[0])
            // The refusal counts as soon as the relay has accepted another message.
            let good = try await fixture.enqueue(.sample("ann@example.com"))
            _ = try await fixture.wait(for: good, .accepted)
            _ = try await fixture.wait(for: refused, .rejected)
            let again = try await fixture.enqueue(.sample("nobody@EXAMPLE.com"))
            _ = try await fixture.wait(for: again, .suppressed)
            #expect(fixture.server.ledger.firingCount(of: fixture.server.faults[0]) == 1)
        }
    }

    @Test("a message that breaks its conversation each time has its attempts counted, and delays no other")
    func poison() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 4
        choices.schedule = RetrySchedule(delays: [.milliseconds(100)], jitter: 0)
        choices.faults = ["data: drop for poison@example.com", "data: delay 5ms"]
        choices.changeRelay = Self.patient
        try await DeliveryFixture.run(choices) { fixture in
            let poison = try await fixture.enqueue(.sample("poison@example.com"))
            let other = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await other.enqueue(Self.people(300))
            _ = try await fixture.server.ledger.waitForAccepted(count: 300, timeout: .seconds(60))
            let status = try #require(try await fixture.database.status(id: poison))
            #expect(status.state == .deferred || status.state == .sending)
        }
    }

    @Test("a newer message supersedes one that waits for a lane, before anything is sent of it")
    func supersededInLane() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 1
        choices.rules = DeliveryRules(limits: nil)
        choices.grace = .milliseconds(50)
        let busy: Fault = "finalDot: hang"
        choices.faults = [busy]
        // Longer than the test waits: otherwise a time-out would also give the claim back.
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(120) }
        try await DeliveryFixture.run(choices) { fixture in
            _ = try await fixture.enqueue(.sample("first@example.com"))
            try await fixture.server.ledger.waitForFiring(of: busy)
            let older = try await fixture.enqueue(.sample())
            _ = try await fixture.wait(for: older, .sending)
            let newer = try await fixture.enqueue(.sample())
            let status = try await fixture.wait(for: older, .superseded)
            #expect(status.attempts == 0)
            #expect(try await fixture.database.attempts(of: older).isEmpty)
            _ = try await fixture.wait(for: newer, .sending)
            #expect(fixture.server.ledger.commands["MAIL"] == 1)
        }
    }

    @Test("a relay that says when to come back is obeyed")
    func greylisting() async throws {
        var choices = DeliveryFixture.Choices()
        choices.faults = ["rcpt: reply 451 4.7.1 \"Greylisted, try again in 7 minutes\" nth 1"]
        choices.changeRelay = Self.patient
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            let status = try await fixture.wait(for: id, .deferred)
            let attempt = try #require(try await fixture.database.attempts(of: id).first)
            #expect(attempt.reason?.known == .greylisted)
            #expect(status.nextAttemptAt?.timeSince(try #require(attempt.finishedAt)) == .seconds(420))
        }
    }
}
