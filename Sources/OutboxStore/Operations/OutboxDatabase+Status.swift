// Reports the state of messages from the view that applications use as well. Never reads the table's token.

import Foundation
import GRDB
import InternetMessage
import OutboxCore

extension OutboxDatabase {
    /// The messages to one address, newest first, in any spelling of the address.
    package func status(recipient: String) async throws -> [StatusRecord] {
        let spellings = try await read { try Self.spellings(of: recipient, in: $0) }
        return try await records(where: Self.statusOfRecipient, arguments: [spellings])
    }

    /// "+id": to order by the bare id, SQLite would walk through the whole table.
    static let statusOfRecipient = "\(isOfRecipient) ORDER BY +id DESC"

    /// The row's recipient is one of the spellings in a JSON array. This condition uses the index on recipients.
    static let isOfRecipient = "recipient COLLATE NOCASE IN (SELECT value FROM json_each(?))"

    /// The spellings of an address that `outbox.recipient` may contain, apart from the case of ASCII letters: a JSON
    /// array.
    ///
    /// The column `address` of the state has one canonical spelling, but no index over all rows, because each insert
    /// would pay for it.
    static func spellings(of address: String, in database: Database) throws -> String {
        let localParts = AddressKey.spellings(ofLocalPartOf: address)
        guard let domain = AddressKey.domain(of: address) else { return try json(localParts) }
        let aLabels = DomainName.aLabels(of: domain) ?? domain
        let others = try String.fetchAll(
            database,
            sql: "SELECT spelling FROM outbox_domain WHERE a_labels = ?",
            arguments: [aLabels]
        )
        return try json(localParts.flatMap { localPart in ([domain, aLabels] + others).map { "\(localPart)@\($0)" } })
    }

    private static func json(_ texts: [String]) throws -> String {
        String(decoding: try JSONEncoder().encode(texts), as: UTF8.self)
    }

    /// One message; `nil` where there is none.
    package func status(id: Int64) async throws -> StatusRecord? {
        try await records(where: "id = ?", arguments: [id]).first
    }

    /// Messages by state, reason to wait, kind and age, newest first.
    package func list(_ filter: StatusFilter) async throws -> [StatusRecord] {
        try await records(
            where: """
                (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR requested_at >= ?3)
                AND (?4 IS NULL OR waiting_for = ?4)
                ORDER BY id DESC LIMIT ?5
                """,
            arguments: [filter.state, filter.kind, filter.since, filter.waitingFor?.rawValue, filter.limit]
        )
    }

    /// The attempts of one message, in order.
    package func attempts(of id: Int64) async throws -> [AttemptRecord] {
        try await read { database in
            try AttemptRecord.fetchAll(
                database,
                sql: "SELECT * FROM outbox_attempt WHERE message_id = ? ORDER BY attempt",
                arguments: [id]
            )
        }
    }

    private func records(where condition: String, arguments: StatementArguments) async throws -> [StatusRecord] {
        try await read { database in
            try StatusRecord.fetchAll(
                database,
                sql: "SELECT * FROM outbox_status WHERE \(condition)",
                arguments: arguments
            )
        }
    }
}
