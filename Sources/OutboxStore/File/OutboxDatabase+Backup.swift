// Copies the database into a file that only its owner can read. Never overwrites a file.

import GRDB
import Glibc

/// The contents of a backup.
package struct BackupContents: Sendable, Hashable {
    /// Messages that a daemon on another machine would send if it were started on the copy.
    package let openMessages: Int
    /// Tokens of open messages that can be read in the copy.
    package let tokens: Int
}

/// Why a backup failed.
package enum BackupError: Error, CustomStringConvertible {
    /// A file exists at the path.
    case exists(path: String)
    /// The file can't be created.
    case cannotCreate(path: String, reason: String)

    package var description: String {
        switch self {
        case .exists(let path): "\(path) exists, and a backup overwrites nothing; name a new file"
        case .cannotCreate(let path, let reason): "\(path) can't be created: \(reason); name one in a writable folder"
        }
    }
}

extension OutboxDatabase {
    /// Copies the whole file, including an application's tables, as it is at one moment. Others can continue to write.
    ///
    /// The copy is one file, without `-wal`, and only its owner has access from the first byte on. SQLite's online
    /// backup (https://sqlite.org/backup.html) copies page by page. `VACUUM INTO` would rebuild the application's
    /// indexes, which fails where an index needs a collation or a function that only the application has.
    /// - Throws: `BackupError`, or `OutboxDatabaseError` where the source can't be read or the copy can't be written.
    ///   Then no file is left behind.
    package func backUp(to path: String) async throws -> BackupContents {
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw BackupError.exists(path: path) }
            throw BackupError.cannotCreate(path: path, reason: String(cString: strerror(errno)))
        }
        close(descriptor)
        do {
            var configuration = Configuration()
            configuration.label = "outbox.backup"
            configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            let copy = try DatabaseQueue(path: path, configuration: configuration)
            try queue.backup(to: copy)
            let contents = try await copy.writeWithoutTransaction { database in
                // With a write-ahead log, the copy would consist of three files.
                _ = try String.fetchOne(database, sql: "PRAGMA journal_mode = DELETE")
                return BackupContents(
                    openMessages: try Int.fetchOne(
                        database,
                        sql: "SELECT count(*) FROM outbox_status WHERE finished_at IS NULL"
                    ) ?? 0,
                    tokens: try Int.fetchOne(
                        database,
                        sql: "SELECT count(*) FROM outbox_secret WHERE slot > 0 AND rtrim(token, char(10)) <> ''"
                    ) ?? 0
                )
            }
            try copy.close()
            return contents
        } catch {
            unlink(path)
            guard let error = error as? DatabaseError else { throw error }
            throw translated(error)
        }
    }
}
