// Notices that the database file is no longer at its path. Never opens or changes a file.

import GRDB
import GRDBSQLite
import Glibc
import Synchronization

/// How a process lost its open database file.
package enum FileLoss: Sendable, Hashable {
    /// The file was moved or deleted, or its file system is gone.
    case gone(path: String)
    /// Another file is in its place.
    case replaced(path: String)
    /// An older state of the file was written over it.
    case restored(path: String)
}

/// The place of the database file when it was opened.
///
/// A process that continues with a file that nobody else can find loses everything that it writes, and sends mails that
/// a restored copy will send again. It may also destroy the new file, because SQLite finds `-wal` by its name
/// (https://sqlite.org/howtocorrupt.html, 2.4 and 2.5). So a loss is final: whatever appears at the path later, nothing
/// is written any more.
final class FilePlace: Sendable {
    /// Delivers the loss, once.
    let losses: AsyncStream<FileLoss>

    private let file: DatabaseFile
    private let identity: FileIdentity
    private let continuation: AsyncStream<FileLoss>.Continuation
    private let loss = Mutex<FileLoss?>(nil)

    /// The file's number in its file system.
    var inode: Int64 { Int64(bitPattern: identity.number) }

    /// - Throws: `OutboxDatabaseError` where the file disappeared since it was found.
    init(_ file: DatabaseFile) throws {
        guard let status = FileStatus(file.path) else { throw OutboxDatabaseError.noFile(path: file.given) }
        self.file = file
        identity = status.identity
        (losses, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Checks whether the file is in its place with two calls of stat(2).
    ///
    /// - Throws: `OutboxDatabaseError.lost` once the file was missing or replaced.
    func check() throws {
        if let loss = loss.withLock(\.self) { throw OutboxDatabaseError.lost(loss) }
        for path in Set([file.given, file.path]) {
            guard let status = FileStatus(path) else {
                // After any other error, such as a missing permission, the file may still be there.
                if [ENOENT, ENOTDIR].contains(errno) { throw lose(.gone(path: file.given)) }
                continue
            }
            if status.identity != identity { throw lose(.replaced(path: file.given)) }
        }
    }

    /// The same check within a transaction. It also asks SQLite (SQLITE_FCNTL_HAS_MOVED,
    /// https://sqlite.org/c3ref/c_fcntl_begin_atomic_write.html), which compares the path with its open file.
    func check(_ database: Database) throws {
        try check()
        var hasMoved: CInt = 0
        let result = sqlite3_file_control(database.sqliteConnection, "main", SQLITE_FCNTL_HAS_MOVED, &hasMoved)
        guard result == SQLITE_OK, hasMoved != 0 else { return }
        throw movedSays(SQLite: "the file has moved")
    }

    /// SQLite noticed that the file has moved. A path without access looks moved to SQLite.
    func movedSays(SQLite words: String) -> OutboxDatabaseError {
        if FileStatus(file.path) != nil { return lose(.replaced(path: file.given)) }
        if [ENOENT, ENOTDIR].contains(errno) { return lose(.gone(path: file.given)) }
        return .unreachable(path: file.given, reason: words)
    }

    /// The file holds an older state than this process left in it.
    func wasRestored() -> OutboxDatabaseError { lose(.restored(path: file.given)) }

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
    /// Waits until this process loses the file. Returns `nil` where the waiting task is cancelled.
    package func fileLoss() async -> FileLoss? {
        for await loss in place.losses { return loss }
        return nil
    }

    /// Checks whether the file is in its place.
    ///
    /// - Throws: `OutboxDatabaseError.lost` where it isn't.
    func checkPlace() throws { try place.check() }
}
