// Access tokens in a running delivery service: fetched before a message needs them, and what a refusal costs.

import FakeSMTP
import FakeTokenServer
import OutboxCore
import OutboxStore
import SMTPTransport
import Testing

@testable import OutboxDelivery

@Suite("Access tokens of a running service", .timeLimit(.minutes(10)))
struct TokenKeepingTests {
    private static func choices(
        _ server: FakeTokenServer,
        accepting token: String,
        secret: String = "CANARY-secret",
        refreshToken: String? = nil
    ) -> DeliveryFixture.Choices {
        var choices = DeliveryFixture.Choices()
        choices.server = .init(credentials: ["outboxd": token])
        choices.server.mechanisms = [.login, .xoauth2]
        choices.server.requiresAuthentication = true
        choices.changeRelay = { [url = server.url] relay in
            relay = Self.relay(relay, url: url, secret: secret, refreshToken: refreshToken)
        }
        return choices
    }

    private static func relay(
        _ relay: SMTPRelay,
        url: String,
        secret: String,
        refreshToken: String? = nil
    ) -> SMTPRelay {
        var relay = relay
        relay.configuration.connectTimeout = .seconds(30)
        relay.configuration.replyTimeout = .seconds(30)
        let client = OAuthClient(tokenURL: url, clientID: "id", clientSecret: secret, refreshToken: refreshToken)
        relay.credentials = SMTPCredentials(user: "outboxd", tokens: AccessTokens(client))
        return relay
    }

    @Test("a token is fetched before a message needs it, once, and a replaced refresh token is announced")
    func before() async throws {
        try await FakeTokenServer.with(.token("CANARY-token", refresh: "CANARY-new")) { server in
            let choices = Self.choices(server, accepting: "CANARY-token", refreshToken: "CANARY-old")
            try await DeliveryFixture.run(choices) { fixture in
                let line = try await fixture.log.waitUntil("the refresh token is announced") {
                    fixture.log.all.first { $0.hasPrefix("the token server replaced the refresh token") }
                }
                #expect(line.contains("setting=relays[0]: oauth"))
                let id = try await fixture.enqueue(.sample())
                #expect(try await fixture.wait(for: id, .accepted).attempts == 1)
                #expect(server.requests.count == 1)
                #expect(!fixture.log.all.contains { $0.contains("CANARY") })
            }
        }
    }

    @Test("a refused client costs no message anything, is logged with the provider's words, and mended by a reload")
    func refused() async throws {
        let words = "AADSTS7000222: The provided client secret keys are expired. CANARY-secret"
        try await FakeTokenServer.with(.error(401, "invalid_client", words)) { server in
            try await DeliveryFixture.run(Self.choices(server, accepting: "CANARY-token")) { fixture in
                let early = try await fixture.log.waitUntil("the refusal is logged") {
                    fixture.log.all.first { $0.hasPrefix("the token server refuses an access token") }
                }
                for part in [
                    "AADSTS7000222", "reason=token-refused", "setting=relays[0]: oauth", "then=reload outboxd",
                ] {
                    #expect(early.contains(part), "\(early)")
                }
                let id = try await fixture.enqueue(.sample())
                let relay = try await fixture.waitForRelay { $0.reason?.known == .tokenRefused }
                #expect(relay.fault?.known == .configuration && relay.setting == "relays[0]: oauth")
                #expect(relay.detail?.hasSuffix("keys are expired. [secret]") == true, "\(relay)")
                #expect(fixture.server.ledger.connectionCount == 0)

                server.answer(.token("CANARY-token"))
                let current = fixture.configuration.value.relays[0].smtp
                fixture.use(Self.relay(current, url: server.url, secret: "CANARY-new-secret"))
                #expect(try await fixture.wait(for: id, .accepted).attempts == 1)
                #expect(server.requests.contains { $0["client_secret"] == "CANARY-new-secret" })
                #expect(!fixture.log.all.contains { $0.contains("CANARY") })
            }
        }
    }

    @Test("a relay that refuses the token names oauth, not a password, as the place to check")
    func place() async throws {
        try await FakeTokenServer.with(.token("CANARY-wrong")) { server in
            try await DeliveryFixture.run(Self.choices(server, accepting: "CANARY-right")) { fixture in
                _ = try await fixture.enqueue(.sample())
                let relay = try await fixture.waitForRelay { $0.reason?.known == .authenticationRefused }
                #expect(relay.setting == "relays[0]: user and oauth")
            }
        }
    }

    @Test("a reload that changes nothing about the client keeps its tokens")
    func reload() async throws {
        try await FakeTokenServer.with(.token("CANARY-token"), .error(400, "invalid_grant", "used twice")) { server in
            let choices = Self.choices(server, accepting: "CANARY-token", refreshToken: "CANARY-once")
            try await DeliveryFixture.run(choices) { fixture in
                let first = try await fixture.enqueue(.sample())
                _ = try await fixture.wait(for: first, .accepted)
                let same = Self.relay(
                    fixture.configuration.value.relays[0].smtp,
                    url: server.url,
                    secret: "CANARY-secret",
                    refreshToken: "CANARY-once"
                )
                fixture.use(same)
                let second = try await fixture.enqueue(.sample("bob@example.com"))
                _ = try await fixture.wait(for: second, .accepted)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test("a silent token server delays no shutdown")
    func shutdown() async throws {
        let clock = ContinuousClock()
        try await FakeTokenServer.with(.silence) { server in
            var choices = Self.choices(server, accepting: "x")
            let change = choices.changeRelay
            choices.changeRelay = { relay in
                change(&relay)
                relay.configuration.connectTimeout = .seconds(300)
            }
            choices.grace = .zero
            let began = clock.now
            try await DeliveryFixture.run(choices) { fixture in
                _ = try await fixture.enqueue(.sample())
                while server.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            }
            #expect(clock.now - began < .seconds(200))
        }
    }
}
