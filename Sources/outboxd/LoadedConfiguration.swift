// Reads everything that the configuration names: the file, templates, passwords. Never applies it.

import Foundation
import MailComposer
import OutboxDelivery
import OutboxSettings
import ProgramSupport

/// The configuration with all the files that it names, read at one time: completely, or not at all.
struct LoadedConfiguration: Sendable {
    let settings: Settings
    let delivery: DeliveryConfiguration

    /// - Throws: `ProgramFailure` with exit code 78 and a description of the problem.
    init(_ options: ConfigurationOptions, environment: [String: String]) throws {
        settings = try options.settings()
        delivery = DeliveryConfiguration(
            composer: try MailComposer(settings: settings),
            relays: try DeliveryRelay.all(settings, environment: environment),
            settings: DeliverySettings(settings)
        )
    }

    /// The secrets that systemd provides only at start: reading them again gives the same content.
    var fixedCredentials: [String] {
        settings.relays.flatMap { relay in
            (relay.credentials?.secrets ?? []).compactMap { secret in
                guard case .credential = secret.source else { return nil }
                return secret.source.place
            }
        }
    }
}
