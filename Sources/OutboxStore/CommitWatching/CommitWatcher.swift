// Notices when another process commits something that concerns delivery, and when the file is gone. Never writes.

import Foundation
import GRDB
import OutboxCore
import Synchronization

/// Reports commits that concern delivery soon after they happen.
///
/// The kernel reports a write to the database file or its write-ahead log (inotify(7)). A write precedes the visibility
/// of its commit by up to one fsync, so the commit counter is read repeatedly for a moment. An application may commit to
/// its own tables in the same file many times a second. So all of this happens on one thread with a connection of its
/// own, commits that follow each other closely are looked at together (``LookPlan``), and only a change of what
/// delivery waits for (``Prospect``) is reported.
package final class CommitWatcher: Sendable {
    private let store: OutboxDatabase
    private let pollInterval: Duration
    private let counts = Mutex(Counts())

    /// How much the watcher has done, for tests and measurements.
    package struct Counts: Sendable {
        /// How often the commit counter was read.
        package internal(set) var looks = 0
        /// How often the counter had changed.
        package internal(set) var commits = 0
        /// How often a change was reported.
        package internal(set) var reports = 0
    }

    /// - Parameters:
    ///   - store: the outbox to watch.
    ///   - pollInterval: how often to look even without a notification, for file systems without notifications.
    package init(store: OutboxDatabase, pollInterval: Duration) {
        self.store = store
        self.pollInterval = pollInterval
    }

    /// How much the watcher has done.
    package var countsSoFar: Counts { counts.withLock(\.self) }

    /// Calls `onCommit` after commits that concern delivery until the task is cancelled. Commits close together give one
    /// call. The first look calls it, because earlier commits are unknown.
    ///
    /// Watching also ends when the file is lost, which `OutboxDatabase.fileLoss` reports. The functions are called on
    /// the watcher's thread.
    /// - Parameters:
    ///   - hasBacklog: whether more messages are due than can be sent; looks are rarer then.
    ///   - onLook: called after a look at most once per `pollInterval`, for other checks that must be repeated.
    ///   - onSchema: called with the problem when another tool has damaged the outbox, again once per `pollInterval`, and
    ///     with `nil` when it is whole again.
    ///   - onTrouble: receives an error of a look; watching continues.
    package func run(
        onCommit: @escaping @Sendable () -> Void,
        hasBacklog: @escaping @Sendable () -> Bool = { false },
        onLook: @escaping @Sendable () -> Void = {},
        onSchema: @escaping @Sendable (OutboxDatabaseError?) -> Void = { _ in },
        onTrouble: @escaping @Sendable (any Error) -> Void
    ) async {
        let writes = FileWrites(paths: [store.path, store.path + "-wal"])
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let thread = Thread { [self] in
                    watch(writes, onCommit, hasBacklog, onLook, onSchema, onTrouble)
                    continuation.resume()
                }
                thread.start()
                // Set here, because on Linux Foundation sets the name only for a running thread.
                thread.name = "commit-watcher"
            }
        } onCancel: {
            writes.stop()
        }
    }

    private func watch(
        _ writes: FileWrites,
        _ onCommit: () -> Void,
        _ hasBacklog: () -> Bool,
        _ onLook: () -> Void,
        _ onSchema: (OutboxDatabaseError?) -> Void,
        _ onTrouble: (any Error) -> Void
    ) {
        let clock = ContinuousClock()
        var plan = LookPlan(pollInterval: pollInterval, now: clock.now)
        var nextOtherChecks = clock.now
        let connection = WatchConnection(path: store.path, claimant: store.claimant)
        var known: (counter: Int, prospect: Prospect)?
        // Opening the file has checked the schema.
        var schema: Int?
        var isDamaged = false
        while !writes.isStopped {
            if plan.watchesAgain { writes.watch() }
            if writes.wait(until: plan.next) { plan.written(at: clock.now) }
            guard !writes.isStopped, clock.now >= plan.next else { continue }
            do {
                try store.checkPlace()
                let isTimeForOtherChecks = clock.now >= nextOtherChecks
                if isTimeForOtherChecks { nextOtherChecks = clock.now + pollInterval }
                let counter = try connection.commitCounter()
                let hasChanged = counter != known?.counter
                if hasChanged || isDamaged && isTimeForOtherChecks {
                    do {
                        let version = try connection.schemaVersion()
                        if isDamaged || schema ?? version != version {
                            let problem = try connection.schemaProblem(path: store.path)
                            if isDamaged || problem != nil { onSchema(problem) }
                            isDamaged = problem != nil
                        }
                        schema = version
                    } catch {
                        // It must not keep new messages from being noticed.
                        onTrouble((error as? DatabaseError).map(store.translated) ?? error)
                    }
                    let prospect = try connection.prospect()
                    let isNews = known.map { prospect.isNews(after: $0.prospect) } ?? true
                    known = (counter, prospect)
                    if isNews {
                        counts.withLock { $0.reports += 1 }
                        onCommit()
                    }
                }
                count(hasChanged)
                plan.looked(at: clock.now, foundCommit: hasChanged, hasBacklog: hasBacklog())
                if isTimeForOtherChecks { onLook() }
            } catch OutboxDatabaseError.lost {
                return
            } catch {
                // The counters of two connections can't be compared.
                known = nil
                plan.failed(at: clock.now)
                onTrouble((error as? DatabaseError).map(store.translated) ?? error)
            }
        }
    }

    private func count(_ foundCommit: Bool) {
        counts.withLock { counts in
            counts.looks += 1
            if foundCommit { counts.commits += 1 }
        }
    }
}

/// What delivery waits for, as far as other processes can change it.
struct Prospect: Sendable, Hashable {
    /// The newest message.
    let newest: Int64
    /// When the first waiting message is due.
    let due: Timestamp?
    /// Whether that moment has come.
    let isDue: Bool
    /// When the first lease of another daemon ends.
    let lease: Timestamp?
    /// The sum of the sequences of messages that were cancelled while they were being sent.
    let cancelled: Int64

    /// Whether delivery must act on what changed. A later `due` in the future needs no action: delivery has claimed the
    /// message that was due first, or it was cancelled or deleted. A later one that has come may be a message that another
    /// daemon gave back.
    func isNews(after earlier: Prospect) -> Bool {
        newest > earlier.newest || cancelled != earlier.cancelled && cancelled != 0
            || due != earlier.due && (isDue || Self.isEarlier(due, earlier.due)) || Self.isEarlier(lease, earlier.lease)
    }

    private static func isEarlier(_ new: Timestamp?, _ old: Timestamp?) -> Bool {
        guard let new else { return false }
        return old.map { new < $0 } ?? true
    }
}

/// A connection that only looks. It is opened at the first look, and again after an error.
private final class WatchConnection {
    private let path: String
    private let claimant: String
    private var queue: DatabaseQueue?

    init(path: String, claimant: String) {
        self.path = path
        self.claimant = claimant
    }

    /// Changes whenever a connection other than this one has committed
    /// (https://sqlite.org/pragma.html#pragma_data_version).
    func commitCounter() throws -> Int {
        try read { try Int.fetchOne($0.cachedStatement(sql: "PRAGMA data_version")) ?? 0 }
    }

    /// Changes whenever the schema of the file does (https://sqlite.org/pragma.html#pragma_schema_version).
    func schemaVersion() throws -> Int {
        try read { try Int.fetchOne($0.cachedStatement(sql: "PRAGMA schema_version")) ?? 0 }
    }

    /// What is wrong with the outbox's objects; `nil` where nothing is.
    func schemaProblem(path: String) throws -> OutboxDatabaseError? {
        try read { database in
            let migrator = SchemaMigrator.current
            let version = try SchemaMigrator.version(of: database)
            guard version <= migrator.newestVersion else {
                return .schemaTooNew(found: version, known: migrator.newestVersion)
            }
            do { try migrator.check(database) } catch let problem as SchemaProblem {
                return OutboxDatabaseError(problem, path: path)
            }
            return nil
        }
    }

    func prospect() throws -> Prospect {
        try read { database in
            // The first due time of each priority, from the highest on: one search of the index for each.
            let select = try database.cachedStatement(
                sql: """
                    WITH RECURSIVE level (priority) AS (
                        SELECT max(priority) FROM outbox_state WHERE due_at IS NOT NULL
                        UNION ALL
                        SELECT (SELECT max(priority) FROM outbox_state
                            WHERE due_at IS NOT NULL AND priority < level.priority)
                        FROM level WHERE level.priority IS NOT NULL)
                    SELECT
                        coalesce((SELECT max(sequence) FROM outbox_state), 0),
                        \(Schema.now),
                        (SELECT min((SELECT due_at FROM outbox_state
                            WHERE due_at IS NOT NULL AND priority = level.priority ORDER BY due_at LIMIT 1))
                            FROM level WHERE priority IS NOT NULL),
                        (SELECT lease_expires_at FROM outbox_state
                            WHERE lease_expires_at IS NOT NULL AND claimed_by <> ? ORDER BY lease_expires_at LIMIT 1),
                        (SELECT coalesce(sum(sequence), 0) FROM outbox_state
                            WHERE is_cancelled = 1 AND claimed_by IS NOT NULL)
                    """
            )
            guard let row = try Row.fetchOne(select, arguments: [claimant]) else {
                preconditionFailure("a SELECT without FROM has one row")
            }
            let (now, due) = (row[1] as Timestamp, row[2] as Timestamp?)
            return Prospect(
                newest: row[0],
                due: due,
                isDue: due.map { $0 <= now } ?? false,
                lease: row[3],
                cancelled: row[4]
            )
        }
    }

    private func read<Value>(_ value: (Database) throws -> Value) throws -> Value {
        do {
            let queue = try queue ?? open()
            self.queue = queue
            return try queue.inDatabase(value)
        } catch {
            queue = nil
            throw error
        }
    }

    private func open() throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.label = "outbox.commit-watcher"
        return try DatabaseQueue(path: path, configuration: configuration)
    }
}
