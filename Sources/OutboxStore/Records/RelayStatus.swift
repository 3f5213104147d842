// One relay as the running outboxd sees it: a row of outbox_relay. Never holds a password.

package import OutboxCore

/// A row of the table `outbox_relay`; the properties are its columns.
package struct RelayStatus: Sendable, Hashable {
    /// The relay's name in the configuration.
    package let name: String
    /// Its place in the order of preference, from 1.
    package let position: Int
    /// `up`, `suspected`, `paused` or `probing`.
    package let state: String
    /// When it is probed next; `nil` unless it is paused.
    package let pausedUntil: Timestamp?
    /// Since when it isn't up.
    package let downSince: Timestamp?
    /// Whose fault that is: a raw value of `FaultScope`.
    package let fault: String?
    /// A raw value of `FailureReason`.
    package let reason: String?
    /// A raw value of `SMTPStage`.
    package let stage: String?
    /// The relay's words, or libcurl's.
    package let detail: String?
    /// Where in the configuration to look, for a fault that an operator has to mend.
    package let setting: String?
    /// When this was written down.
    package let updatedAt: Timestamp

    /// Makes a status.
    package init(
        name: String,
        position: Int,
        state: String,
        pausedUntil: Timestamp?,
        downSince: Timestamp?,
        fault: String?,
        reason: String?,
        stage: String?,
        detail: String?,
        setting: String?,
        updatedAt: Timestamp
    ) {
        self.name = name
        self.position = position
        self.state = state
        self.pausedUntil = pausedUntil
        self.downSince = downSince
        self.fault = fault
        self.reason = reason
        self.stage = stage
        self.detail = detail
        self.setting = setting
        self.updatedAt = updatedAt
    }
}
