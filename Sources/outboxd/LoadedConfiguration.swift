// Reads everything that the configuration leads to: the file, templates, passwords. Never puts it to use.

import Foundation
import MailComposer
import OutboxDelivery
import OutboxSettings
import ProgramSupport

/// The configuration with all that it names, read at one moment: whole, or not at all.
struct LoadedConfiguration: Sendable {
    let settings: Settings
    let delivery: DeliveryConfiguration

    /// - Throws: `ProgramFailure` with exit code 78 and what is wrong.
    init(_ options: ConfigurationOptions, environment: [String: String]) throws {
        settings = try options.settings()
        delivery = DeliveryConfiguration(
            composer: try MailComposer(settings: settings),
            relays: try DeliveryRelay.all(settings, environment: environment),
            settings: DeliverySettings(settings)
        )
    }

    /// The passwords that systemd hands over once, at the start: reading them again gives what was there then.
    var fixedCredentials: [String] {
        settings.relays.compactMap { relay in
            guard let password = relay.credentials?.password, case .credential = password else { return nil }
            return password.place
        }
    }
}
