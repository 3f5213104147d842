// Opens the SQLite file and applies the settings that our guarantees need. The statements are in extensions.

import CSQLite
import Foundation
import GRDB
import OutboxCore
import Synchronization

/// The outbox in one SQLite file. All of the project's SQL runs through it, over a single connection.
package final class OutboxDatabase: Sendable {
    /// What a caller wants to do with the file.
    package enum Access: Sendable {
        /// Create the file and the outbox where they are missing, or upgrade the outbox; then read and write.
        case migrating
        /// Create or upgrade the outbox in an existing file; then read and write.
        case upgrading
        /// The same, and make missing or changed objects of the outbox anew.
        case repairing
        /// Read and write; the schema must be there.
        case writing
        /// Read only; the schema must be there.
        case reading
    }

    /// The file's path, symbolic links followed.
    package let path: String
    /// What opening with `.migrating`, `.upgrading` or `.repairing` did to the schema.
    package let migration: Migration

    let queue: DatabaseQueue
    let place: FilePlace
    /// The connection that checkpoints the log; `nil` before the first checkpoint.
    let checkpoints = Mutex<DatabaseQueue?>(nil)
    /// Rows that a rule of the application refused to change.
    let aside = Mutex(RowsAside())
    /// The lock that makes this daemon visible to other daemons on the file.
    let daemonLock = Mutex<DaemonLock?>(nil)
    /// This daemon's run, from its beginning on; `nil` in other programs, and where no mark can be kept.
    let run = Mutex<DaemonRun?>(nil)
    /// Identifies this process in `claimed_by`, so that it renews and releases only its own claims.
    let claimant: String

    /// SQLite counts its memory, under a lock at each allocation, unless it is told not to before its first use. Nobody
    /// reads these counts. In a process that used SQLite before, it refuses, and counts on.
    private static let disablesMemoryStatistics = csqlite_disable_memory_statistics() == SQLITE_OK

    /// How long a statement waits for another program's lock before it fails with SQLITE_BUSY.
    private static let busyTimeout: TimeInterval = 5

    /// Opens the file.
    ///
    /// - Parameters:
    ///   - given: the database file, or a link to it; the file may also be an application's database.
    ///   - access: the permitted operations. Only `.migrating` creates a missing file, readable by owner and group at
    ///     most, because it will hold tokens.
    ///   - claimant: a name that no other process uses; shown to operators in `claimed_by`.
    /// - Throws: `OutboxDatabaseError`.
    package init(path given: String, access: Access, claimant: String = UUID().uuidString.lowercased()) throws {
        _ = Self.disablesMemoryStatistics
        let file = try DatabaseFile(given, access: access)
        path = file.path
        place = try FilePlace(file)
        self.claimant = claimant
        let changesSchema = access == .migrating || access == .upgrading || access == .repairing
        if changesSchema, case .network(let kind) = FileSystemKind(of: path) {
            throw OutboxDatabaseError.networkFileSystem(path: given, kind: kind)
        }
        do {
            queue = try DatabaseQueue(path: path, configuration: Self.configuration(access))
            try queue.writeWithoutTransaction { try Self.requireUTF8($0, path: given) }
            if changesSchema {
                // WAL lets applications insert while outboxd reads, and needs one fsync per commit instead of several.
                try Self.requireWAL(try Self.switchToWAL(queue), path: given)
                migration = try queue.write {
                    try SchemaMigrator.current.migrate($0, repairs: access == .repairing)
                }
            } else {
                migration = Migration()
                try queue.read { database in
                    let found = try SchemaMigrator.version(of: database)
                    let known = SchemaMigrator.current.newestVersion
                    guard found <= known else { throw OutboxDatabaseError.schemaTooNew(found: found, known: known) }
                    if found == 0, try SchemaMigrator.current.hasOutbox(database) {
                        try SchemaMigrator.current.check(database)
                    }
                    guard found == known else {
                        throw OutboxDatabaseError.schemaTooOld(path: given, found: found, known: known)
                    }
                    try SchemaMigrator.current.check(database)
                }
            }
        } catch let error as DatabaseError {
            throw OutboxDatabaseError(error, path: given)
        } catch let problem as SchemaProblem {
            throw OutboxDatabaseError(problem, path: given)
        }
    }

    /// Sets write-ahead logging, and waits for another connection's write as long as for any other lock.
    ///
    /// SQLite does not wait here by itself: the pragma reads before it writes, and from a read on, no busy handler is asked for
    /// the write lock. An application that writes to a restored file would end the daemon's start.
    private static func switchToWAL(_ queue: DatabaseQueue) throws -> String? {
        let deadline = ContinuousClock.now + .seconds(busyTimeout)
        while true {
            do {
                return try queue.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode = WAL") }
            } catch let error as DatabaseError
                where error.resultCode == .SQLITE_BUSY && ContinuousClock.now < deadline
            {
                Thread.sleep(forTimeInterval: 0.01)
            }
        }
    }

    /// Where the mode can't be had, the pragma answers with the one that stays (https://sqlite.org/pragma.html).
    static func requireWAL(_ mode: String?, path: String) throws {
        guard mode == "wal" else { throw OutboxDatabaseError.noWriteAheadLog(path: path, reason: mode ?? "no answer") }
    }

    /// Lengths and digests of tokens count octets, which differ in other encodings.
    private static func requireUTF8(_ database: Database, path: String) throws {
        let encoding = try String.fetchOne(database, sql: "PRAGMA encoding") ?? ""
        guard encoding == "UTF-8" else { throw OutboxDatabaseError.encoding(path: path, encoding) }
    }

    private static func configuration(_ access: Access) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = access == .reading
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "outbox"
        configuration.prepareDatabase { database in
            // A statement that changes many rows keeps the previous content of their pages, tokens included, until it ends:
            // in memory, never in a temporary file, whose blocks nobody overwrites. It also saves five of six writes.
            try database.execute(sql: "PRAGMA temp_store = MEMORY")
            guard access != .reading else { return }
            // FULL: a commit is on the disk before the network hears of it (https://sqlite.org/pragma.html).
            try database.execute(sql: "PRAGMA synchronous = FULL")
            // Wiped tokens are overwritten with zeros rather than left in free pages.
            try database.execute(sql: "PRAGMA secure_delete = ON")
        }
        return configuration
    }

    /// Runs a write transaction and translates errors. A daemon's run counts it, if it changes anything.
    ///
    /// - Throws: `OutboxDatabaseError.lost` where the file is not in its place; nothing is written then.
    func write<Value: Sendable>(_ updates: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        let run = run.withLock(\.self)
        do {
            return try await queue.writeWithoutTransaction { [place] database in
                var result: Value?
                var mark: CommitMark?
                try database.inTransaction(.immediate) {
                    try place.check(database)
                    let changes = database.totalChangesCount
                    result = try updates(database)
                    if let run, database.totalChangesCount != changes {
                        mark = try run.count(in: database)
                        if mark == nil { throw place.wasRestored() }
                    }
                    return .commit
                }
                if let mark { run?.committed(mark) }
                guard let result else { preconditionFailure("a transaction that did not run did not fail") }
                return result
            }
        } catch let error as DatabaseError {
            throw translated(error)
        } catch is RowDecodingError {
            throw OutboxDatabaseError.unknownValue(path: path)
        }
    }

    /// Runs reads on one snapshot and translates errors.
    ///
    /// GRDB's `read` isn't used, because it sets `PRAGMA query_only` during the read, and then SQLite prepares every
    /// statement of the connection anew.
    func read<Value: Sendable>(_ value: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        do {
            return try await queue.writeWithoutTransaction { database in
                var result: Value?
                try database.inTransaction(.deferred) {
                    result = try value(database)
                    return .commit
                }
                guard let result else { preconditionFailure("a transaction that did not run did not fail") }
                return result
            }
        } catch let error as DatabaseError {
            throw translated(error)
        } catch is RowDecodingError {
            throw OutboxDatabaseError.unknownValue(path: path)
        }
    }

    /// Translates SQLite's error.
    func translated(_ error: DatabaseError) -> OutboxDatabaseError {
        if error.extendedResultCode == .SQLITE_READONLY_DBMOVED {
            return place.movedSays(SQLite: error.message ?? "the file has moved")
        }
        return OutboxDatabaseError(error, path: path)
    }
}
