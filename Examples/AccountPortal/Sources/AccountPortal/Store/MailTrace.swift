// What a relay said about one mail, for the mail administrator who looks for it. Reads the outbox, and never changes it.

import Foundation
import GRDB
import OutboxClient

/// One attempt to hand a mail over (docs/sql-contract.md).
struct MailTrace: Sendable, FetchableRecord {
    let kind: String
    let startedAt: Date
    let outcome: String
    let relay: String
    let reply: String
    let queueID: String

    init(row: Row) throws {
        kind = row["kind"]
        startedAt = Date(milliseconds: row["started_at"])
        outcome = row["outcome"] ?? ""
        relay = row["relay"] ?? ""
        // The relay's words begin with its codes.
        reply =
            row["detail"]
            ?? [(row["reply_code"] as Int?).map(String.init), row["enhanced_status"]].compactMap { $0 }
            .joined(separator: " ")
        queueID = row["queue_id"] ?? ""
    }
}

extension Accounts {
    /// The attempts of the mail with this Message-ID or queue id to this address, oldest first; `nil` if too many were
    /// looked up. Both must be known: neither the address nor a guessed number alone shows anything.
    func trace(_ id: String, to address: String, network: String) async throws -> [MailTrace]? {
        try await database.write { database in
            let events = [(ThrottleRule.lookupsFromNetwork, network)]
            guard try throttle.count(events, in: database, at: Date().milliseconds) == nil else { return nil }
            // The part of a Message-ID before the @ is the envelope id.
            let name = id.trimmingCharacters(in: CharacterSet(charactersIn: "<> \t")).prefix { $0 != "@" }
            guard name.utf8.count >= 6 else { return [] }
            return try MailTrace.fetchAll(
                database,
                sql: """
                    SELECT outbox.kind, attempt.* FROM outbox
                    JOIN outbox_attempt AS attempt ON attempt.message_id = outbox.id
                    WHERE outbox.recipient = ?1 COLLATE NOCASE AND attempt.outcome IS NOT NULL AND outbox.id IN (
                        SELECT message_id FROM outbox_token_status WHERE recipient = ?1 AND envelope_id = ?2
                        UNION ALL
                        SELECT message_id FROM outbox_attempt WHERE queue_id = ?2 AND message_id IN (
                            SELECT id FROM outbox WHERE recipient = ?1 COLLATE NOCASE))
                    ORDER BY attempt.message_id, attempt.attempt LIMIT 100
                    """,
                arguments: [address, String(name)]
            )
        }
    }
}
