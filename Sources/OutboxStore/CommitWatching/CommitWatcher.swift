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
    ///   - onLook: called at most once per `pollInterval`, for other checks that must be repeated from time to time.
    ///   - onTrouble: receives an error of a look; watching continues.
    package func run(
        onCommit: @escaping @Sendable () -> Void,
        onLook: @escaping @Sendable () -> Void = {},
        onTrouble: @escaping @Sendable (any Error) -> Void
    ) async {
        let writes = FileWrites(paths: [store.path, store.path + "-wal"])
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let thread = Thread { [self] in
                    watch(writes, onCommit: onCommit, onLook: onLook, onTrouble: onTrouble)
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
        onCommit: () -> Void,
        onLook: () -> Void,
        onTrouble: (any Error) -> Void
    ) {
        let clock = ContinuousClock()
        var plan = LookPlan(pollInterval: pollInterval, now: clock.now)
        var nextOtherChecks = clock.now
        let connection = WatchConnection(path: store.path, claimant: store.claimant)
        var known: (counter: Int, prospect: Prospect)?
        while !writes.isStopped {
            if plan.watchesAgain { writes.watch() }
            if writes.wait(until: plan.next) { plan.written(at: clock.now) }
            guard !writes.isStopped, clock.now >= plan.next else { continue }
            do {
                try store.checkPlace()
                if clock.now >= nextOtherChecks {
                    nextOtherChecks = clock.now + pollInterval
                    onLook()
                }
                let counter = try connection.commitCounter()
                let hasChanged = counter != known?.counter
                count(hasChanged)
                plan.looked(at: clock.now, foundCommit: hasChanged)
                guard hasChanged else { continue }
                let prospect = try connection.prospect()
                let before = known?.prospect
                known = (counter, prospect)
                guard before.map(prospect.isNews(after:)) ?? true else { continue }
                counts.withLock { $0.reports += 1 }
                onCommit()
            } catch OutboxDatabaseError.lost {
                return
            } catch {
                plan.looked(at: clock.now, foundCommit: false)
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
    /// When the first lease of another daemon ends.
    let lease: Timestamp?
    /// How many messages were cancelled while they were being sent.
    let cancelled: Int

    /// Whether delivery must act on what changed. A later `due` needs no action: it is the result of delivery's own
    /// claims, or the message that was due first was cancelled or deleted.
    func isNews(after earlier: Prospect) -> Bool {
        newest > earlier.newest || cancelled > earlier.cancelled || Self.isEarlier(due, earlier.due)
            || Self.isEarlier(lease, earlier.lease)
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
                        (SELECT min((SELECT due_at FROM outbox_state
                            WHERE due_at IS NOT NULL AND priority = level.priority ORDER BY due_at LIMIT 1))
                            FROM level WHERE priority IS NOT NULL),
                        (SELECT lease_expires_at FROM outbox_state
                            WHERE lease_expires_at IS NOT NULL AND claimed_by <> ? ORDER BY lease_expires_at LIMIT 1),
                        (SELECT count(*) FROM outbox_state WHERE is_cancelled = 1 AND claimed_by IS NOT NULL)
                    """
            )
            guard let row = try Row.fetchOne(select, arguments: [claimant]) else {
                preconditionFailure("a SELECT without FROM has one row")
            }
            return Prospect(newest: row[0], due: row[1], lease: row[2], cancelled: row[3])
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
