// An address that is not mailed for a while. Holds no SQL.

package import OutboxCore

/// A row of the table `outbox_suppression`; the properties are its columns.
package struct Suppression: Sendable, Hashable {
    /// How an address came on the list.
    package enum Source: String, CaseIterable, Sendable {
        /// A relay refused it.
        case refused
        /// A delivery status notification reported it.
        case reported
        /// An operator put it there.
        case manual
    }

    /// The canonical form of the address (``AddressKey``).
    package let address: String
    /// A raw value of `FailureReason`, or an operator's words.
    package let reason: String
    /// How it came on the list.
    package let source: Source
    /// The message whose refusal put it there.
    package let messageID: Int64?
    /// When it was put there.
    package let createdAt: Timestamp
    /// From when on it is mailed again.
    package let expiresAt: Timestamp

    /// Makes an entry.
    package init(
        address: String,
        reason: String,
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
