// The five-minute promise on a bad day: random refusals, lost answers, and a relay that is down for four minutes.

import FakeSMTP
import Foundation
import OutboxCore
import OutboxDelivery
import OutboxStore
import SMTPTransport
import Testing

@Suite("On a bad day", .timeLimit(.minutes(10)))
struct PromiseScenarioTests {
    private static let messages = 2000
    private static let arrivalSpan = Duration.seconds(480)
    private static let outage = (start: Duration.seconds(120), end: Duration.seconds(360))
    private static let badLuck: [Fault] = [
        "rcpt: reply 450 4.2.1 \"busy\" odds 0.3", "finalDot: accept-drop every 400",
    ]
    private static let down: [Fault] = ["connect: drop", "mail: drop"]

    @Test(
        """
        every mail is accepted once: within five minutes, or within fifteen seconds of the relay's return; one that is \
        refused again after the return, within five minutes without the outage
        """
    )
    func promise() async throws {
        let start = Timestamp.now
        let clock = VirtualClock(now: start)
        var choices = DeliveryFixture.Choices()
        choices.server.seed = 20_261_124
        choices.faults = Self.badLuck
        choices.connections = 10
        choices.schedule = RetrySchedule()
        choices.rules = DeliveryRules()
        choices.environment = clock.environment(seed: 7)
        choices.changeRelay = { relay in
            relay.configuration.connectTimeout = .seconds(60)
            relay.configuration.replyTimeout = .seconds(60)
        }
        try await DeliveryFixture.run(choices) { fixture in
            try await Self.live(fixture, clock, from: start)
            try await Self.check(fixture, outageEnd: start + Self.outage.end)
        }
    }

    /// Lets messages arrive and time pass until none is open.
    ///
    /// While any task works, time flows as on the wall; when all tasks wait, it leaps to the next event. So the result
    /// doesn't depend on the machine's speed.
    private static func live(_ fixture: DeliveryFixture, _ clock: VirtualClock, from start: Timestamp) async throws {
        let application = try OutboxDatabase(path: fixture.database.path, access: .writing)
        var events: [(at: Timestamp, what: Event)] = (0..<messages).map { number in
            (start + arrivalSpan * (Double(number) / Double(messages)), .arrival(number))
        }
        events.append((start + outage.start, .relayGoesDown))
        events.append((start + outage.end, .relayComesBack))
        events.sort { $0.at < $1.at }
        var upcoming = events[...]
        var quietLooks = 0
        while true {
            while let event = upcoming.first, event.at <= clock.now {
                upcoming.removeFirst()
                try await happen(event.what, at: event.at, fixture, application)
                quietLooks = 0
            }
            try await Task.sleep(for: .milliseconds(1))
            let work = try await application.workload(now: clock.now)
            if work.open == 0, upcoming.isEmpty { return }
            quietLooks = work.isBusy ? 0 : quietLooks + 1
            if quietLooks < 3 {
                clock.advance(to: clock.now + .milliseconds(1))
            } else {
                // Only small leaps: a task that has just woken up may not have begun to work.
                let moments = [clock.nextWake, upcoming.first?.at, clock.now + .milliseconds(250)].compactMap(\.self)
                clock.advance(to: moments.min() ?? clock.now)
            }
            #expect(clock.now < start + .seconds(3600))
            if clock.now >= start + .seconds(3600) { return }
        }
    }

    private enum Event {
        case arrival(Int), relayGoesDown, relayComesBack
    }

    private static func happen(
        _ event: Event,
        at moment: Timestamp,
        _ fixture: DeliveryFixture,
        _ application: OutboxDatabase
    ) async throws {
        switch event {
        case .arrival(let number):
            try await application.insert(recipient: "person\(number)@example.com", requestedAt: moment)
        case .relayGoesDown: fixture.server.setFaults(down)
        case .relayComesBack: fixture.server.setFaults(badLuck)
        }
    }

    private static func check(_ fixture: DeliveryFixture, outageEnd: Timestamp) async throws {
        let records = try await fixture.database.forEachRequested(
            since: Timestamp(milliseconds: 0),
            into: [PromiseRecord]()
        ) { $0.append($1) }
        #expect(records.count == messages)
        #expect(records.allSatisfy { $0.state == .accepted })
        let times = try records.map { try #require($0.acceptedAt).timeSince($0.requestedAt) }.sorted()
        let refusedAgain = try await fixture.database.messagesThatFailed(since: outageEnd)
        let late = try records.filter { record in
            let acceptedAt = try #require(record.acceptedAt)
            // How long the relay was down for this message.
            let outage = max(.zero, min(outageEnd.timeSince(record.requestedAt), Self.outage.end - Self.outage.start))
            if refusedAgain.contains(record.id) { return acceptedAt > record.requestedAt + .seconds(300) + outage }
            return acceptedAt > record.requestedAt + .seconds(300) && acceptedAt > outageEnd + .seconds(15)
        }
        #expect(late.map(\.id) == [])

        // The messages that waited for the relay left soon after its return, unless they were randomly refused again.
        let ofOutage = records.filter { $0.requestedAt < outageEnd && $0.acceptedAt ?? outageEnd > outageEnd }
        #expect(ofOutage.count > messages / 3)
        let tries = try await fixture.database.attemptCounts()
        let backlog = try ofOutage.filter { tries[$0.id] == 1 }
            .map { try #require($0.acceptedAt).timeSince(outageEnd) }.max()
        #expect(try #require(backlog) <= .seconds(15))

        let copies = Dictionary(grouping: fixture.server.ledger.accepted, by: { $0.recipients.joined() })
        #expect(copies.count == messages)
        let twice = Set(copies.filter { $0.value.count > 1 }.keys)
        let uncertain = try await fixture.database.uncertainRecipients()
        #expect(!twice.isEmpty && twice.isSubset(of: uncertain))
        for mails in copies.values { #expect(Set(mails.map(\.bytes)).count == 1) }
        // No attempt during the outage counts, and was logged once.
        #expect(
            fixture.log.all.count { $0.hasPrefix("relay is paused") }
                == fixture.log.all.count { $0.hasPrefix("relay is back") }
        )

        func at(_ part: Double) -> Duration { times[max(0, Int((Double(times.count) * part).rounded(.up)) - 1)] }
        print(
            """
            \(messages) messages, 30 % refused at random, relay down from \(outage.start) to \(outage.end):
              time to acceptance p50 \(at(0.5)), p95 \(at(0.95)), p99 \(at(0.99)), max \(at(1))
              \(ofOutage.count) waited for the relay; those accepted at their first try left within \(backlog ?? .zero)
              \(twice.count) arrived twice, all of them uncertain
            """
        )
    }
}
