// What delivery does by the configuration file, and how a new version of it is taken over while delivery runs. Never
// reads a file.

package import MailComposer
import OutboxCore
import SMTPTransport
import Synchronization

/// Everything delivery takes from the configuration, as one value, so that nobody sees half a change.
package struct DeliveryConfiguration: Sendable {
    /// Makes the mails.
    package var composer: MailComposer
    /// The relays in order of preference.
    package var relays: [DeliveryRelay]
    /// The rest.
    package var settings: DeliverySettings

    /// Makes it.
    package init(composer: MailComposer, relays: [DeliveryRelay], settings: DeliverySettings) {
        self.composer = composer
        self.relays = relays
        self.settings = settings
    }

    /// What an attempt needs.
    var forAttempts: (MailComposer, DeliverySettings) { (composer, settings) }

    /// This configuration with everything of a newer one that can change while delivery runs.
    ///
    /// Relays, their order, lanes and what counts their refusals are fixed at start; a relay is the same one as long as
    /// its name is. So are lease and poll interval, which others count on in the middle of their waiting.
    /// - Returns: also which keys of the file wait for a restart.
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
            return relay
        }
        if newer.settings.times.lease != settings.times.lease { keys.append("lease") }
        if newer.settings.times.pollInterval != settings.times.pollInterval { keys.append("poll_interval") }
        taken.settings.times.lease = settings.times.lease
        taken.settings.times.pollInterval = settings.times.pollInterval
        return (taken, keys)
    }
}

/// The configuration in use, for everybody who works by it: each asks anew for each piece of work.
package final class CurrentConfiguration: Sendable {
    /// Gets a call after each replacement; for the one service that delivers.
    let changes = WakeUp()

    private let current: Mutex<DeliveryConfiguration>

    /// Starts with what was read at start.
    package init(_ configuration: DeliveryConfiguration) { current = Mutex(configuration) }

    /// The configuration as it is now.
    package var value: DeliveryConfiguration { current.withLock(\.self) }

    /// Takes over what can change while delivery runs, at once and as a whole.
    ///
    /// - Returns: which keys of the file wait for a restart.
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
