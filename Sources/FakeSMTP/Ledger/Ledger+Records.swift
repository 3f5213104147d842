// The records of a ledger. Plain values.

package import Foundation

extension Ledger {
    /// One TCP connection.
    package struct Connection: Sendable, Hashable {
        /// Its number, from 1, in the order of acceptance.
        package let id: Int
        /// When it was accepted.
        package let openedAt: Date
        /// Whether a TLS handshake was completed.
        package internal(set) var isSecure = false
        /// The authenticated user, if any.
        package internal(set) var user: String?
        /// Octets that the client sent after STARTTLS without waiting, and that were discarded (RFC 3207 §4.2).
        package internal(set) var discardedPlaintext = 0
        /// The commands that the client sent before the reply to the one before (RFC 2920).
        package internal(set) var pipelinedCommands = 0
        /// How many times the client sent more without waiting for a reply, although PIPELINING was not offered, or the
        /// command must be the last of its group (RFC 2920 §3.1).
        package internal(set) var synchronizationErrors = 0
        /// Whether it was closed, by either side.
        package internal(set) var isClosed = false
    }

    /// One accepted mail.
    package struct Mail: Sendable, Hashable {
        /// Its number, from 1 (or from the highest number already in the store); the queue id is derived from it.
        package let sequence: Int
        /// The id in `250 2.0.0 Ok: queued as <id>`.
        package let queueID: String
        /// The number of its connection.
        package let connection: Int
        /// The reverse path without angle brackets; empty for `<>`.
        package let mailFrom: String
        /// The parameters of MAIL by upper-case keyword; a parameter without a value has an empty one.
        package let parameters: [String: String]
        /// The recipients that were accepted, in order, without angle brackets.
        package let recipients: [String]
        /// The parameters of their RCPT commands, in the same order, by upper-case keyword.
        package let recipientParameters: [[String: String]]
        /// The mail's exact octets, dot-stuffing undone.
        package let bytes: [UInt8]
        /// When it was accepted.
        package let acceptedAt: Date
        /// Whether it came over TLS.
        package let isSecure: Bool
        /// The authenticated user, if any.
        package let user: String?
        /// False if a fault withheld the answer from the client (`accept-drop`).
        package let isAnswered: Bool
        /// The file's name in the store, if there is one.
        package internal(set) var file: String?

        /// The mail as text; octets that are not UTF-8 are replaced.
        package var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// One firing of a fault.
    package struct Firing: Sendable, Hashable {
        /// The fault.
        package let fault: Fault
        /// The number of the affected connection.
        package let connection: Int
        /// When it fired.
        package let firedAt: Date
    }
}
