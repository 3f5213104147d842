// One relay as delivery treats it: how to reach it and how hard to use it. Never opens a connection.

import OutboxCore
import OutboxStore
package import SMTPTransport

/// A relay with its limits.
package struct DeliveryRelay: Sendable {
    /// How to reach it.
    package var relay: SMTPRelay
    /// Where it stands in the configuration, such as `relays[0]`, for messages that send an operator there.
    package var setting: String
    /// How many connections, so lanes, are kept to it at most.
    package var connections: Int
    /// Messages a second at most, above 0; `nil`: as fast as it takes them.
    package var rate: Double?
    /// After so many permanent refusals in a row without one acceptance it is suspected itself.
    package var suspectAfter: Int

    /// Makes it; the defaults are those of the configuration file.
    package init(
        _ relay: SMTPRelay,
        setting: String = "relays[0]",
        connections: Int = 10,
        rate: Double? = nil,
        suspectAfter: Int = 20
    ) {
        self.relay = relay
        self.setting = setting
        self.connections = connections
        self.rate = rate
        self.suspectAfter = suspectAfter
    }

    /// Its health as it is written down; `position` counts from 1.
    func status(_ health: RelayHealth, position: Int, now: Timestamp) -> RelayStatus {
        var pausedUntil: Timestamp?
        let state: RelayStatus.State
        switch health.state {
        case .up: state = .up
        case .suspected: state = .suspected
        case .probing: state = .probing
        case .paused(let until):
            state = .paused
            pausedUntil = until
        }
        let trouble = health.trouble
        return RelayStatus(
            name: relay.name,
            position: position,
            state: state,
            pausedUntil: pausedUntil,
            downSince: health.downSince,
            fault: trouble?.fault,
            reason: trouble?.reason,
            stage: trouble?.stage,
            detail: trouble?.detail,
            setting: trouble.flatMap { place(toMend: $0) },
            updatedAt: now
        )
    }

    /// Where in the configuration to look; `nil` where no setting can help.
    func place(toMend trouble: RelayTrouble) -> String? {
        trouble.reason.remedy.map { $0.isOfRelay ? "\(setting): \($0.place)" : $0.place }
    }
}
