// The complete loop: from an inserted row to its final state.

import FakeSMTP
import Foundation
import OutboxCore
import OutboxDelivery
import OutboxStore
import SMTPTransport
import ServiceLifecycle
import Testing

@Suite("Delivery", .timeLimit(.minutes(10)))
struct DeliveryTests {
    @Test("sends a message that another connection inserted, and records the relay's words")
    func accepted() async throws {
        try await DeliveryFixture.run { fixture in
            let id = try await fixture.enqueue(.sample())
            let status = try await fixture.wait(for: id, .accepted)
            let mail = try #require(fixture.server.ledger.accepted.first)
            #expect(mail.recipients == ["ann@example.com"])
            #expect(mail.mailFrom == "no-reply@cloudone.trendmicro.com")
            #expect(mail.text.contains("Subject: Verify your email address\r\n"))
            #expect(status.detail == "250 2.0.0 Ok: queued as \(mail.queueID)")
            #expect(status.attempts == 1)
        }
    }

    @Test("a temporary refusal is tried again by the schedule, with the same bytes and Message-ID")
    func retried() async throws {
        var choices = DeliveryFixture.Choices()
        choices.faults = ["finalDot: accept-drop nth 1", "rcpt: reply 450 4.2.1 \"busy\" nth 2"]
        choices.schedule = RetrySchedule(delays: [.milliseconds(50)], jitter: 0)
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            _ = try await fixture.wait(for: id, .accepted)
            let attempts = try await fixture.database.attempts(of: id)
            #expect(attempts.map(\.outcome) == [.uncertain, .deferred, .accepted])
            #expect(attempts.map(\.attempt) == [1, 2, 3])
            let mails = fixture.server.ledger.accepted
            #expect(mails.count == 2)
            #expect(mails.first?.bytes == mails.last?.bytes)
            for (earlier, later) in zip(attempts, attempts.dropFirst()) {
                let pause = later.startedAt.timeSince(try #require(earlier.finishedAt))
                #expect(pause >= .milliseconds(49))
            }
        }
    }

    @Test("waiting messages are claimed in batches, because every claim is a transaction")
    func claimedInBatches() async throws {
        let count = 200
        try await DeliveryFixture.run(prepare: { database in
            for number in 1...count { _ = try await database.enqueue(.sample("person\(number)@example.com")) }
        }) { fixture in
            _ = try await fixture.wait(for: Int64(count), .accepted)
            // Two lanes have at most 32 claims, and request more when half of them are gone.
            let claims = fixture.log.all.filter { $0.hasPrefix("messages claimed") }
            #expect(claims.count <= count / 16 + 1, "\(claims)")
        }
    }

    @Test("the fault of one message delays no other")
    func isolation() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 1
        choices.faults = ["rcpt: reply 550 5.1.1 \"No such user\" for nobody@example.com"]
        try await DeliveryFixture.run(choices) { fixture in
            let unknownKind = try await fixture.enqueue(.sample(kind: "invented"))
            let refused = try await fixture.enqueue(.sample("nobody@example.com"))
            let good = try await fixture.enqueue(.sample())
            _ = try await fixture.wait(for: good, .accepted)
            let rejected = try await fixture.wait(for: refused, .rejected)
            #expect(rejected.detail == "550 5.1.1 No such user")
            #expect(rejected.advice == "fix-address")
            let waiting = try await fixture.wait(for: unknownKind, .deferred)
            #expect(waiting.detail?.contains("no templates for the kind 'invented'") == true)
            let attempt = try #require(try await fixture.database.attempts(of: unknownKind).first)
            #expect(attempt.stage?.known == .compose && attempt.fault?.known == .configuration && attempt.relay == nil)
        }
    }

    @Test("a token whose time is over is never sent")
    func expired() async throws {
        try await DeliveryFixture.run { fixture in
            let id = try await fixture.enqueue(.sample(expiresAt: .now))
            let status = try await fixture.wait(for: id, .expired)
            #expect(status.attempts == 0 && status.advice == "request-new")
            #expect(fixture.server.ledger.connectionCount == 0)
        }
    }

    @Test("a token that expires between two attempts is not sent by the second")
    func expiresWhileDeferred() async throws {
        let started = Timestamp.now
        let clock = VirtualClock(now: started)
        var choices = DeliveryFixture.Choices()
        choices.faults = ["rcpt: reply 450 4.2.1 \"busy\" nth 1"]
        choices.schedule = RetrySchedule(delays: [.seconds(60)], jitter: 0)
        choices.environment.now = { clock.now + Timestamp.now.timeSince(started) }
        choices.environment.uptime = { clock.uptime + Timestamp.now.timeSince(started) }
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample(expiresAt: .now + .seconds(600)))
            _ = try await fixture.wait(for: id, .deferred)
            // The machine was suspended for an hour.
            clock.advance(to: clock.now + .seconds(3600))
            _ = try await fixture.enqueue(.sample("ben@example.com"))
            let status = try await fixture.wait(for: id, .expired)
            #expect(status.attempts == 1)
            #expect(status.detail == "450 4.2.1 busy")
            #expect(fixture.server.ledger.accepted.flatMap(\.recipients).contains("ann@example.com") == false)
        }
    }

    @Test("a lease that ran out is rescued, and its message sent")
    func rescued() async throws {
        var choices = DeliveryFixture.Choices()
        // A lost claim must stay unchanged for a third of this.
        choices.lease = .seconds(1)
        try await DeliveryFixture.run(
            choices,
            prepare: { database in
                _ = try await database.enqueue(.sample())
                let crashed = try OutboxDatabase(path: database.path, access: .writing, claimant: "crashed")
                let past = Timestamp.now + .milliseconds(1)
                _ = try await crashed.claim(
                    .ordinary(),
                    limit: 1,
                    now: past,
                    lease: .milliseconds(100),
                    rules: DeliveryRules(),
                    expiryHold: nil
                )
            },
            { fixture in
                _ = try await fixture.wait(for: 1, .accepted)
                let attempts = try await fixture.database.attempts(of: 1)
                #expect(attempts.map(\.outcome) == [.uncertain, .accepted])
            }
        )
    }

    @Test("a living daemon keeps its claim however long the relay takes")
    func renewal() async throws {
        var choices = DeliveryFixture.Choices()
        choices.faults = ["finalDot: delay 6s"]
        choices.lease = .seconds(2)
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(30) }
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            _ = try await fixture.wait(for: id, .accepted)
            #expect(try await fixture.database.attempts(of: id).map(\.outcome) == [.accepted])
            #expect(fixture.server.ledger.acceptedCount == 1)
        }
    }

    @Test("a thousand rows of one transaction are each accepted once, over few connections")
    func thousand() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 10
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(30) }
        try await DeliveryFixture.run(choices) { fixture in
            let other = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await other.enqueue((1...1000).map { .sample("person\($0)@example.com") })
            let mails = try await fixture.server.ledger.waitForAccepted(count: 1000, timeout: .seconds(90))
            #expect(Set(mails.flatMap(\.recipients)).count == 1000)
            _ = try await fixture.log.waitUntil("all are recorded", timeout: .seconds(90)) {
                try await fixture.database.list(StatusFilter(state: .accepted, limit: 2000)).count == 1000 ? true : nil
            }
            #expect(fixture.server.ledger.acceptedCount == 1000)
            #expect(fixture.server.ledger.connectionCount <= 20)
        }
    }

    @Test("an idle connection is closed with QUIT after its time")
    func idle() async throws {
        var choices = DeliveryFixture.Choices()
        choices.changeRelay = { $0.configuration.idle = .milliseconds(200) }
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            _ = try await fixture.wait(for: id, .accepted)
            try await fixture.server.ledger.waitForDisconnections(count: 1)
            #expect(fixture.server.ledger.commands["QUIT"] == 1)
        }
    }

    /// Longer than a test, so that a message that waits for this never leaves.
    private static let forEver = Duration.seconds(3600)

    @Test("a relay that never answers QUIT delays no report, no further mail and no shutdown", arguments: [1, 2])
    func unansweredQuit(messagesPerConnection: Int) async throws {
        var choices = DeliveryFixture.Choices()
        let hang: Fault = "quit: hang"
        choices.faults = [hang]
        choices.connections = 1
        choices.changeRelay = {
            $0.configuration.messagesPerConnection = messagesPerConnection
            $0.configuration.replyTimeout = Self.forEver
        }
        try await DeliveryFixture.run(choices) { fixture in
            for _ in 1...3 {
                let id = try await fixture.enqueue(.sample())
                _ = try await fixture.wait(for: id, .accepted)
            }
            #expect(fixture.server.ledger.acceptedCount == 3)
            await fixture.shutdown.triggerGracefulShutdown()
            _ = try await fixture.log.waitUntil("delivery stopped") {
                fixture.log.all.contains { $0.hasPrefix("delivery stopped") } ? true : nil
            }
            #expect(!fixture.log.all.contains { $0.hasPrefix("shutdown grace is over") })
        }
    }

    @Test("a mail that comes while the idle connection's QUIT is unanswered is sent")
    func mailDuringQuit() async throws {
        var choices = DeliveryFixture.Choices()
        let hang: Fault = "quit: hang"
        choices.faults = [hang]
        choices.connections = 1
        choices.changeRelay = {
            $0.configuration.idle = .seconds(1)
            $0.configuration.replyTimeout = Self.forEver
        }
        try await DeliveryFixture.run(choices) { fixture in
            _ = try await fixture.wait(for: fixture.enqueue(.sample()), .accepted)
            try await fixture.server.ledger.waitForFiring(of: hang)
            _ = try await fixture.wait(for: fixture.enqueue(.sample()), .accepted)
        }
    }

    @Test(
        "a token that the relay repeats is neither stored nor logged, in whatever reply, however it is written",
        arguments: [
            "https://cloudone.trendmicro.com/verify-email?token=CANARY-70c3", "CANARY-70c3", "canary%2D70C3",
            "Q0FOQVJZLTcwYzM=", "CANARY\\n-70c3",
        ]
    )
    func repeatedToken(words: String) async throws {
        for fault in ["rcpt: reply 450 4.7.1", "finalDot: reply 554 5.7.1", "finalDot: reply 250 2.0.0"] {
            var choices = DeliveryFixture.Choices()
            choices.faults = [try Fault(parsing: "\(fault) \"listed: \(words) queued as Q1\"")]
            choices.changeRelay = { $0.configuration.replyTimeout = .seconds(60) }
            try await DeliveryFixture.run(choices) { fixture in
                let id = try await fixture.enqueue(.sample())
                let status = try await fixture.log.waitUntil("an attempt is recorded") {
                    let status = try await fixture.database.status(id: id)
                    return status?.detail == nil ? nil : status
                }
                let attempts = try await fixture.database.attempts(of: id)
                // The first line names the test's folder, which has a random name.
                let lines = fixture.log.all.filter { !$0.hasPrefix("delivery started") }
                let told = "\(status) \(attempts) \(lines)".lowercased()
                for piece in ["canary", "70c3", "q0foqvjz"] { #expect(!told.contains(piece), "\(told)") }
                #expect(status.detail?.hasPrefix(fault.suffix(9)) == true, "\(told)")
                #expect(status.detail?.contains("listed: ") == true, "\(told)")
            }
        }
    }

    @Test("no line of the log holds a token or an address")
    func secrecy() async throws {
        var choices = DeliveryFixture.Choices()
        choices.faults = ["rcpt: reply 450 4.2.1 \"<ann@example.com>: busy\" nth 1"]
        choices.schedule = RetrySchedule(delays: [.milliseconds(10)], jitter: 0)
        try await DeliveryFixture.run(choices) { fixture in
            let id = try await fixture.enqueue(.sample())
            _ = try await fixture.wait(for: id, .accepted)
            #expect(fixture.log.all.contains { $0.hasPrefix("message deferred") })
            #expect(!fixture.log.all.contains { $0.contains("CANARY") || $0.contains("ann@example.com") })
        }
    }
}
