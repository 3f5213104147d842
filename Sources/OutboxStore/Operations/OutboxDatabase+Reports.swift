// Records what other mail systems reported of accepted mails. Never reads a report itself.

import GRDB
import OutboxCore

/// A message that was tried, as a report finds it.
private struct TriedMessage: Decodable, FetchableRecord {
    let id: Int64
    let address: String
    let state: MessageState

    enum CodingKeys: String, CodingKey {
        case address, state
        case id = "message_id"
    }
}

extension OutboxDatabase {
    /// Records a report of the mail with the given envelope id.
    ///
    /// A failed one makes an accepted message `bounced`; the advice blames the address only where the reason says that it
    /// takes no mail. What is said of a message in any other state is kept beside it, and changes nothing else.
    /// - Parameters:
    ///   - suppressFor: put the address on the suppression list for so long; `nil`: don't.
    /// - Returns: `nil` where no mail with that id was ever tried.
    package func record(
        _ report: DeliveryReportRecord,
        envelopeID: String,
        suppressFor: Duration?
    ) async throws -> ReportEffect? {
        try await write { database in
            let found = try TriedMessage.fetchOne(
                database,
                sql: "SELECT message_id, address, state FROM outbox_state WHERE envelope_id = ? AND last_attempt > 0",
                arguments: [envelopeID]
            )
            guard let found else { return nil }
            let id = found.id
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO outbox_report (message_id, action, received_at, status, reason, reporting_mta,
                        detail)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    id, report.action, report.receivedAt, report.status, report.reason, report.reportingMTA,
                    report.detail,
                ]
            )
            guard report.action == .failed else {
                return ReportEffect(messageID: id, hasBounced: false, state: found.state, suppressedUntil: nil)
            }
            let state = found.state.after(.bounced)
            if let state {
                try database.execute(
                    sql: """
                        UPDATE outbox_state SET state = ?, finished_at = ?, blames_address = ?
                        WHERE message_id = ? AND state = 'accepted'
                        """,
                    arguments: [state, report.receivedAt, report.reason?.known?.suppressesAddress ?? false, id]
                )
                guard database.changesCount == 1 else { throw DatabaseError.ignoredByTrigger }
            }
            let until = suppressFor.map { report.receivedAt + $0 }
            if let until {
                try Self.suppress(
                    Suppression(
                        address: found.address,
                        reason: report.reason ?? StoredCode(rawValue: report.action.rawValue),
                        source: .reported,
                        messageID: id,
                        createdAt: report.receivedAt,
                        expiresAt: until
                    ),
                    in: database
                )
            }
            return ReportEffect(
                messageID: id,
                hasBounced: state != nil,
                state: state ?? found.state,
                suppressedUntil: until
            )
        }
    }

    /// The message that a report with this envelope id is about; `nil` where no mail with it was ever tried.
    package func reported(envelopeID: String) async throws -> ReportedMessage? {
        try await read { database in
            try ReportedMessage.fetchOne(
                database,
                sql: """
                    SELECT message.id, message.recipient, state.envelope_id FROM outbox_state AS state
                    JOIN outbox AS message ON message.id = state.message_id
                    WHERE state.envelope_id = ? AND state.last_attempt > 0
                    """,
                arguments: [envelopeID]
            )
        }
    }

    /// The message that a relay accepted under an id of its own, such as Amazon SES gives; `nil` where there is none, or
    /// where the id is too short to be used only once.
    package func reported(relayID: String) async throws -> ReportedMessage? {
        try await read { database in
            try ReportedMessage.fetchOne(
                database,
                sql: """
                    SELECT message.id, message.recipient, state.envelope_id FROM outbox_attempt AS attempt
                    JOIN outbox_state AS state ON state.message_id = attempt.message_id
                    JOIN outbox AS message ON message.id = attempt.message_id
                    WHERE attempt.queue_id = ? AND length(attempt.queue_id) >= 20 AND attempt.outcome = 'accepted'
                    """,
                arguments: [relayID]
            )
        }
    }

    /// What was reported of a message, in the order in which it came.
    package func reports(of id: Int64) async throws -> [DeliveryReportRecord] {
        try await read { database in
            try DeliveryReportRecord.fetchAll(
                database,
                sql: "SELECT * FROM outbox_report WHERE message_id = ? ORDER BY received_at, action",
                arguments: [id]
            )
        }
    }
}
