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
    private let inode: Int64
    private let identity: String
    private let marks: CommitMarkFile
    private let clock: @Sendable () -> Timestamp
    /// The changes that are committed.
    private let commits = Mutex<Int64>(0)

    init(_ begun: CommitMark, identity: String, marks: CommitMarkFile, clock: @escaping @Sendable () -> Timestamp) {
        run = begun.run
        inode = begun.inode
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
        let mark = CommitMark(
            run: run,
            commits: commits + 1,
            committedAt: clock(),
            sequence: try CommitMark.highestSequence(in: database),
            inode: inode
        )
        let update = try database.cachedStatement(
            sql: "UPDATE outbox_run SET commits = ?, committed_at = ? WHERE run = ? AND commits >= ?"
        )
        try update.execute(arguments: [mark.commits, mark.committedAt, run, commits])
        if database.changesCount == 1 { return try lacksOthers(in: database) ? nil : mark }
        return try restoreRows(mark, in: database) ? mark : nil
    }

    /// Whether the file lacks what another daemon committed to it. If this daemon has committed nothing since the older
    /// state was made, its own row is as it left it.
    ///
    /// Under the write lock: the other daemon set the mark after its commit. A copy of the file elsewhere, with this
    /// file's identity, has its own commits.
    private func lacksOthers(in database: Database) throws -> Bool {
        guard case .mark(let left) = marks.read(), left.run != run, left.inode == inode else { return false }
        return try left.isMissing(in: database)
    }

    /// An application, such as its tests, may have emptied all tables, or the table of runs. Then the rows are inserted
    /// again.
    private func restoreRows(_ mark: CommitMark, in database: Database) throws -> Bool {
        switch try OutboxDatabase.identity(in: database) {
        case nil:
            try database.execute(sql: "INSERT INTO outbox_file (id, identity) VALUES (1, ?)", arguments: [identity])
        case identity where try wasEmptied(in: database) || wasForgotten(in: database): break
        default: return false
        }
        try mark.insert(into: database)
        return true
    }

    /// Whether the file only forgot this run, because very many others have begun since: it has all that the newest
    /// commit, another run's, left in the mark.
    private func wasForgotten(in database: Database) throws -> Bool {
        let hasRow = try Bool.fetchOne(
            database,
            sql: "SELECT EXISTS (SELECT 1 FROM outbox_run WHERE run = ?)",
            arguments: [run]
        )
        guard hasRow == false, case .mark(let left) = marks.read(), left.run != run, left.inode == inode else {
            return false
        }
        return try !left.isMissing(in: database)
    }

    /// Whether all runs were deleted after this one had begun. A state from before the first run has no runs either, but
    /// no number of a run was given there yet.
    private func wasEmptied(in database: Database) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: """
                SELECT NOT EXISTS (SELECT 1 FROM outbox_run)
                    AND EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outbox_run' AND seq >= ?)
                """,
            arguments: [run]
        ) ?? false
    }

    /// The transaction with this mark is committed. Called in the order of the commits.
    func committed(_ mark: CommitMark) {
        commits.withLock { $0 = mark.commits }
        marks.write(mark)
    }
}

extension CommitMark {
    /// The highest number that any message got in the file.
    static func highestSequence(in database: Database) throws -> Int64 {
        let select = try database.cachedStatement(
            sql: """
                SELECT max(coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'outbox_state'), 0),
                    coalesce((SELECT max(sequence) FROM outbox_state), 0))
                """
        )
        return try Int64.fetchOne(select) ?? 0
    }

    /// Whether the file lacks what the mark says.
    func isMissing(in database: Database) throws -> Bool {
        let select = try database.cachedStatement(sql: "SELECT 1 FROM outbox_run WHERE run = ? AND commits >= ?")
        return try Int64.fetchOne(select, arguments: [run, commits]) == nil
    }

    /// Inserts the run's row.
    func insert(into database: Database) throws {
        try database.execute(
            sql: "INSERT INTO outbox_run (run, commits, committed_at) VALUES (?, ?, ?)",
            arguments: [run, commits, committedAt]
        )
    }
}
