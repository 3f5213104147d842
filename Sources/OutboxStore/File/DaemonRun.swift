// Counts what a run of outboxd commits, in the file and in the mark outside of it. Never decides what an older file
// means.

import GRDB
import OutboxCore
import Synchronization

/// One run of a daemon on the file.
///
/// Each transaction that changes the file also counts itself in `outbox_run`, and sets the mark once it is on the disk.
/// So the file's count is never smaller than the mark's, unless the file is older than the run's last commit.
/// Transactions that are not synced (retention) don't count: a power failure may undo them.
final class DaemonRun: Sendable {
    private let run: Int64
    private let identity: String
    private let marks: CommitMarkFile
    private let clock: @Sendable () -> Timestamp
    /// The changes that are committed.
    private let commits = Mutex<Int64>(0)

    init(_ begun: CommitMark, identity: String, marks: CommitMarkFile, clock: @escaping @Sendable () -> Timestamp) {
        run = begun.run
        commits.withLock { $0 = begun.commits }
        self.identity = identity
        self.marks = marks
        self.clock = clock
    }

    /// Counts the transaction that is about to be committed.
    ///
    /// - Returns: the mark to set once it is; `nil` where an older state of the file was written over it, such as by
    ///   SQLite's online backup.
    func count(in database: Database) throws -> CommitMark? {
        let commits = commits.withLock(\.self)
        let mark = CommitMark(run: run, commits: commits + 1, committedAt: clock())
        let update = try database.cachedStatement(
            sql: "UPDATE outbox_run SET commits = ?, committed_at = ? WHERE run = ? AND commits >= ?"
        )
        try update.execute(arguments: [mark.commits, mark.committedAt, run, commits])
        if database.changesCount == 1 { return mark }
        return try restoreRows(mark, in: database) ? mark : nil
    }

    /// An application, such as its tests, may have emptied all tables. Then the rows are inserted again.
    private func restoreRows(_ mark: CommitMark, in database: Database) throws -> Bool {
        if try OutboxDatabase.identity(in: database) != nil { return false }
        try database.execute(sql: "INSERT INTO outbox_file (id, identity) VALUES (1, ?)", arguments: [identity])
        try mark.insert(into: database)
        return true
    }

    /// The transaction with this mark is committed. Called in the order of the commits.
    func committed(_ mark: CommitMark) {
        commits.withLock { $0 = mark.commits }
        marks.write(mark)
    }
}

extension CommitMark {
    /// Inserts the run's row.
    func insert(into database: Database) throws {
        try database.execute(
            sql: "INSERT INTO outbox_run (run, commits, committed_at) VALUES (?, ?, ?)",
            arguments: [run, commits, committedAt]
        )
    }
}
