// Reads everything that the configuration names: the file, templates, passwords. Never applies it.

import Foundation
import MailComposer
import OutboxCore
import OutboxDelivery
import OutboxSettings
import OutboxTokens
import ProgramSupport

/// The configuration with all the files that it names, read at one time: completely, or not at all.
struct LoadedConfiguration: Sendable {
    let settings: Settings
    let delivery: DeliveryConfiguration

    /// - Throws: `ProgramFailure` with exit code 78 and a description of the problem.
    init(_ options: ConfigurationOptions, environment: [String: String]) throws {
        settings = try options.settings()
        let composer = try MailComposer(settings: settings)
        var delivery = DeliverySettings(settings)
        delivery.rules.tokens = try TokenRules(
            settings.tokens,
            kinds: composer.kindsWithToken,
            environment: environment
        )
        self.delivery = DeliveryConfiguration(
            composer: composer,
            relays: try DeliveryRelay.all(settings, environment: environment),
            settings: delivery
        )
    }

    /// The secrets that systemd provides only at start: reading them again gives the same content.
    var fixedCredentials: [String] {
        let ofRelays = settings.relays.flatMap { ($0.credentials?.secrets ?? []).map(\.source) }
        let ofTokens = settings.tokens.map { [$0.key] + $0.earlierKeys } ?? []
        return (ofRelays + ofTokens).filter(\.isCredential).map(\.place)
    }
}
