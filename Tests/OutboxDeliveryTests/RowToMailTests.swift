// The whole way of a row to the relay: its values, its address, its date.

import FakeSMTP
import Foundation
import OutboxCore
import OutboxDelivery
import OutboxStore
import Testing

@Suite("A row's way to the relay", .timeLimit(.minutes(10)))
struct RowToMailTests {
    @Test(
        "variables that SQLite takes for JSON never keep a mail from being sent",
        arguments: [
            #"{"a":1e400}"#, #"{"name":"x\ud83d"}"#, #"{"a":0.10,"a":[-1E+999]}"#, #"{"a":"\ude00\ud83d\u0000"}"#,
        ]
    )
    func variables(variables: String) async throws {
        try await DeliveryFixture.run { fixture in
            let id = try await fixture.enqueue(.sample(variables: variables))
            #expect(try await fixture.wait(for: id, .accepted).attempts == 1)
        }
    }

    @Test("a mail has the date of its first attempt, in every attempt")
    func date() async throws {
        var choices = DeliveryFixture.Choices()
        choices.faults = ["finalDot: accept-drop nth 1"]
        // Long enough for the second attempt to be in another second than the first.
        choices.schedule = RetrySchedule(delays: [.milliseconds(1100)], jitter: 0)
        let begin = Timestamp(milliseconds: Timestamp.now.milliseconds / 1000 * 1000)
        try await DeliveryFixture.run(
            choices,
            prepare: { try await $0.insert(recipient: "ann@example.com", requestedAt: .now - .seconds(3600)) }
        ) { fixture in
            _ = try await fixture.wait(for: 1, .accepted)
            let mails = fixture.server.ledger.accepted
            #expect(mails.count == 2 && mails.first?.bytes == mails.last?.bytes)
            let attempts = try await fixture.database.attempts(of: 1)
            let line = try #require(mails.last?.text.split(separator: "\r\n").first { $0.hasPrefix("Date: ") })
            let format = Date.ParseStrategy(
                format: """
                    Date: \(weekday: .abbreviated), \(day: .defaultDigits) \(month: .abbreviated) \(year: .defaultDigits) \
                    \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\
                    \(second: .twoDigits) +0000
                    """,
                locale: Locale(identifier: "en_US_POSIX"),
                timeZone: .gmt
            )
            let date = Int64(try Date(String(line), strategy: format).timeIntervalSince1970)
            #expect(date == (try #require(attempts.first)).startedAt.milliseconds / 1000)
            #expect(date >= begin.milliseconds / 1000)
        }
    }

    @Test(
        "an address that SQL can't see through ends the message with its reason, and costs no attempt at a relay",
        arguments: ["ann@例\u{200D}え.jp", "ann@\(String(repeating: "é", count: 60)).example", "ann\u{378}@example.com"]
    )
    func address(recipient: String) async throws {
        try await DeliveryFixture.run { fixture in
            let id = try await fixture.enqueue(.sample(recipient))
            let status = try await fixture.wait(for: id, .rejected)
            #expect(status.advice == "fix-address")
            let attempt = try #require(try await fixture.database.attempts(of: id).first)
            #expect(attempt.reason?.known == .unusableRecipient && attempt.fault?.known == .recipient)
            #expect(attempt.relay == nil)
            #expect(fixture.server.ledger.connectionCount == 0)
        }
    }

    @Test("an international domain goes to the relay in A-labels, and its newest spelling alone is mailed")
    func spellings() async throws {
        var choices = DeliveryFixture.Choices()
        choices.rules = DeliveryRules(limits: nil)
        try await DeliveryFixture.run(
            choices,
            prepare: { database in
                for spelling in ["ann@bücher.example", "ann@xn--bcher-kva.example", "Ann@BÜCHER.example"] {
                    _ = try await database.enqueue(.sample(spelling))
                }
            }
        ) { fixture in
            _ = try await fixture.wait(for: 3, .accepted)
            #expect(fixture.server.ledger.accepted.flatMap(\.recipients) == ["Ann@xn--bcher-kva.example"])
            let states = try await fixture.database.status(recipient: "ann@bücher.example").map(\.state)
            #expect(states == [.accepted, .superseded, .superseded])
        }
    }
}
