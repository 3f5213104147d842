// Records other mail systems' reports about accepted mails. Never parses a report.

import GRDB
import OutboxCore

/// A message with at least one attempt, as a report finds it.
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
    /// A report of failure makes an accepted message `bounced`. The advice blames the address only where the reason
    /// says that the address takes no mail. Of several reports of one action the newest is kept; of a delivery the first,
    /// because a copy of the report must not move the delivery. A report about a message in any other state is stored, and changes nothing
    /// else.
    /// - Parameters:
    ///   - suppressFor: how long to put the address on the suppression list; `nil` doesn't suppress it.
    /// - Returns: `nil` where no mail with that id was ever attempted.
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
                    INSERT INTO outbox_report (message_id, action, received_at, status, reason, reporting_mta, detail)
                    VALUES (?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (message_id, action) DO UPDATE SET
                        received_at = excluded.received_at, status = excluded.status, reason = excluded.reason,
                        reporting_mta = excluded.reporting_mta, detail = excluded.detail
                    WHERE excluded.action <> 'delivered'
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

    /// The message with this envelope id; `nil` where no mail with the id was ever attempted.
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

    /// The message that a relay accepted under its own id, such as Amazon SES's; `nil` where there is none, or where
    /// the id is too short to be unique.
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

    /// The reports about a message, in the order of their arrival.
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
