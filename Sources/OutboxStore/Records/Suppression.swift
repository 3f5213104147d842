// An address that is not mailed for a while. Holds no SQL.

import GRDB
package import OutboxCore

/// A row of the table `outbox_suppression`.
package struct Suppression: Codable, FetchableRecord, Hashable, Sendable {
    /// How an address got on the list.
    package enum Source: String, CaseIterable, Codable, DatabaseValueConvertible, Sendable {
        /// A relay rejected the address.
        case refused
        /// A delivery status notification reported the address.
        case reported
        /// An operator added the address.
        case manual
    }

    /// The canonical form of the address (``AddressKey``).
    package let address: String
    /// The reason, or an operator's words.
    package let reason: StoredCode<FailureReason>
    /// How the address got on the list.
    package let source: Source
    /// The message whose rejection caused the entry.
    package let messageID: Int64?
    /// When the entry was created.
    package let createdAt: Timestamp
    /// When the address may be mailed again.
    package let expiresAt: Timestamp

    /// The column names, which are also the JSON keys.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case address, reason, source
        case messageID = "message_id"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
    }

    /// Creates an entry.
    package init(
        address: String,
        reason: StoredCode<FailureReason>,
        source: Source,
        messageID: Int64?,
        createdAt: Timestamp,
        expiresAt: Timestamp
    ) {
        self.address = address
        self.reason = reason
        self.source = source
        self.messageID = messageID
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}
