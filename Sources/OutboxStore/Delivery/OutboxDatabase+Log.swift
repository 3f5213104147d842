// Removes wiped tokens from the write-ahead log. Never waits for a reader, and never makes a writer wait.

import Foundation
import GRDB
import Synchronization

extension OutboxDatabase {
    /// Checkpoints the whole log and truncates it, unless another connection prevents it.
    ///
    /// `wal_checkpoint(TRUNCATE)` takes the write lock and then runs the busy handler until all readers are gone
    /// (https://sqlite.org/c3ref/wal_checkpoint_v2.html). With a time-out, every writer would wait that long. So the
    /// checkpoint uses its own connection without a time-out. A passive checkpoint, which needs no write lock, does
    /// most of the work before.
    package func truncateLog() async throws -> Bool {
        try checkPlace()
        do {
            let checkpoints = try checkpointQueue()
            return try await checkpoints.writeWithoutTransaction { database in
                guard let passive = try database.checkpoint("PASSIVE"), passive[0] == 0,
                    passive[1] as Int == passive[2]
                else { return false }
                return try database.checkpoint("TRUNCATE")?[0] == 0
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            return false
        } catch let error as DatabaseError {
            throw translated(error)
        }
    }

    /// Syncs the log, and copies it into the file as far as no reader prevents that. Takes no write lock.
    func checkpoint() async throws {
        try checkPlace()
        try await checkpointQueue().writeWithoutTransaction { _ = try $0.checkpoint("PASSIVE") }
    }

    private func checkpointQueue() throws -> DatabaseQueue {
        try checkpoints.withLock { checkpoints in
            if let checkpoints { return checkpoints }
            var configuration = Configuration()
            configuration.busyMode = .immediateError
            configuration.label = "outbox.checkpoint"
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA synchronous = FULL")
            }
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            checkpoints = queue
            return queue
        }
    }
}

extension Database {
    /// The answer has three columns: whether a lock prevented it, the frames in the log, and the frames copied.
    fileprivate func checkpoint(_ mode: String) throws -> Row? {
        try Row.fetchOne(self, sql: "PRAGMA wal_checkpoint(\(mode))")
    }
}
