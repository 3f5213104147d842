// The settings from valid files.

import Foundation
import Logging
import OutboxCore
import TestSupport
import Testing

@testable import OutboxSettings

@Suite struct SettingsTests {
    @Test("the minimal file gives its values and the defaults for the rest")
    func minimal() throws {
        var relay = RelaySettings(endpoint: RelayEndpoint(scheme: .smtp, host: "127.0.0.1", port: 2525))
        relay.configuration.tls = .none
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

    @Test("every key of the file sets its value")
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
                mail_timeout: 61s
                rcpt_timeout: 3m
                data_timeout: 2s
                content_timeout: 10m
                final_dot_timeout: 1500ms
                auth: cram-md5
                rate: 0.5
                suspect_after: 7
                dsn: success
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
        #expect(settings.rules.limits?.minimumInterval == .seconds(90))
        #expect(settings.rules.limits?.perHour == 3)
        #expect(settings.rules.keepOlder == ["reset-password"])
        #expect(settings.guidance.patience == .seconds(120))
        #expect(settings.guidance.resends == 2)
        #expect(settings.guidance.window == .seconds(10_800))
        #expect(settings.rules.suppression == .seconds(604_800))
        #expect(settings.schedule.giveUpAfter == .seconds(259_200))
        #expect(settings.times.lease == .seconds(1260))
        #expect(settings.times.pollInterval == .milliseconds(250))
        #expect(settings.times.shutdownGrace == .zero)
        #expect(settings.logLevel == .debug)
        #expect(settings.schedule.delays == [.seconds(1), .seconds(86_340), .milliseconds(10)])
        #expect(settings.schedule.jitter == 0.5)

        var first = RelaySettings(endpoint: RelayEndpoint(scheme: .smtps, host: "One.example.com", port: 465))
        first.configuration.name = "first"
        first.configuration.caFile = "/etc/outboxd/ca.pem"
        first.credentials = RelayCredentials(user: "1001", password: .file("/etc/outboxd/secrets/one"))
        first.configuration.helo = "[IPv6:2001:db8::1]"
        first.configuration.connections = 100
        first.configuration.messagesPerConnection = 100_000
        first.configuration.idle = .seconds(60)
        first.configuration.connectTimeout = .milliseconds(1500)
        first.configuration.replyTimeout = .seconds(120)
        first.configuration.stageTimeouts = [
            .mail: .seconds(61), .rcpt: .seconds(180), .data: .seconds(2), .body: .seconds(600),
        ]
        first.configuration.finalDotTimeout = .milliseconds(1500)
        first.configuration.authentication = .cramMD5
        first.configuration.rate = 0.5
        first.configuration.suspectAfter = 7
        first.configuration.dsn = .success
        var second = RelaySettings(endpoint: RelayEndpoint(scheme: .smtp, host: "::1", port: 2525))
        second.configuration.tls = .opportunistic
        second.credentials = RelayCredentials(user: "u", password: .credential("smtp-password"))
        #expect(settings.relays == [first, second])
        #expect(settings.relays.map(\.configuration.name) == ["first", "[::1]:2525"])
        #expect(settings.relays.map(\.endpoint.url) == ["smtps://One.example.com:465", "smtp://[::1]:2525"])
    }

    @Test("the first twelve default delays take less than five minutes")
    func defaultDelays() {
        let delays = RetrySchedule().delays
        #expect(delays.count == 17)
        #expect(delays.prefix(12).reduce(.zero, +) == .seconds(290))
        #expect(delays.suffix(5) == [.seconds(60), .seconds(120), .seconds(300), .seconds(600), .seconds(900)])
    }
}
