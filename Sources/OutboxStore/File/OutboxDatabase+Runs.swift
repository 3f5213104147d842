// Begins a daemon's run: notices a file that is older than what outboxd last committed to it, and holds its open
// messages. Never decides whether they are sent.

import GRDB
package import OutboxCore
import Synchronization

/// What the beginning of a run found.
package struct RunBeginning: Sendable, Hashable {
    /// The file, compared with the mark.
    package enum Finding: Sendable, Hashable {
        /// There is nothing to compare it with: outboxd never ran on it here, or keeps no marks.
        case unmarked
        /// The file has everything that outboxd committed to it.
        case complete
        /// The file is older than outboxd's last commit, which was at this time.
        case restored(lastCommit: Timestamp)
    }

    /// The file, compared with the mark.
    package var finding = Finding.unmarked
    /// The messages that were being sent in the restored file, whose attempts became `uncertain`.
    package var uncertain: [Int64] = []
    /// Messages that a rule of the application refused to change.
    package var refused: [RowRefusal] = []
    /// All messages that wait because of a restored file, earlier ones included.
    package var held: RestoredMessages?
}

/// The messages that wait for `outboxctl accept-restored`.
package struct RestoredMessages: Sendable, Hashable {
    /// Their number.
    package let count: Int
    /// When the first of them was held.
    package let since: Timestamp
    /// When the oldest and the newest of them were requested.
    package let requested: ClosedRange<Timestamp>
}

extension OutboxDatabase {
    /// A mark that nobody wrote for so long is not expected to find its run in the file.
    private static let longestAbsence = Duration.seconds(366 * 86_400)
    /// Runs without a commit for so long are forgotten. The difference is the margin for clocks that are wrong.
    private static let forgotten = longestAbsence * 2

    /// Begins this daemon's run, before it does anything else with the file.
    ///
    /// Compares the file with the mark that outboxd left on this machine. If the file is older, its open messages up to
    /// the mark's time may have been sent since; they are held in the same transaction, and wait until an operator
    /// decides about them. From then on each change that this daemon commits is counted in the file and in the mark.
    /// - Parameters:
    ///   - folder: where marks are kept; `nil` keeps none and compares nothing.
    ///   - clock: the present.
    ///   - onTrouble: called once if the mark can't be kept.
    /// - Throws: `OutboxDatabaseError`.
    package func beginRun(
        marks folder: String?,
        rules: DeliveryRules,
        clock: @escaping @Sendable () -> Timestamp,
        onTrouble: @escaping @Sendable (CommitMarkTrouble) -> Void
    ) async throws -> RunBeginning {
        showDaemon()
        guard let folder else { return RunBeginning(held: try await restoredMessages()) }
        let (begun, beginning) = try await write { database in
            let now = clock()
            try database.execute(sql: Schema.identity)
            guard let identity = try Self.identity(in: database),
                let marks = CommitMarkFile(folder: folder, identity: identity, onTrouble: onTrouble)
            else { return (nil as BegunRun?, RunBeginning(held: try Self.restoredMessages(in: database))) }
            var beginning = RunBeginning()
            // Under the write lock: meanwhile no other daemon can commit and then replace the mark.
            let left = marks.read()
            if let left {
                beginning.finding = .complete
                if try Self.isOlder(than: left, now: now, in: database) {
                    beginning.finding = .restored(lastCommit: left.committedAt)
                    try Self.hold(upTo: left, now: now, rules: rules, in: database, &beginning)
                }
            }
            beginning.held = try Self.restoredMessages(in: database)
            let number = try Int64.fetchOne(database, sql: "SELECT random() & \(Int64.max)") ?? 0
            let mark = CommitMark(run: number, commits: 0, committedAt: now)
            if marks.isWritable { try mark.insert(into: database) }
            return (BegunRun(identity: identity, marks: marks, left: left, mark: mark), beginning)
        }
        guard let begun, begun.marks.isWritable else { return beginning }
        let isDurable = begun.marks.writeDurably(begun.mark)
        run.withLock { $0 = DaemonRun(begun.mark, identity: begun.identity, marks: begun.marks, clock: clock) }
        if isDurable { try await forgetRuns(before: begun, now: clock()) }
        return beginning
    }

    /// A mark of a run that the file has forgotten says nothing.
    private static func isOlder(than mark: CommitMark, now: Timestamp, in database: Database) throws -> Bool {
        let commits = try Int64.fetchOne(
            database,
            sql: "SELECT commits FROM outbox_run WHERE run = ?",
            arguments: [mark.run]
        )
        return commits.map { $0 < mark.commits } ?? (mark.committedAt > now - longestAbsence)
    }

    /// Holds the open messages that were requested up to the mark's time. Messages that were being sent become
    /// uncertain first.
    private static func hold(
        upTo mark: CommitMark,
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database,
        _ beginning: inout RunBeginning
    ) throws {
        let claims = try Row.fetchAll(
            database,
            sql: """
                SELECT sequence, message_id, last_attempt, lease_expires_at FROM outbox_state
                WHERE lease_expires_at IS NOT NULL AND requested_at <= ?
                """,
            arguments: [mark.committedAt]
        ).map { ExpiredClaim(sequence: $0[0], messageID: $0[1], attempt: $0[2], leaseExpiresAt: $0[3]) }
        let (uncertain, unrescued) = try database.changeRows(claims, messageID: \.messageID) { claims in
            try claims.filter { try rescue($0, now: now, rules: rules, in: database) != nil }.map(\.messageID)
        }
        let waiting = try Row.fetchAll(
            database,
            sql: "SELECT sequence, message_id FROM outbox_state WHERE due_at IS NOT NULL AND requested_at <= ?",
            arguments: [mark.committedAt]
        ).map { (sequence: $0[0] as Int64, messageID: $0[1] as Int64) }
        let (_, unheld) = try database.changeRows(waiting, messageID: \.messageID) { rows in
            try database.execute(
                sql: """
                    UPDATE outbox_state SET restored_at = ?, due_at = NULL
                    WHERE sequence IN (SELECT value FROM json_each(?))
                    """,
                arguments: [now, "[\(rows.map { String($0.sequence) }.joined(separator: ","))]"]
            )
            return rows
        }
        beginning.uncertain = uncertain
        beginning.refused = unrescued.map(\.refusal) + unheld.map(\.refusal)
        // The file is accepted as it is, and the mark can't raise the same alarm again, even if it can't be replaced.
        try database.execute(
            sql: """
                INSERT INTO outbox_run (run, commits, committed_at) VALUES (?, ?, ?)
                ON CONFLICT (run) DO UPDATE SET commits = excluded.commits
                """,
            arguments: [mark.run, mark.commits, mark.committedAt]
        )
    }

    /// Forgets the run that the mark named before: now nothing names it any more, unless it is another daemon's. A run
    /// of another machine stays, because the file may return there, but not for ever.
    private func forgetRuns(before begun: BegunRun, now: Timestamp) async throws {
        let predecessor = isOnlyDaemon ? begun.left?.run : nil
        try await write { database in
            try database.execute(
                sql: "DELETE FROM outbox_run WHERE run <> ?1 AND (run = ?2 OR committed_at < ?3)",
                arguments: [begun.mark.run, predecessor, now - Self.forgotten]
            )
        }
    }

    /// The identity of the file; `nil` where its row is missing.
    static func identity(in database: Database) throws -> String? {
        try String.fetchOne(database, sql: "SELECT identity FROM outbox_file")
    }
}

/// A run that has just been inserted.
private struct BegunRun: Sendable {
    let identity: String
    let marks: CommitMarkFile
    /// The mark that the previous run left.
    let left: CommitMark?
    /// The new run's first mark.
    let mark: CommitMark
}
