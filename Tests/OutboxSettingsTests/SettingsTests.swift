// The settings that good files give.

import Foundation
import Testing

@testable import OutboxSettings

@Suite struct SettingsTests {
    @Test("the minimal file gives its values and the defaults for the rest")
    func minimal() throws {
        var relay = RelaySettings(endpoint: RelayEndpoint(scheme: .smtp, host: "127.0.0.1", port: 2525))
        relay.tls = .none
        let expected = Settings(
            database: DatabaseSettings(path: "/etc/outboxd/outbox.db"),
            sender: SenderSettings(address: "no-reply@cloudone.trendmicro.com", name: "Trend Cloud One"),
            links: [
                "verify-email": "https://cloudone.trendmicro.com/verify-email?token={token}",
                "reset-password": "https://cloudone.trendmicro.com/reset-password?token={token}",
            ],
            relays: [relay]
        )
        #expect(try Fixture.read(Fixture.minimal) == expected)
    }

    @Test("every key of the file arrives in its place")
    func everyKey() throws {
        let settings = try Fixture.read(
            """
            database: {path: /data/outbox.db, create: true}
            sender: {address: a@b.example, name: "yes", envelope_from: "r-{id}@b.example"}
            templates: my/templates
            links: {reset-password: "http://localhost:8080/reset/{token}"}
            relays:
              - url: smtps://One.example.com
                name: first
                ca_file: ca.pem
                user: "1001"
                password: {file: secrets/one}
                helo: "[IPv6:2001:db8::1]"
                connections: 100
                messages_per_connection: 100000
                idle: 1m
                connect_timeout: 1500ms
                reply_timeout: 2m
                final_dot_timeout: 1500ms
                auth: cram-md5
                rate: 0.5
                suspect_after: 7
              - url: smtp://[::1]:2525
                tls: opportunistic
                user: u
                password: {credential: smtp-password}
            limits: {minimum_interval: 90s, per_hour: 3}
            keep_older: [reset-password]
            guidance: {patience: 2m, resends: 2, window: 3h}
            suppression: {duration: 7d}
            retry: {delays: [1s, 23h59m, 10ms], jitter: 0.5}
            give_up_after: 3d
            lease: 21m
            poll_interval: 250ms
            shutdown_grace: 0s
            log: {level: debug}
            """
        )
        #expect(settings.database == DatabaseSettings(path: "/data/outbox.db", create: true))
        let envelopeFrom = try EnvelopeSenderTemplate(settingText: "r-{id}@b.example")
        #expect(settings.sender == SenderSettings(address: "a@b.example", name: "yes", envelopeFrom: envelopeFrom))
        #expect(settings.templates == "/etc/outboxd/my/templates")
        #expect(settings.links == ["reset-password": "http://localhost:8080/reset/{token}"])
        #expect(settings.limits.minimumInterval == .seconds(90))
        #expect(settings.limits.perHour == 3)
        #expect(settings.keepOlder == ["reset-password"])
        #expect(settings.guidance.patience == .seconds(120))
        #expect(settings.guidance.resends == 2)
        #expect(settings.guidance.window == .seconds(10_800))
        #expect(settings.suppression.duration == .seconds(604_800))
        #expect(settings.giveUpAfter == .seconds(259_200))
        #expect(settings.lease == .seconds(1260))
        #expect(settings.pollInterval == .milliseconds(250))
        #expect(settings.shutdownGrace == .zero)
        #expect(settings.log.level == .debug)
        #expect(settings.retry.delays == [.seconds(1), .seconds(86_340), .milliseconds(10)])
        #expect(settings.retry.jitter == 0.5)

        var first = RelaySettings(endpoint: RelayEndpoint(scheme: .smtps, host: "One.example.com", port: 465))
        first.name = "first"
        first.caFile = "/etc/outboxd/ca.pem"
        first.credentials = RelayCredentials(user: "1001", password: .file("/etc/outboxd/secrets/one"))
        first.helo = "[IPv6:2001:db8::1]"
        first.connections = 100
        first.messagesPerConnection = 100_000
        first.idle = .seconds(60)
        first.connectTimeout = .milliseconds(1500)
        first.replyTimeout = .seconds(120)
        first.finalDotTimeout = .milliseconds(1500)
        first.authentication = .cramMD5
        first.rate = 0.5
        first.suspectAfter = 7
        var second = RelaySettings(endpoint: RelayEndpoint(scheme: .smtp, host: "::1", port: 2525))
        second.tls = .opportunistic
        second.credentials = RelayCredentials(user: "u", password: .credential("smtp-password"))
        #expect(settings.relays == [first, second])
        #expect(settings.relays.map(\.name) == ["first", "[::1]:2525"])
        #expect(settings.relays.map(\.endpoint.url) == ["smtps://One.example.com:465", "smtp://[::1]:2525"])
    }

    @Test("the first twelve default delays take less than five minutes")
    func defaultDelays() {
        let delays = RetrySettings().delays
        #expect(delays.count == 17)
        #expect(delays.prefix(12).reduce(.zero, +) == .seconds(290))
        #expect(delays.suffix(5) == [.seconds(60), .seconds(120), .seconds(300), .seconds(600), .seconds(900)])
    }
}
