// One relay as the running outboxd sees it: a row of outbox_relay. Never holds a password.

package import GRDB
package import OutboxCore

/// A row of the table `outbox_relay`.
package struct RelayStatus: Codable, FetchableRecord, PersistableRecord, Hashable, Sendable {
    /// The state of a relay (see `RelayHealth`).
    package enum State: String, CaseIterable, Codable, DatabaseValueConvertible, Sendable {
        case up, suspected, paused, probing
    }

    /// The relay's name in the configuration.
    package let name: String
    /// Its place in the order of preference, from 1.
    package let position: Int
    /// Whether the relay takes messages.
    package let state: State
    /// When it is probed next; `nil` unless it is paused.
    package let pausedUntil: Timestamp?
    /// Since when the relay has not been up.
    package let downSince: Timestamp?
    /// Whose fault that is.
    package let fault: StoredCode<Verdict.Fault>?
    /// Why the relay isn't up.
    package let reason: StoredCode<FailureReason>?
    /// The stage that the conversation reached.
    package let stage: StoredCode<SMTPStage>?
    /// The relay's words, or libcurl's.
    package let detail: String?
    /// The configuration keys to check, for a fault that an operator must fix.
    package let setting: String?
    /// The protocol of the connection that was opened last, such as `TLSv1.3`; `nil` without TLS.
    package let tlsVersion: String?
    /// Its cipher suite.
    package let tlsCipher: String?
    /// The name in the relay's certificate.
    package let certificateName: String?
    /// The end of the certificate's validity.
    package let certificateExpiresAt: Timestamp?
    /// How many mails the relay takes over one connection, as it says (RFC 9422) or has shown to the running outboxd;
    /// `nil` if no limit is known.
    package let mailsPerConnection: Int?
    /// When this row was written.
    package let updatedAt: Timestamp

    /// The column names, which are also the JSON keys.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, position, state, fault, reason, stage, detail, setting
        case pausedUntil = "paused_until"
        case downSince = "down_since"
        case tlsVersion = "tls_version"
        case tlsCipher = "tls_cipher"
        case certificateName = "certificate_name"
        case certificateExpiresAt = "certificate_expires_at"
        case mailsPerConnection = "mails_per_connection"
        case updatedAt = "updated_at"
    }

    package static let databaseTableName = "outbox_relay"
    package static let persistenceConflictPolicy = PersistenceConflictPolicy(insert: .replace)

    /// Creates a status.
    package init(
        name: String,
        position: Int,
        state: State,
        pausedUntil: Timestamp?,
        downSince: Timestamp?,
        fault: Verdict.Fault?,
        reason: FailureReason?,
        stage: SMTPStage?,
        detail: String?,
        setting: String?,
        tls: TLSSession? = nil,
        mailsPerConnection: Int? = nil,
        updatedAt: Timestamp
    ) {
        self.name = name
        self.position = position
        self.state = state
        self.pausedUntil = pausedUntil
        self.downSince = downSince
        self.fault = fault.map { StoredCode($0) }
        self.reason = reason.map { StoredCode($0) }
        self.stage = stage.map { StoredCode($0) }
        self.detail = detail
        self.setting = setting
        tlsVersion = tls?.version
        tlsCipher = tls?.cipher
        certificateName = tls?.certificateName
        certificateExpiresAt = tls?.certificateExpiresAt
        self.mailsPerConnection = mailsPerConnection
        self.updatedAt = updatedAt
    }

    /// The protection of the connection that was opened last; `nil` without TLS.
    package var tls: TLSSession? {
        guard let tlsVersion, let tlsCipher else { return nil }
        return TLSSession(
            version: tlsVersion,
            cipher: tlsCipher,
            certificateName: certificateName,
            certificateExpiresAt: certificateExpiresAt
        )
    }
}
