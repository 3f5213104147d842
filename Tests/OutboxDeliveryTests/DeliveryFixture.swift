// Complete delivery in one process: a real database file, the shipped templates, a scriptable relay.

import FakeSMTP
import Foundation
import Logging
import MailComposer
import OutboxCore
import OutboxDelivery
import OutboxStore
import SMTPTransport
import ServiceLifecycle
import Synchronization
import TestSupport

/// A running delivery service, for the duration of `run`.
struct DeliveryFixture {
    let server: FakeSMTPServer
    let database: OutboxDatabase
    let log: LogCapture
    let shutdown: ServiceGroup
    /// The service's configuration; a test may replace it.
    let configuration: CurrentConfiguration

    /// The choices of a test.
    struct Choices: Sendable {
        var server = FakeSMTPServer.Options()
        var faults: [Fault] = []
        var connections = 2
        var schedule = RetrySchedule(delays: [.seconds(3600)], jitter: 0)
        var grace = Duration.seconds(20)
        var lease = Duration.seconds(60)
        /// Use TLS and trust the server's certificate.
        var usesTLS = false
        var rules = DeliveryRules(limits: nil, keepOlder: ["verify-email", "reset-password"])
        var suspectAfter = 20
        var refusalHolding = Duration.milliseconds(50)
        var rate: Double?
        /// Fallback relays, in order of preference.
        var furtherRelays: [DeliveryRelay] = []
        var pulse = DeliveryPulse()
        var environment = DeliveryEnvironment.test
        var changeRelay: @Sendable (inout SMTPRelay) -> Void = { _ in }
    }

    /// Runs the service while `body` runs, then stops it gracefully.
    static func run(
        _ choices: Choices = Choices(),
        prepare: @Sendable (OutboxDatabase) async throws -> Void = { _ in },
        _ body: @Sendable @escaping (DeliveryFixture) async throws -> Void
    ) async throws {
        try await AsyncSemaphore.deliveries.pass { try await runNow(choices, prepare: prepare, body) }
    }

    private static func runNow(
        _ choices: Choices,
        prepare: @Sendable (OutboxDatabase) async throws -> Void,
        _ body: @Sendable @escaping (DeliveryFixture) async throws -> Void
    ) async throws {
        try await FakeSMTPServer.with(choices.server, faults: choices.faults) { server in
            try await withFolder { folder in
                let path = folder.appending(path: "outbox.db").path
                let database = try OutboxDatabase(path: path, access: .migrating)
                try await prepare(database)
                let log = LogCapture()
                let ready = AsyncStream<Void>.makeStream()
                let configuration = CurrentConfiguration(try configuration(choices, server: server, folder: folder))
                let service = DeliveryService(
                    store: database,
                    configuration: configuration,
                    environment: choices.environment,
                    log: DeliveryLog(logger: log.logger),
                    pulse: choices.pulse,
                    onReady: { ready.continuation.finish() }
                )
                let group = ServiceGroup(services: [service], logger: log.logger)
                let running = Task { try await group.run() }
                for await _ in ready.stream {}
                let fixture = DeliveryFixture(
                    server: server,
                    database: database,
                    log: log,
                    shutdown: group,
                    configuration: configuration
                )
                do {
                    try await body(fixture)
                } catch {
                    await group.triggerGracefulShutdown()
                    _ = await running.result
                    throw error
                }
                await group.triggerGracefulShutdown()
                try await running.value
            }
        }
    }

    private static func configuration(
        _ choices: Choices,
        server: FakeSMTPServer,
        folder: URL
    ) throws -> DeliveryConfiguration {
        var relay = SMTPRelay(
            RelayConfiguration(name: "fake", url: "smtp://127.0.0.1:\(server.port)", tls: .none)
        )
        relay.configuration.connectTimeout = .seconds(1)
        relay.configuration.replyTimeout = .seconds(1)
        if choices.usesTLS {
            let file = folder.appending(path: "ca.pem")
            try (server.certificatePEM ?? "").write(to: file, atomically: true, encoding: .utf8)
            relay.configuration.tls = .required
            relay.configuration.caFile = file.path
        }
        // One time limit for every reply, unless a test is about the final dot's own limit.
        let standard = relay.configuration.finalDotTimeout
        choices.changeRelay(&relay)
        if relay.configuration.finalDotTimeout == standard {
            relay.configuration.finalDotTimeout = relay.configuration.replyTimeout
        }
        relay.configuration.connections = choices.connections
        relay.configuration.rate = choices.rate
        relay.configuration.suspectAfter = choices.suspectAfter
        var times = ServiceTimes()
        times.lease = choices.lease
        times.shutdownGrace = choices.grace
        return DeliveryConfiguration(
            composer: try composer(),
            relays: [DeliveryRelay(relay)] + choices.furtherRelays,
            settings: DeliverySettings(
                envelopeSender: { _ in "no-reply@cloudone.trendmicro.com" },
                schedule: choices.schedule,
                rules: choices.rules,
                times: times,
                refusalHolding: choices.refusalHolding
            )
        )
    }

    private static func composer() throws -> MailComposer {
        let templates = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "config/templates")
        return try MailComposer(
            templates: templates.path,
            links: [
                "verify-email": "https://cloudone.trendmicro.com/verify-email?token={token}",
                "reset-password": "https://cloudone.trendmicro.com/reset-password?token={token}",
            ],
            sender: Sender(name: "Trend Cloud One", address: "no-reply@cloudone.trendmicro.com")
        )
    }

    /// Replaces the configuration of the first relay.
    func use(_ relay: SMTPRelay) {
        var newer = configuration.value
        // The limits of its use stay the same.
        let before = newer.relays[0].configuration
        newer.relays[0].smtp = relay
        newer.relays[0].configuration.connections = before.connections
        newer.relays[0].configuration.rate = before.rate
        newer.relays[0].configuration.suspectAfter = before.suspectAfter
        _ = configuration.take(newer)
    }

    /// Inserts a message over a connection of its own, like an application.
    func enqueue(_ message: NewMessage) async throws -> Int64 {
        try await OutboxDatabase(path: database.path, access: .writing).enqueue(message)
    }

    /// Waits until the first relay's stored status is as wanted.
    func waitForRelay(_ isWanted: @Sendable (RelayStatus) -> Bool) async throws -> RelayStatus {
        try await log.waitUntil("the relay is written down") {
            try await database.relays().first.flatMap { isWanted($0) ? $0 : nil }
        }
    }

    /// Waits until a message is in a state.
    func wait(for id: Int64, _ state: MessageState) async throws -> StatusRecord {
        try await log.waitUntil("message \(id) is \(state)") {
            guard let status = try await database.status(id: id), status.state == state else { return nil }
            return status
        }
    }
}

extension DeliveryEnvironment {
    /// The machine's clock and randomness.
    static let test = DeliveryEnvironment(
        now: { .now },
        uptime: { [start = ContinuousClock.now] in ContinuousClock.now - start },
        sleep: { try await Task.sleep(for: $0) },
        chance: { Double.random(in: 0..<1) }
    )
}

extension Timestamp {
    static var now: Timestamp { Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000)) }
}

extension NewMessage {
    static func sample(
        _ recipient: String = "ann@example.com",
        kind: String = "verify-email",
        variables: String = "{}",
        notBefore: Timestamp? = nil,
        expiresAt: Timestamp? = nil,
        priority: Int = 0
    ) -> NewMessage {
        NewMessage(
            kind: kind,
            recipient: recipient,
            token: Token("CANARY-70c3"),
            variables: variables,
            notBefore: notBefore,
            expiresAt: expiresAt,
            priority: priority
        )
    }
}

/// Keeps the log, and lets a test wait for a condition that a new line may fulfil.
final class LogCapture: Sendable {
    private let lines = Mutex<[String]>([])
    private let news = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    var all: [String] { lines.withLock(\.self) }

    var logger: Logger {
        Logger(label: "test") { [self] _ in Handler(capture: self) }
    }

    /// Checks the condition again after each line, until it gives a value.
    func waitUntil<Value: Sendable>(
        _ what: String,
        timeout: Duration = .seconds(120),
        _ condition: () async throws -> Value?
    ) async throws -> Value {
        let deadline = Task { [news] in
            try await Task.sleep(for: timeout)
            news.continuation.finish()
        }
        defer { deadline.cancel() }
        if let value = try await condition() { return value }
        for await _ in news.stream {
            if let value = try await condition() { return value }
        }
        throw WaitError(what: what, log: all)
    }

    struct WaitError: Error, CustomStringConvertible {
        let what: String
        let log: [String]
        var description: String { "waited in vain until \(what); logged:\n\(log.joined(separator: "\n"))" }
    }

    private struct Handler: LogHandler {
        let capture: LogCapture
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let pairs = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            capture.lines.withLock { $0.append(([event.message.description] + pairs).joined(separator: " ")) }
            capture.news.continuation.yield()
        }
    }
}
