// Turns the configuration's values into those of transport and delivery. Never reads the configuration file.

import OutboxCore
import OutboxDelivery
import OutboxSettings
import OutboxStore
import ProgramSupport
import SMTPTransport

extension SMTPRelay {
    /// The relay that the configuration describes, with its password read.
    ///
    /// - Throws: `ProgramFailure` where the password can't be read.
    init(_ settings: RelaySettings, environment: [String: String]) throws {
        self.init(
            name: settings.name,
            url: settings.endpoint.url,
            tls: TLSPolicy(settings.tls),
            caFile: settings.caFile,
            helo: settings.helo,
            connectTimeout: settings.connectTimeout,
            replyTimeout: settings.replyTimeout,
            messagesPerConnection: settings.messagesPerConnection,
            idle: settings.idle
        )
        guard let credentials = settings.credentials else { return }
        do {
            let password = try credentials.password.read(environment: environment)
            self.credentials = SMTPCredentials(user: credentials.user, password: password.revealed)
        } catch {
            throw ProgramFailure.configuration("relay \(settings.name): \(error)")
        }
    }
}

extension DeliveryRelay {
    /// The relay at the given place of the list `relays`.
    ///
    /// - Throws: `ProgramFailure` where its password can't be read.
    init(_ settings: RelaySettings, at index: Int, environment: [String: String]) throws {
        let password = settings.credentials.map { " (\($0.password.place))" } ?? ""
        self.init(
            try SMTPRelay(settings, environment: environment),
            setting: "relays[\(index)]\(password)",
            connections: settings.connections,
            rate: settings.rate,
            suspectAfter: settings.suspectAfter
        )
    }

    /// All relays of the configuration, in order of preference.
    ///
    /// - Throws: `ProgramFailure` where a password can't be read.
    static func all(_ settings: Settings, environment: [String: String]) throws -> [DeliveryRelay] {
        try settings.relays.enumerated().map { index, relay in
            try DeliveryRelay(relay, at: index, environment: environment)
        }
    }
}

extension TLSPolicy {
    init(_ settings: RelayTLS) {
        switch settings {
        case .required: self = .required
        case .opportunistic: self = .opportunistic
        case .none: self = .none
        }
    }
}

extension DeliverySettings {
    init(_ settings: Settings) {
        self.init(
            envelopeSender: { [sender = settings.sender] envelopeID in
                sender.envelopeFrom?.address(for: envelopeID) ?? sender.address
            },
            schedule: RetrySchedule(
                delays: settings.retry.delays,
                jitter: settings.retry.jitter,
                giveUpAfter: settings.giveUpAfter
            ),
            rules: DeliveryRules(
                limits: ResendLimits(
                    minimumInterval: settings.limits.minimumInterval,
                    perHour: settings.limits.perHour
                ),
                keepOlder: settings.keepOlder,
                suppression: settings.suppression.duration
            ),
            lease: settings.lease,
            pollInterval: settings.pollInterval,
            shutdownGrace: settings.shutdownGrace
        )
    }
}

extension Guidance {
    init(_ settings: GuidanceSettings) {
        self.init(patience: settings.patience, resends: settings.resends, window: settings.window)
    }
}
