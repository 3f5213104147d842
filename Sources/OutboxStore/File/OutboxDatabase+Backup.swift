// Copies the database into a file that nobody else can read. Never overwrites a file.

import GRDB
import Glibc

/// What a backup holds.
package struct BackupContents: Sendable, Hashable {
    /// Messages that would be sent by a daemon that is started on the copy.
    package let openMessages: Int
    /// Tokens of theirs that can be read in it.
    package let tokens: Int
}

/// Why there is no backup.
package enum BackupError: Error, CustomStringConvertible {
    /// Something is at the path already.
    case exists(path: String)
    /// The file can't be made.
    case cannotCreate(path: String, reason: String)

    package var description: String {
        switch self {
        case .exists(let path): "\(path) exists, and a backup overwrites nothing; name a new file"
        case .cannotCreate(let path, let reason): "\(path) can't be created: \(reason); name one in a writable folder"
        }
    }
}

extension OutboxDatabase {
    /// Copies the whole file, an application's tables included, as it is at one moment, while others go on writing.
    ///
    /// The copy is one file, without `-wal`, and belongs to the owner alone from its first byte on. It is made by
    /// SQLite's online backup (https://sqlite.org/backup.html), page by page: `VACUUM INTO` would build the application's
    /// indexes anew, which fails where one has a collation or a function that only the application has.
    /// - Throws: `BackupError`, or `OutboxDatabaseError` where source or copy can't be read or written; no file stays
    ///   behind then.
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
                // Read from a write-ahead log, a copy would be three files.
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
