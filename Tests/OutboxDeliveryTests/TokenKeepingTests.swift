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

    @Test("a reload while a token is being fetched waits for it if the client is the same, and else asks anew")
    func reloadDuringRequest() async throws {
        for isSameClient in [true, false] {
            let granted = isSameClient ? "CANARY-token" : "CANARY-late"
            let first = FakeTokenServer.Answer.token(granted, refresh: "CANARY-r2")
            let second: FakeTokenServer.Answer =
                isSameClient ? .error(400, "invalid_grant", "used twice") : .token("CANARY-token")
            try await FakeTokenServer.with(first.held, second) { server in
                let choices = Self.choices(server, accepting: "CANARY-token", refreshToken: "CANARY-r1")
                try await DeliveryFixture.run(choices) { fixture in
                    while server.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
                    let newer = Self.relay(
                        fixture.configuration.value.relays[0].smtp,
                        url: server.url,
                        secret: isSameClient ? "CANARY-secret" : "CANARY-new-secret",
                        refreshToken: "CANARY-r1"
                    )
                    fixture.use(newer)
                    _ = try await fixture.log.waitUntil("the lanes have the configuration") {
                        fixture.log.all.first { $0.hasPrefix("every lane uses the new configuration") }
                    }
                    let id = try await fixture.enqueue(.sample())
                    if !isSameClient { _ = try await fixture.wait(for: id, .accepted) }
                    server.release()
                    #expect(try await fixture.wait(for: id, .accepted).attempts == 1)
                    let secrets = server.requests.map { $0["client_secret"] }
                    #expect(secrets == (isSameClient ? ["CANARY-secret"] : ["CANARY-secret", "CANARY-new-secret"]))
                    if isSameClient {
                        _ = try await fixture.log.waitUntil("the refresh token is announced") {
                            fixture.log.all.first { $0.hasPrefix("the token server replaced the refresh token") }
                        }
                    }
                    #expect(!fixture.log.all.contains { $0.contains("CANARY") })
                }
            }
        }
    }

    @Test("the log says something only when it is news: a first failure, another kind of failure, and the end of them")
    func news() async throws {
        let busy = FakeTokenServer.Answer(503, "busy")
        let refusal = FakeTokenServer.Answer.error(401, "invalid_client", "no")
        let granted = FakeTokenServer.Answer.token("CANARY-token", expiresIn: "1200")
        try await FakeTokenServer.with(busy, busy, refusal, refusal, busy, granted) { server in
            let clock = VirtualClock(now: Timestamp(milliseconds: 1_800_000_000_000))
            let log = LogCapture()
            let keeping = TokenKeeping(environment: clock.environment(seed: 1), log: DeliveryLog(logger: log.logger))
            let configuration = RelayConfiguration(name: "r", url: "smtp://127.0.0.1:1")
            let relay = Self.relay(SMTPRelay(configuration), url: server.url, secret: "CANARY-secret")
            keeping.keep([DeliveryRelay(relay)])
            defer { keeping.keep([]) }
            // A line that is no news is for diagnosis only.
            let (first, again) = ("no access token for the relay yet", "the token server still grants no access token")
            let expected = [
                (first, 30), (again, 60), ("the token server refuses an access token", 120), (again, 240),
                (first, 480), ("the token server granted an access token failures=5", 900),
            ]
            for (number, (line, pause)) in expected.enumerated() {
                let lines = try await log.waitUntil("line \(number + 1)") { log.all.count > number ? log.all : nil }
                #expect(lines[number].hasPrefix(line) && lines.count == number + 1, "\(lines)")
                while clock.nextWake == nil { await Task.yield() }
                let wake = try #require(clock.nextWake)
                // A token's lifetime runs by the real clock.
                #expect((pause - 60...pause).contains(Int(wake.timeSince(clock.now).components.seconds)))
                if pause < 900 { clock.advance(to: wake) }
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
