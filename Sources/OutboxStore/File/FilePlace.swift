// Notices that the database's file is not where it was. Never opens or changes a file.

import GRDB
import GRDBSQLite
import Glibc
import Synchronization

/// How a file was lost to a process that has it open.
package enum FileLoss: Sendable, Hashable {
    /// It was moved or deleted, or its file system is gone.
    case gone(path: String)
    /// Another file is in its place.
    case replaced(path: String)
}

/// Where the database's file was when it was opened.
///
/// A process that goes on with a file that nobody else finds any more loses everything that it writes, and sends mails
/// of a past that a restored copy holds as well. And it may destroy the new file: SQLite finds `-wal` by its name
/// (https://sqlite.org/howtocorrupt.html, 2.4 and 2.5). So such a loss is final: whatever appears at the path later,
/// nothing is written any more.
final class FilePlace: Sendable {
    /// Gets the loss, once.
    let losses: AsyncStream<FileLoss>

    private let file: DatabaseFile
    private let identity: FileIdentity
    private let continuation: AsyncStream<FileLoss>.Continuation
    private let loss = Mutex<FileLoss?>(nil)

    /// - Throws: `OutboxDatabaseError` where the file went between its look-up and now.
    init(_ file: DatabaseFile) throws {
        guard let status = FileStatus(file.path) else { throw OutboxDatabaseError.noFile(path: file.given) }
        self.file = file
        identity = status.identity
        (losses, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Looks whether the file is in its place: two calls of stat(2).
    ///
    /// - Throws: `OutboxDatabaseError.lost` from the moment on at which it is not.
    func check() throws {
        if let loss = loss.withLock(\.self) { throw OutboxDatabaseError.lost(loss) }
        for path in Set([file.given, file.path]) {
            guard let status = FileStatus(path) else {
                // What can't be looked at for another reason, such as a permission, may be there.
                if [ENOENT, ENOTDIR].contains(errno) { throw lose(.gone(path: file.given)) }
                continue
            }
            if status.identity != identity { throw lose(.replaced(path: file.given)) }
        }
    }

    /// The same within a transaction, where SQLite is asked as well (SQLITE_FCNTL_HAS_MOVED,
    /// https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html): it compares the path with the file that it has open.
    func check(_ database: Database) throws {
        try check()
        var hasMoved: CInt = 0
        let result = sqlite3_file_control(database.sqliteConnection, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved)
        guard result == SQLITE_OK, hasMoved != 0 else { return }
        throw movedSays(SQLite: "the file has moved")
    }

    /// SQLite noticed that the file has moved; a path that can't be looked at looks moved to it.
    func movedSays(SQLite words: String) -> OutboxDatabaseError {
        if FileStatus(file.path) != nil { return lose(.replaced(path: file.given)) }
        if [ENOENT, ENOTDIR].contains(errno) { return lose(.gone(path: file.given)) }
        return .unreachable(path: file.given, reason: words)
    }

    private func lose(_ found: FileLoss) -> OutboxDatabaseError {
        let first: FileLoss = loss.withLock { loss in
            if loss == nil { continuation.yield(found) }
            let first = loss ?? found
            loss = first
            return first
        }
        return .lost(first)
    }
}

extension OutboxDatabase {
    /// Waits until the file is lost to this process; `nil` where the waiting task is cancelled.
    package func fileLoss() async -> FileLoss? {
        for await loss in place.losses { return loss }
        return nil
    }

    /// Looks whether the file is where it was.
    ///
    /// - Throws: `OutboxDatabaseError.lost` where it is not.
    func checkPlace() throws { try place.check() }
}
