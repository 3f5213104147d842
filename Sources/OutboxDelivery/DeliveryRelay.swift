// A relay as delivery sees it. Never opens a connection.

package import OutboxCore
import OutboxStore
package import SMTPTransport

/// A relay and its place in the configuration.
package struct DeliveryRelay: Sendable {
    /// How to reach the relay, including its password.
    package var smtp: SMTPRelay
    /// The relay's place in the configuration, such as `relays[0]`, for messages to the operator.
    package var setting: String

    /// Creates a relay.
    package init(_ relay: SMTPRelay, setting: String = "relays[0]") {
        smtp = relay
        self.setting = setting
    }

    /// The relay's name.
    package var name: String { configuration.name }

    /// The relay's settings.
    package var configuration: RelayConfiguration {
        get { smtp.configuration }
        set { smtp.configuration = newValue }
    }

    /// The relay's health as a row to store; `position` counts from 1.
    func status(
        _ health: RelayHealth,
        tls: TLSSession?,
        mailsPerConnection: Int?,
        position: Int,
        now: Timestamp
    ) -> RelayStatus {
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
            name: name,
            position: position,
            state: state,
            pausedUntil: pausedUntil,
            downSince: health.downSince,
            fault: trouble?.fault,
            reason: trouble?.reason,
            stage: trouble?.stage,
            detail: trouble?.detail,
            setting: trouble.flatMap { place(toMend: $0) },
            tls: tls,
            mailsPerConnection: mailsPerConnection,
            updatedAt: now
        )
    }

    /// The setting that the operator should check; `nil` if no setting can help.
    func place(toMend trouble: RelayTrouble) -> String? {
        Remedy(trouble.reason)?.place(at: setting, usesTokens: smtp.credentials?.tokens != nil)
    }
}
