// The part of the configuration file that delivery uses, and how delivery takes over a new version while it runs. Never
// reads a file.

package import MailComposer
import OutboxCore
import SMTPTransport
import Synchronization

/// Everything that delivery takes from the configuration. It is one value, so that no reader sees half a change.
package struct DeliveryConfiguration: Sendable {
    /// Composes the mails.
    package var composer: MailComposer
    /// The relays in order of preference.
    package var relays: [DeliveryRelay]
    /// All other settings.
    package var settings: DeliverySettings

    /// Creates a configuration.
    package init(composer: MailComposer, relays: [DeliveryRelay], settings: DeliverySettings) {
        self.composer = composer
        self.relays = relays
        self.settings = settings
    }

    /// The values that an attempt needs.
    var forAttempts: (MailComposer, DeliverySettings) { (composer, settings) }

    /// This configuration with every value of a newer one that can change while delivery runs.
    ///
    /// The relays, their order, their lanes and their refusal counters are fixed at start; a relay keeps its identity as
    /// long as its name stays. The lease and the poll interval are fixed too, because running waits depend on them.
    /// - Returns: the merged configuration, and the keys of the file that need a restart.
    package func taking(_ newer: DeliveryConfiguration) -> (taken: DeliveryConfiguration, needingRestart: [String]) {
        var taken = newer
        var keys: [String] = []
        if relays.map(\.name) != newer.relays.map(\.name) { keys.append("relays (number, order or names)") }
        taken.relays = relays.map { old in
            guard var relay = newer.relays.first(where: { $0.name == old.name }) else { return old }
            let (before, after) = (old.configuration, relay.configuration)
            if after.connections != before.connections { keys.append("connections of \(old.name)") }
            if after.suspectAfter != before.suspectAfter { keys.append("suspect_after of \(old.name)") }
            relay.configuration.connections = before.connections
            relay.configuration.suspectAfter = before.suspectAfter
            relay.smtp.keepTokens(of: old.smtp)
            return relay
        }
        if newer.settings.times.lease != settings.times.lease { keys.append("lease") }
        if newer.settings.times.pollInterval != settings.times.pollInterval { keys.append("poll_interval") }
        taken.settings.times.lease = settings.times.lease
        taken.settings.times.pollInterval = settings.times.pollInterval
        return (taken, keys)
    }
}

/// The configuration in use. Every user reads it again for each piece of work.
package final class CurrentConfiguration: Sendable {
    /// Is called after each replacement. Only the delivery service waits for it.
    let changes = WakeUp()

    private let current: Mutex<DeliveryConfiguration>

    /// Starts with the configuration that was read at start.
    package init(_ configuration: DeliveryConfiguration) { current = Mutex(configuration) }

    /// The current configuration.
    package var value: DeliveryConfiguration { current.withLock(\.self) }

    /// Takes over every value that can change while delivery runs, in one atomic step.
    ///
    /// - Returns: the keys of the file that need a restart.
    package func take(_ newer: DeliveryConfiguration) -> [String] {
        let keys = current.withLock { current in
            let (taken, keys) = current.taking(newer)
            current = taken
            return keys
        }
        changes.call()
        return keys
    }
}
