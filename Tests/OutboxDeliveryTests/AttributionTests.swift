// Finds out who is at fault for a failure from the relay's other answers: one recipient, one domain, the relay, or us.

import FakeSMTP
import Foundation
import OutboxCore
import OutboxDelivery
import OutboxStore
import SMTPTransport
import Testing

@Suite("Attribution by evidence", .timeLimit(.minutes(10)))
struct AttributionTests {
    private static func patient(_ relay: inout SMTPRelay) {
        relay.configuration.connectTimeout = .seconds(30)
        relay.configuration.replyTimeout = .seconds(30)
    }

    /// A fixture's choices with a quick retry schedule.
    private static func choices(_ faults: [Fault], connections: Int = 2) -> DeliveryFixture.Choices {
        var choices = DeliveryFixture.Choices()
        choices.connections = connections
        choices.schedule = RetrySchedule(delays: [.milliseconds(300)], jitter: 0)
        choices.faults = faults
        choices.changeRelay = Self.patient
        return choices
    }

    /// Runs with a second relay that accepts everything.
    private static func withSecondRelay(
        _ choices: DeliveryFixture.Choices,
        _ body: @Sendable @escaping (DeliveryFixture, FakeSMTPServer) async throws -> Void
    ) async throws {
        try await FakeSMTPServer.with { second in
            var choices = choices
            var relay = SMTPRelay(
                RelayConfiguration(name: "second", url: "smtp://127.0.0.1:\(second.port)", tls: .none)
            )
            Self.patient(&relay)
            relay.configuration.connections = 2
            choices.furtherRelays = [DeliveryRelay(relay, setting: "relays[1]")]
            try await DeliveryFixture.run(choices) { try await body($0, second) }
        }
    }

    @Test(
        "a message that a relay always refuses as if everybody were meant pays for itself and ends, and pauses nobody",
        arguments: [
            "rcpt: reply 554 5.7.1 \"Relay access denied\" for bad@example.com",
            "rcpt: reply 500 \"Syntax error\" for bad@example.com",
            "finalDot: reply 500 5.5.1 \"Command unrecognized\" for bad@example.com",
        ] as [Fault]
    )
    func oneRecipient(fault: Fault) async throws {
        try await DeliveryFixture.run(Self.choices([fault])) { fixture in
            let bad = try await fixture.enqueue(.sample("bad@example.com"))
            try await fixture.server.ledger.waitForFiring(of: fault)
            for number in 1... {
                let good = try await fixture.enqueue(.sample("good\(number)@example.com"))
                #expect(try await fixture.wait(for: good, .accepted).attempts == 1)
                if try await fixture.database.status(id: bad)?.state == .rejected { break }
            }
            let attempts = try await fixture.database.attempts(of: bad)
            #expect(attempts.count >= 2)
            #expect(!fixture.log.all.contains { $0.hasPrefix("relay is paused") })
            #expect(try await fixture.database.suppressions(at: .now).isEmpty)
        }
    }

    @Test("a message on which a relay always closes the connection has its attempts counted, and pauses no relay")
    func oneRecipientClosing() async throws {
        let fault: Fault = "rcpt: reply 421 4.3.2 \"closing\" for bad@example.com"
        try await DeliveryFixture.run(Self.choices([fault])) { fixture in
            let bad = try await fixture.enqueue(.sample("bad@example.com"))
            try await fixture.server.ledger.waitForFiring(of: fault)
            for number in 1... {
                let good = try await fixture.enqueue(.sample("good\(number)@example.com"))
                _ = try await fixture.wait(for: good, .accepted)
                if try await fixture.database.status(id: bad)?.attempts ?? 0 >= 2 { break }
            }
            #expect(!fixture.log.all.contains { $0.hasPrefix("relay is paused") })
        }
    }

    @Test("in an idle outbox one bad recipient does not keep the next message waiting")
    func idleOutbox() async throws {
        let fault: Fault = "rcpt: reply 421 4.3.2 \"closing\" for bad@example.com"
        var choices = Self.choices([fault])
        choices.schedule = RetrySchedule(delays: [.milliseconds(50)], jitter: 0)
        try await DeliveryFixture.run(choices) { fixture in
            let bad = try await fixture.enqueue(.sample("bad@example.com"))
            _ = try await fixture.log.waitUntil("it has failed five times") {
                try await fixture.database.attempts(of: bad).count >= 5 ? true : nil
            }
            let status = try #require(try await fixture.database.status(id: bad))
            #expect(status.attempts == (status.state == .sending ? 1 : 0))
            #expect(try await fixture.database.relays().first?.state == .up)
            let good = try await fixture.enqueue(.sample("good@example.com"))
            _ = try await fixture.wait(for: good, .accepted)
            #expect(!fixture.log.all.contains { $0.hasPrefix("relay is paused") })
        }
    }

    @Test("a relay that fails every message is suspected with an error, no message pays, and all leave once it works")
    func everyMessage() async throws {
        var choices = Self.choices(["rcpt: reply 421 4.3.2 \"closing\""])
        choices.schedule = RetrySchedule(delays: [.seconds(2)], jitter: 0)
        try await DeliveryFixture.run(choices) { fixture in
            for number in 1...10 { _ = try await fixture.enqueue(.sample("person\(number)@example.com")) }
            let relay = try await fixture.waitForRelay { $0.state == .suspected }
            #expect(relay.reason?.known == .relayClosing && relay.stage?.known == .rcpt)
            #expect(fixture.log.all.count { $0.hasPrefix("relay is suspected: it fails every message") } == 1)
            for status in try await fixture.database.list(StatusFilter(limit: 20)) {
                #expect(status.attempts == (status.state == .sending ? 1 : 0))
                #expect(status.advice == "delivery-delayed")
            }
            fixture.server.setFaults([])
            for id in 1...10 {
                #expect(try await fixture.wait(for: Int64(id), .accepted).attempts == 1)
            }
            #expect(fixture.server.ledger.acceptedCount == 10)
        }
    }

    @Test(
        "a relay that refuses everybody, one after the other, ends nobody's message while another relay works",
        arguments: [
            "rcpt: reply 554 5.7.1 \"Not today\"", "finalDot: reply 554 \"Transaction failed\"",
            "data: reply 550 5.0.0 \"No\"",
        ] as [Fault]
    )
    func trickle(fault: Fault) async throws {
        try await Self.withSecondRelay(Self.choices([fault])) { fixture, second in
            for number in 1...15 {
                let id = try await fixture.enqueue(.sample("person\(number)@example.com"))
                _ = try await fixture.wait(for: id, .accepted)
            }
            #expect(second.ledger.acceptedCount == 15)
            #expect(fixture.server.ledger.acceptedCount == 0)
            // Once the relay is suspected, it gets a message now and then.
            let relay = try await fixture.waitForRelay { $0.state == .suspected }
            #expect(relay.reason?.known == .refusesEverybody)
            #expect(relay.stage?.rawValue == fault.stage.rawValue.lowercased().replacing("finaldot", with: "final-dot"))
            #expect(relay.detail?.contains("; the last one with: 55") == true)
            #expect(fixture.server.ledger.firingCount(of: fault) < 15)
        }
    }

    @Test("with one relay that refuses everybody, messages stay open, pay nothing, and leave when it takes them again")
    func trickleAlone() async throws {
        let fault: Fault = "finalDot: reply 554 \"Transaction failed\""
        try await DeliveryFixture.run(Self.choices([fault])) { fixture in
            for number in 1...15 {
                _ = try await fixture.enqueue(.sample("person\(number)@example.com"))
                _ = try await fixture.log.waitUntil("it is refused") {
                    try await fixture.database.attempts(of: Int64(number)).first?.finishedAt
                }
            }
            _ = try await fixture.log.waitUntil("it is refused again and again") {
                fixture.server.ledger.firingCount(of: fault) >= 60 ? true : nil
            }
            let open = try await fixture.database.list(StatusFilter(limit: 100))
            #expect(open.allSatisfy { $0.state == .deferred || $0.state == .sending })
            #expect(try await fixture.database.relays().first?.state == .suspected)
            fixture.server.setFaults([])
            for id in 1...15 { _ = try await fixture.wait(for: Int64(id), .accepted) }
            #expect(fixture.server.ledger.acceptedCount == 15)
            #expect(try await fixture.database.relays().first?.state == .up)
        }
    }

    @Test(
        "what a relay says of us ends no message, costs no attempt, suppresses nobody, and the next relay gets the mail",
        arguments: [
            "data: reply 550 5.4.5 \"Daily user sending limit exceeded\"",
            "finalDot: reply 554 5.2.0 \"STOREDRV.Submission.Exception:SubmissionQuotaExceededException\"",
            "rcpt: reply 550 \"Domain example.com has exceeded the max emails per hour (50/50 (100%)) allowed\"",
            "finalDot: reply 454 \"Throttling failure: Daily message quota exceeded.\"",
            "finalDot: reply 554 5.2.252 \"SendAsDenied; no-reply@example.com not allowed to send as\"",
            "finalDot: reply 554 \"Message rejected: Email address is not verified.\"",
            "rcpt: reply 550 \"No Such User Here\\nSender verify failed\"",
            "rcpt: reply 554 5.7.1 \"Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org\"",
            "finalDot: reply 550 5.7.26 \"This mail is unauthenticated: SPF and DKIM did not pass\"",
        ] as [Fault]
    )
    func aboutUs(fault: Fault) async throws {
        try await Self.withSecondRelay(Self.choices([fault])) { fixture, second in
            for number in 1...5 {
                let id = try await fixture.enqueue(.sample("person\(number)@example.com"))
                #expect(try await fixture.wait(for: id, .accepted).attempts == 1)
            }
            #expect(second.ledger.acceptedCount == 5)
            let relay = try await fixture.waitForRelay { $0.state != .up }
            #expect(relay.fault?.known == .relay || relay.setting != nil)
            #expect(try await fixture.database.suppressions(at: .now).isEmpty)
            // A few messages find it out, or one if the reply says how long the fault lasts. A suspected relay gets a
            // message now and then.
            #expect(fixture.server.ledger.firingCount(of: fault) <= 5)
        }
    }

    @Test("a single mail that is refused because of us is delayed, and log and relays name the setting")
    func aboutUsAlone() async throws {
        let fault: Fault = "rcpt: reply 550 5.7.1 \"Helo command rejected: need fully-qualified hostname\""
        try await DeliveryFixture.run(Self.choices([fault])) { fixture in
            let id = try await fixture.enqueue(.sample("person@example.com"))
            let status = try await fixture.log.waitUntil("the mail is delayed") {
                let status = try await fixture.database.status(id: id)
                return status?.state == .deferred && status?.advice == "delivery-delayed" ? status : nil
            }
            #expect(status.attempts == 0)
            let relay = try await fixture.waitForRelay { $0.state == .suspected }
            #expect(relay.setting == "relays[0]: helo")
            let lines = fixture.log.all.filter {
                $0.hasPrefix("relay is suspected: it refused a message because of us")
            }
            #expect(lines.count == 1 && lines[0].contains("setting=relays[0]: helo"), "\(fixture.log.all)")
            #expect(!fixture.log.all.contains { $0.contains("it fails every message") })
            #expect(try await fixture.database.suppressions(at: .now).isEmpty)
        }
    }

    @Test("a quota that a relay states for one recipient delays only that message, without charging it")
    func quotaOfOneRecipient() async throws {
        let fault: Fault = "rcpt: reply 450 4.7.1 \"Number of messages per hour exceeded\" for bad@example.com"
        try await DeliveryFixture.run(Self.choices([fault])) { fixture in
            let bad = try await fixture.enqueue(.sample("bad@example.com"))
            let status = try await fixture.log.waitUntil("the mail is delayed") {
                let status = try await fixture.database.status(id: bad)
                // Between two attempts: an attempt that is under way counts until it has failed.
                return status?.state == .deferred && status?.advice == "delivery-delayed" ? status : nil
            }
            #expect(status.attempts == 0)
            for number in 1...5 {
                _ = try await fixture.wait(for: fixture.enqueue(.sample("good\(number)@example.org")), .accepted)
            }
            #expect(!fixture.log.all.contains { $0.hasPrefix("relay is paused") })
            #expect(try await fixture.database.suppressions(at: .now).isEmpty)
        }
    }

    @Test("a relay that refuses everybody for the time being is at fault itself, and no attempt is used up")
    func everybodyForNow() async throws {
        let fault: Fault = "rcpt: reply 451 4.3.5 \"Server configuration error\""
        var choices = Self.choices([fault])
        choices.schedule = RetrySchedule(delays: [.seconds(2)], jitter: 0)
        try await DeliveryFixture.run(choices) { fixture in
            for number in 1...10 { _ = try await fixture.enqueue(.sample("person\(number)@example.com")) }
            let relay = try await fixture.waitForRelay { $0.state == .suspected }
            #expect(relay.fault?.known == .relay && relay.detail == "451 4.3.5 Server configuration error")
            #expect(fixture.log.all.count { $0.hasPrefix("relay is suspected: it fails every message") } == 1)
            for status in try await fixture.database.list(StatusFilter(limit: 20)) {
                #expect(status.attempts == (status.state == .sending ? 1 : 0))
                #expect(status.advice == "delivery-delayed")
            }
        }
    }

    @Test("a message that two relays refuse is rejected")
    func secondOpinion() async throws {
        let fault: Fault = "rcpt: reply 554 5.7.1 \"Not this one\" for bad@example.com"
        try await FakeSMTPServer.with(faults: [fault]) { second in
            var choices = Self.choices([fault])
            var relay = SMTPRelay(
                RelayConfiguration(name: "second", url: "smtp://127.0.0.1:\(second.port)", tls: .none)
            )
            Self.patient(&relay)
            relay.configuration.connections = 2
            choices.furtherRelays = [DeliveryRelay(relay, setting: "relays[1]")]
            try await DeliveryFixture.run(choices) { fixture in
                let bad = try await fixture.enqueue(.sample("bad@example.com"))
                #expect(try await fixture.wait(for: bad, .rejected).advice == "contact-support")
                let attempts = try await fixture.database.attempts(of: bad)
                #expect(attempts.map(\.relay) == ["fake", "second"])
                #expect(attempts.map(\.outcome) == [.deferred, .rejected])
                let good = try await fixture.enqueue(.sample())
                _ = try await fixture.wait(for: good, .accepted)
                #expect(second.ledger.acceptedCount == 0)
            }
        }
    }

    @Test("a relay's limit on connections is learned and said once, costs no message anything, and no relay is changed")
    func connectionLimit() async throws {
        var choices = Self.choices(["finalDot: delay 20ms"], connections: 10)
        choices.server.maximumConnections = 5
        try await Self.withSecondRelay(choices) { fixture, second in
            let application = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await application.enqueue((1...1000).map { .sample("person\($0)@example.com") })
            _ = try await fixture.server.ledger.waitForAccepted(count: 1000, timeout: .seconds(300))
            #expect(second.ledger.connectionCount == 0)
            #expect(!fixture.log.all.contains { $0.hasPrefix("relay is paused") })
            let said = fixture.log.all.filter { $0.hasPrefix("relay takes fewer connections") }
            #expect(said.count == 1 && said.first?.contains("connections=5") == true)
            let all = try await fixture.database.list(StatusFilter(limit: 2000))
            #expect(all.allSatisfy { $0.state == .sending || $0.attempts == 1 })
            // The relay turns five lanes away at first, each once or twice until the limit is known.
            #expect(fixture.server.ledger.connectionCount < 40)
        }
    }

    @Test("people of a domain that never answers keep nobody else waiting")
    func slowRecipients() async throws {
        let slow = (1...30).map { "slow\($0)@silent.example" }
        var choices = Self.choices(try slow.map { try Fault(parsing: "rcpt: hang for \($0)") }, connections: 4)
        choices.changeRelay = { relay in
            relay.configuration.connectTimeout = .seconds(30)
            relay.configuration.replyTimeout = .seconds(3)
        }
        choices.schedule = RetrySchedule(delays: [.seconds(1)], jitter: 0)
        try await DeliveryFixture.run(choices) { fixture in
            let application = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await application.enqueue(slow.map { .sample($0) })
            try await fixture.server.ledger.waitForFiring(of: fixture.server.faults[0])
            // Some messages before the first time-out, and some while the domain is known to be silent.
            for number in 1...20 {
                let honest = try await fixture.enqueue(.sample("honest\(number)@example.com"))
                let status = try await fixture.wait(for: honest, .accepted)
                #expect(status.attempts == 1)
                let waited = try #require(status.acceptedAt).timeSince(status.requestedAt)
                #expect(waited < .seconds(60), "a machine under load is slow, but 30 time-outs are 90 s")
                if number >= 5 { try await Task.sleep(for: .milliseconds(500)) }
            }
            let open = try await fixture.database.list(StatusFilter(limit: 100)).filter { $0.state != .accepted }
            #expect(open.count == 30)
        }
    }

    @Test("five hundred invented addresses keep nobody waiting, suppress nobody in doubt, and are settled in the end")
    func inventedAddresses() async throws {
        var faults: [Fault] = try (1...20).map { number in
            try Fault(parsing: "rcpt: reply 250 \"Ok\" for good\(number)@example.com")
        }
        faults.append("rcpt: reply 550 5.1.1 \"No such user\"")
        var choices = Self.choices(faults, connections: 1)
        choices.refusalHolding = .seconds(2)
        choices.schedule = RetrySchedule()
        try await DeliveryFixture.run(choices) { fixture in
            let application = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await application.enqueue((1...500).map { .sample("invented\($0)@example.com") })
            _ = try await fixture.waitForRelay { $0.state == .suspected }
            #expect(try await fixture.database.suppressions(at: .now).isEmpty)
            for number in 1...20 {
                let before = fixture.server.ledger.firingCount
                let good = try await fixture.enqueue(.sample("good\(number)@example.com"))
                #expect(try await fixture.wait(for: good, .accepted).attempts == 1)
                // The message waits only for its turn: messages that are already due are tried once before it, within a
                // second or two.
                #expect(fixture.server.ledger.firingCount - before < 700)
            }
            for id in 1...500 { _ = try await fixture.wait(for: Int64(id), .rejected) }
            // Some addresses were removed from the list because their refusals came just before the relay was suspected
            // again.
            #expect(try await fixture.database.suppressions(at: .now).count > 250)
        }
    }

    @Test(
        "refused in whatever words, bad recipients keep nobody else waiting",
        arguments: [
            "554 5.7.1 \"Relay access denied\"", "451 4.3.0 \"Temporary lookup failure\"", "421 4.3.2 \"closing\"",
            "550 5.7.1 \"We do not like it\"",
        ]
    )
    func badRecipients(reply: String) async throws {
        var faults: [Fault] = try (1...10).map { number in
            try Fault(parsing: "rcpt: reply 250 \"Ok\" for good\(number)@example.com")
        }
        faults.append(try Fault(parsing: "rcpt: reply \(reply)"))
        var choices = Self.choices(faults, connections: 1)
        choices.schedule = RetrySchedule()
        try await DeliveryFixture.run(choices) { fixture in
            let application = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await application.enqueue((1...100).map { .sample("bad\($0)@example.com") })
            _ = try await fixture.waitForRelay { $0.state == .suspected }
            for number in 1...10 {
                let before = fixture.server.ledger.firingCount
                let good = try await fixture.enqueue(.sample("good\(number)@example.com"))
                #expect(try await fixture.wait(for: good, .accepted).attempts == 1)
                #expect(fixture.server.ledger.firingCount - before < 250)
            }
            #expect(try await fixture.database.suppressions(at: .now).isEmpty)
            #expect(fixture.log.all.filter { $0.hasPrefix("relay is paused") } == [])
        }
    }

    @Test("while many silent domains hold every lane that they may, a domain that works has one")
    func silentDomains() async throws {
        let slow = (1...30).map { "slow\($0)@silent\($0 % 10).example" }
        var choices = Self.choices(try slow.map { try Fault(parsing: "rcpt: hang for \($0)") }, connections: 4)
        choices.grace = .milliseconds(100)
        choices.changeRelay = { relay in
            relay.configuration.connectTimeout = .seconds(30)
            // Longer than the test waits, so that accepted mails pass beside hanging lanes.
            relay.configuration.replyTimeout = .seconds(600)
        }
        try await DeliveryFixture.run(choices) { fixture in
            let known = try await fixture.enqueue(.sample("known@example.com"))
            _ = try await fixture.wait(for: known, .accepted)
            let application = try OutboxDatabase(path: fixture.database.path, access: .writing)
            _ = try await application.enqueue(slow.map { .sample($0) })
            for fault in fixture.server.faults.prefix(3) { try await fixture.server.ledger.waitForFiring(of: fault) }
            for number in 1...20 {
                let honest = try await fixture.enqueue(.sample("honest\(number)@example.com"))
                #expect(try await fixture.wait(for: honest, .accepted).attempts == 1)
            }
            // Lanes give up silent recipients while others wait, and take the next ones; the relay is not blamed.
            #expect(fixture.server.ledger.firingCount >= 3)
            #expect(!fixture.log.all.contains { $0.hasPrefix("relay is paused") || $0.hasPrefix("relay is suspected") })
        }
    }
}
