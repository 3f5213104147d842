// Claims whose token lost too much of its time: they go back to the store, once.

import FakeSMTP
import Foundation
import OutboxCore
import OutboxStore
import OutboxTokens
import SMTPTransport
import Synchronization
import Testing

@testable import OutboxDelivery

@Suite("A token's time", .timeLimit(.minutes(5)))
struct TokenTimesTests {
    private static func claim(validFor: Duration?, isFixed: Bool = false) -> Claim {
        let message = Message(
            id: 1,
            kind: "reset-password",
            recipient: "ann@example.com",
            token: Token("t"),
            envelopeID: "e",
            requestedAt: Timestamp(milliseconds: 0),
            expiresAt: validFor.map { Timestamp(milliseconds: 0) + $0 },
            validFor: validFor,
            isExpiryFixed: isFixed ? true : nil
        )
        return Claim(
            message: message,
            sequence: 1,
            address: "ann@example.com",
            priority: 0,
            attempt: 1,
            attempts: 1,
            claimedAt: Timestamp(milliseconds: 0)
        )
    }

    @Test(
        "a tenth of the time may pass, and always ten seconds",
        arguments: [(60, 10), (100, 10), (1800, 180)]
    )
    func losses(validFor: Int, loss: Int) {
        let times = TokenTimes()
        let claim = Self.claim(validFor: .seconds(validFor))
        #expect(!times.isStale(claim, at: Timestamp(milliseconds: Int64(loss) * 1000)))
        #expect(times.isStale(claim, at: Timestamp(milliseconds: Int64(loss) * 1000 + 1)))
    }

    @Test("a time that is fixed, or that the application gave, never goes back; after one return half of it may pass")
    func exceptions() {
        let times = TokenTimes()
        let late = Timestamp(milliseconds: 3_600_000)
        #expect(!times.isStale(Self.claim(validFor: nil), at: late))
        #expect(!times.isStale(Self.claim(validFor: .seconds(60), isFixed: true), at: late))
        let claim = Self.claim(validFor: .seconds(60))
        #expect(times.isStale(claim, at: late))
        times.goesBack(claim)
        #expect(!times.isStale(claim, at: Timestamp(milliseconds: 30_000)))
        #expect(times.isStale(claim, at: Timestamp(milliseconds: 30_001)))
        times.ended(claim)
        #expect(times.isStale(claim, at: Timestamp(milliseconds: 10_001)))
    }

    @Test("behind a slow relay the time begins anew before the mail leaves, and the try costs no attempt")
    func slowRelay() async throws {
        var choices = DeliveryFixture.Choices()
        choices.rules.tokens = TokenRules(
            keys: [try TokenKey(base64: TokenKey.makeBase64())],
            kinds: ["reset-password"]
        )
        // The relay's first answers take twenty seconds: from the first connection on, which only a claim causes.
        let relay = Mutex<FakeSMTPServer?>(nil)
        let delay: @Sendable () -> Duration = {
            (relay.withLock(\.self)?.ledger.connectionCount ?? 0) > 0 ? .seconds(20) : .zero
        }
        let (now, uptime) = (choices.environment.now, choices.environment.uptime)
        choices.environment.now = { now() + delay() }
        choices.environment.uptime = { uptime() + delay() }
        let begin = now()
        try await DeliveryFixture.run(choices) { fixture in
            relay.withLock { $0 = fixture.server }
            let id = try await fixture.enqueue(
                NewMessage(kind: "reset-password", recipient: "ann@example.com", validFor: .seconds(60))
            )
            let status = try await fixture.wait(for: id, .accepted)
            #expect(status.attempts == 1 && fixture.server.ledger.accepted.count == 1)
            #expect(try #require(status.expiresAt) >= begin + .seconds(80))
            #expect(try await fixture.database.attempts(of: id).count == 1)
        }
    }

    @Test("a claim that was made before a reload of the tokens' settings is made anew")
    func reload() async throws {
        var choices = DeliveryFixture.Choices()
        choices.connections = 1
        choices.faults = ["rcpt: delay 2s nth 1"]
        choices.changeRelay = { $0.configuration.replyTimeout = .seconds(60) }
        let keys = [try TokenKey(base64: TokenKey.makeBase64())]
        choices.rules.tokens = TokenRules(keys: keys, kinds: ["reset-password"])
        try await DeliveryFixture.run(choices) { fixture in
            let messages = ["ann@example.com", "ben@example.com"].map {
                NewMessage(kind: "reset-password", recipient: $0)
            }
            let ids = try await fixture.database.enqueue(messages)
            while fixture.server.ledger.connectionCount == 0 { try await Task.sleep(for: .milliseconds(5)) }
            var newer = fixture.configuration.value
            newer.settings.rules.tokens.codes = ["reset-password"]
            #expect(fixture.configuration.take(newer) == [])
            for id in ids { #expect(try await fixture.wait(for: id, .accepted).attempts == 1) }
            #expect(try await fixture.database.codes() == [nil, 32])
        }
    }
}
