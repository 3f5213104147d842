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
        /// The mark is damaged, so nothing can be said.
        case unreadable(path: String)
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
    /// The newest runs stay in the file: one that another machine's mark names, or another daemon's, may be among them.
    /// Not by their times, because a clock may be wrong.
    private static let runsKept = 1000

    /// Begins this daemon's run, before it does anything else with the file.
    ///
    /// Compares the file with the mark that outboxd left on this machine. If the file is older, its open messages up to
    /// the mark may have been sent since; they are held in the same transaction, and wait until an operator
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
        let (begun, beginning) = try await write { [place] database in
            let now = clock()
            try database.execute(sql: Schema.identity)
            guard let identity = try Self.identity(in: database),
                let marks = CommitMarkFile(folder: folder, identity: identity, onTrouble: onTrouble)
            else { return (nil as BegunRun?, RunBeginning(held: try Self.restoredMessages(in: database))) }
            var beginning = RunBeginning()
            // Under the write lock: meanwhile no other daemon can commit and then replace the mark.
            var left: CommitMark?
            switch marks.read() {
            case .nothing: break
            case .unreadable: beginning.finding = .unreadable(path: marks.path)
            case .mark(let mark) where try mark.isMissing(in: database):
                left = mark
                beginning.finding = .restored(lastCommit: mark.committedAt)
                try Self.hold(upTo: mark, now: now, rules: rules, in: database, &beginning)
            case .mark(let mark):
                left = mark
                beginning.finding = .complete
            }
            beginning.held = try Self.restoredMessages(in: database)
            let mark = CommitMark(
                run: try Self.nextRun(in: database),
                commits: 0,
                committedAt: now,
                sequence: try CommitMark.highestSequence(in: database),
                inode: place.inode
            )
            if marks.isWritable {
                try mark.insert(into: database)
                try Self.forgetRuns(but: left, in: database)
            }
            return (BegunRun(identity: identity, marks: marks, mark: mark), beginning)
        }
        guard let begun, begun.marks.isWritable else { return beginning }
        _ = begun.marks.writeDurably(begun.mark)
        run.withLock { $0 = DaemonRun(begun.mark, identity: begun.identity, marks: begun.marks, clock: clock) }
        return beginning
    }

    /// Holds the open messages that outboxd may have sent before the mark. Messages that were being sent become
    /// uncertain first.
    ///
    /// outboxd has sent none with a higher number than the mark's. The numbers that a restored file gives again to
    /// messages from before the start can't be told from those of the backup: a clock may have been wrong when the backup's
    /// were requested. So these are held, too. The time is the second measure, for numbers that an application reset.
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
                WHERE lease_expires_at IS NOT NULL AND (sequence <= ? OR requested_at <= ?)
                """,
            arguments: [mark.sequence, mark.committedAt]
        ).map { ExpiredClaim(sequence: $0[0], messageID: $0[1], attempt: $0[2], leaseExpiresAt: $0[3]) }
        let (uncertain, unrescued) = try database.changeRows(claims, messageID: \.messageID) { claims in
            try claims.filter { try rescue($0, isInterruption: false, now: now, rules: rules, in: database) != nil }
                .map(\.messageID)
        }
        let waiting = try Row.fetchAll(
            database,
            sql: """
                SELECT sequence, message_id FROM outbox_state
                WHERE due_at IS NOT NULL AND (sequence <= ? OR requested_at <= ?)
                """,
            arguments: [mark.sequence, mark.committedAt]
        ).map { (sequence: $0[0] as Int64, messageID: $0[1] as Int64) }
        let (_, unheld) = try database.changeRows(waiting, messageID: \.messageID) { rows in
            try database.execute(
                sql: """
                    UPDATE outbox_state SET restored_at = ?, due_at = NULL
                    WHERE sequence IN (SELECT value FROM json_each(?))
                    """,
                arguments: [now, "[\(rows.map { String($0.sequence) }.joined(separator: ","))]"]
            )
            guard database.changesCount == rows.count else { throw DatabaseError.ignoredByTrigger }
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

    /// A number above all that the file has given. Its lower half is random: the number that follows in a restored file
    /// must be another one than in the file that it replaced.
    private static func nextRun(in database: Database) throws -> Int64 {
        let number = try Int64.fetchOne(
            database,
            sql: """
                SELECT ((SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox_run') >> 32) + 1 << 32
                    | (random() & 0xffffffff)
                """
        )
        return number ?? 0
    }

    private static func forgetRuns(but left: CommitMark?, in database: Database) throws {
        try database.execute(
            sql: """
                DELETE FROM outbox_run WHERE run IS NOT ?
                    AND run < (SELECT run FROM outbox_run ORDER BY run DESC LIMIT 1 OFFSET \(runsKept - 1))
                """,
            arguments: [left?.run]
        )
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
    /// The new run's first mark.
    let mark: CommitMark
}
