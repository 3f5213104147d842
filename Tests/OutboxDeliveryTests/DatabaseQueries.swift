// Queries of a database file for tests, beside the store's own, and inserts with a chosen time.

import Foundation
import GRDB
import OutboxCore
import OutboxStore
import Synchronization

extension OutboxDatabase {
    /// The amount of work left.
    struct Workload {
        let open: Int
        /// A message is being sent, or is due while a relay is up.
        let isBusy: Bool
    }

    private func foreign<Value: Sendable>(_ body: @Sendable (Database) throws -> Value) throws -> Value {
        try ForeignConnections.shared.queue(path).inDatabase(body)
    }

    /// Inserts a message that was requested at the given moment.
    func insert(recipient: String, requestedAt: Timestamp) async throws {
        try foreign { database in
            try database.inTransaction {
                try database.execute(
                    sql: "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 't')",
                    arguments: [recipient]
                )
                try database.execute(
                    sql: "UPDATE outbox_state SET requested_at = ?1, due_at = ?1 WHERE message_id = ?2",
                    arguments: [requestedAt.milliseconds, database.lastInsertedRowID]
                )
                return .commit
            }
        }
    }

    func workload(now: Timestamp) async throws -> Workload {
        try foreign { database in
            let open =
                try Int.fetchOne(database, sql: "SELECT count(*) FROM outbox_state WHERE finished_at IS NULL") ?? 0
            let isBusy = try Bool.fetchOne(
                database,
                sql: """
                    SELECT EXISTS (SELECT 1 FROM outbox_state WHERE state = 'sending')
                        OR EXISTS (SELECT 1 FROM outbox_state WHERE due_at <= ?)
                            AND EXISTS (SELECT 1 FROM outbox_relay WHERE state <> 'paused')
                    """,
                arguments: [now.milliseconds]
            )
            return Workload(open: open, isBusy: isBusy ?? false)
        }
    }

    /// The number of attempts of each message.
    func attemptCounts() async throws -> [Int64: Int] {
        try foreign { database in
            let rows = try Row.fetchAll(database, sql: "SELECT message_id, last_attempt FROM outbox_state")
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0] as Int64, $0[1] as Int) })
        }
    }

    /// The messages with an attempt since this moment that failed, and that counts.
    func messagesThatFailed(since moment: Timestamp) async throws -> Set<Int64> {
        try foreign { database in
            try Int64.fetchSet(
                database,
                sql: """
                    SELECT message_id FROM outbox_attempt WHERE started_at >= ? AND outcome <> 'accepted' AND counts = 1
                    """,
                arguments: [moment.milliseconds]
            )
        }
    }

    /// The length of the code's proof of each mailed message, by id.
    func codes() async throws -> [Int?] {
        try foreign { database in
            let sql = "SELECT length(code_mac) FROM outbox_token ORDER BY message_id"
            return try Row.fetchAll(database, sql: sql).map { $0[0] as Int? }
        }
    }

    /// The recipients whose mails may have arrived twice.
    func uncertainRecipients() async throws -> Set<String> {
        try foreign { database in
            try String.fetchSet(
                database,
                sql: """
                    SELECT recipient FROM outbox JOIN outbox_attempt ON message_id = id WHERE outcome = 'uncertain'
                    """
            )
        }
    }
}

/// The tests' own connection to each file; a new connection would first read the whole schema.
private final class ForeignConnections: Sendable {
    static let shared = ForeignConnections()
    private let queues = Mutex<[String: DatabaseQueue]>([:])

    func queue(_ path: String) throws -> DatabaseQueue {
        try queues.withLock { queues in
            if let queue = queues[path] { return queue }
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            queues[path] = queue
            return queue
        }
    }
}
