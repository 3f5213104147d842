// An address that is not mailed for a while. Holds no SQL.

import GRDB
package import OutboxCore

/// A row of the table `outbox_suppression`.
package struct Suppression: Codable, FetchableRecord, Hashable, Sendable {
    /// How an address came on the list.
    package enum Source: String, CaseIterable, Codable, DatabaseValueConvertible, Sendable {
        /// A relay refused it.
        case refused
        /// A delivery status notification reported it.
        case reported
        /// An operator put it there.
        case manual
    }

    /// The canonical form of the address (``AddressKey``).
    package let address: String
    /// Why, or an operator's words.
    package let reason: StoredCode<FailureReason>
    /// How it came on the list.
    package let source: Source
    /// The message whose refusal put it there.
    package let messageID: Int64?
    /// When it was put there.
    package let createdAt: Timestamp
    /// From when on it is mailed again.
    package let expiresAt: Timestamp

    /// The columns' names, and those of JSON.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case address, reason, source
        case messageID = "message_id"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
    }

    /// Makes an entry.
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
