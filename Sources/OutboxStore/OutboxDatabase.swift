// Opens the SQLite file and sets what our guarantees need of it. The statements are in its extensions.

import Foundation
import GRDB
import OutboxCore
import Synchronization

/// The outbox in one SQLite file. All SQL of the project runs through it, over a single connection.
package final class OutboxDatabase: Sendable {
    /// What a caller wants to do with the file.
    package enum Access: Sendable {
        /// Create or upgrade what is missing, then read and write.
        case migrating
        /// Read and write; the schema must be there.
        case writing
        /// Read only; the schema must be there.
        case reading
    }

    /// The file's path, as it was given.
    package let path: String
    /// The schema versions that opening with `.migrating` applied.
    package let appliedVersions: [Int]

    let queue: DatabaseQueue
    /// The connection that checkpoints the log, once there was a checkpoint.
    let checkpoints = Mutex<DatabaseQueue?>(nil)
    /// Rows that a rule of the application refused to change.
    let aside = Mutex(RowsAside())
    /// Names this process in `claimed_by`, so that it renews and returns its own claims only.
    let claimant: String

    /// How long a statement waits for another program's lock before it fails with SQLITE_BUSY.
    private static let busyTimeout: TimeInterval = 5

    /// Opens the file.
    ///
    /// - Parameters:
    ///   - path: the database file; it may be an application's own.
    ///   - access: what may be done with it. A file that doesn't exist is created for `.migrating` alone, readable by
    ///     owner and group at most, because it will hold tokens.
    ///   - claimant: a name that no other process uses; shown to operators in `claimed_by`.
    /// - Throws: `OutboxDatabaseError`.
    package init(path: String, access: Access, claimant: String = UUID().uuidString.lowercased()) throws {
        self.path = path
        self.claimant = claimant
        do {
            if access == .migrating {
                try Self.createPrivately(path)
            } else if !FileManager.default.fileExists(atPath: path) {
                throw OutboxDatabaseError.noFile(path: path)
            }
            queue = try DatabaseQueue(path: path, configuration: Self.configuration(access))
            if access == .migrating {
                // WAL lets applications insert while outboxd reads, and needs one fsync a commit instead of several.
                _ = try queue.writeWithoutTransaction { try String.fetchOne($0, sql: "PRAGMA journal_mode = WAL") }
                appliedVersions = try queue.write { try SchemaMigrator.current.migrate($0) }
            } else {
                appliedVersions = []
                let found = try queue.read { try SchemaMigrator.version(of: $0) }
                let known = SchemaMigrator.current.newestVersion
                guard found <= known else { throw OutboxDatabaseError.schemaTooNew(found: found, known: known) }
                guard found == known else {
                    throw OutboxDatabaseError.schemaTooOld(path: path, found: found, known: known)
                }
            }
        } catch let error as DatabaseError {
            throw OutboxDatabaseError.cannotOpen(path: path, reason: error.message ?? error.resultCode.description)
        }
    }

    /// Whether anybody on the machine may read the file, and the tokens in it.
    package var isWorldReadable: Bool {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
        return mode & 0o004 != 0
    }

    private static func configuration(_ access: Access) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = access == .reading
        configuration.busyMode = .timeout(busyTimeout)
        configuration.label = "outbox"
        configuration.prepareDatabase { database in
            guard access != .reading else { return }
            // FULL: a commit is on the disk before the network hears of it (https://sqlite.org/pragma.html).
            try database.execute(sql: "PRAGMA synchronous = FULL")
            // Wiped tokens are overwritten with zeros rather than left in free pages.
            try database.execute(sql: "PRAGMA secure_delete = ON")
        }
        return configuration
    }

    /// SQLite creates files 0644 less the umask and gives the -wal and -shm files the database's own mode, so a new
    /// file is made beforehand.
    private static func createPrivately(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        let created = FileManager.default.createFile(
            atPath: path,
            contents: nil,
            attributes: [.posixPermissions: NSNumber(value: 0o660)]
        )
        guard created else { throw OutboxDatabaseError.folderUnusable(path: path) }
    }

    /// Runs a write transaction, with errors in our words.
    func write<Value: Sendable>(_ updates: @Sendable @escaping (Database) throws -> Value) async throws -> Value {
        do { return try await queue.write(updates) } catch let error as DatabaseError {
            throw OutboxDatabaseError(error)
        }
    }

    /// Runs reads on one snapshot, with errors in our words.
    ///
    /// Not with GRDB's `read`: it sets `PRAGMA query_only` for the time of the read, at which SQLite prepares every
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
            throw OutboxDatabaseError(error)
        }
    }
}
