// Turns the configuration's values into those of transport and delivery. Never reads the configuration file.

import OutboxCore
import OutboxDelivery
import OutboxSettings
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
    init(_ settings: Settings, relay: RelaySettings) {
        self.init(
            envelopeSender: settings.sender.address,
            schedule: RetrySchedule(
                delays: settings.retry.delays,
                jitter: settings.retry.jitter,
                giveUpAfter: settings.giveUpAfter
            ),
            connections: relay.connections,
            lease: settings.lease,
            pollInterval: settings.pollInterval,
            shutdownGrace: settings.shutdownGrace
        )
    }
}
