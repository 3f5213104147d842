// Finds the database file, creates it where that is allowed, and explains problems. Never opens it with SQLite.

import Foundation
import Glibc

/// The file that a path in the configuration refers to.
struct DatabaseFile: Sendable {
    /// The path as it was given; it may be a symbolic link.
    let given: String
    /// The file itself. SQLite keeps `-wal` and `-shm` beside it, not beside a link to it
    /// (https://sqlite.org/c3ref/open.html).
    let path: String

    /// Finds the file.
    ///
    /// - Throws: `OutboxDatabaseError`, which distinguishes a missing file from a file that this user may not reach or
    ///   use.
    init(_ given: String, access: OutboxDatabase.Access) throws {
        self.given = given
        if access == .migrating { try Self.createPrivately(given) }
        guard let resolved = realpath(given, nil) else {
            throw Self.failure(errno, given, access)
        }
        defer { free(resolved) }
        path = String(cString: resolved)
        // access(2) takes account of access lists and read-only file systems; the mode doesn't.
        guard Glibc.access(path, R_OK) == 0 else { throw OutboxDatabaseError.notReadable(path: path) }
        if access != .reading, Glibc.access(path, W_OK) != 0 { throw OutboxDatabaseError.notWritable(path: path) }
    }

    private static func failure(
        _ code: Int32,
        _ path: String,
        _ access: OutboxDatabase.Access
    ) -> OutboxDatabaseError {
        switch code {
        case ENOENT, ENOTDIR: access == .upgrading ? .notCreated(path: path) : .noFile(path: path)
        default: .unreachable(path: path, reason: String(cString: strerror(code)))
        }
    }

    /// SQLite creates files with mode 0644 less the umask, and `-wal` and `-shm` with the database's own mode. So a new
    /// file is created beforehand, for its owner, and for its group where the folder is accessible to the group but not
    /// to others. Others get no access, because the file will hold tokens.
    private static func createPrivately(_ path: String) throws {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            switch errno {
            case EEXIST:
                // A dangling symbolic link exists, too.
                guard realpathIsMissing(path),
                    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
                else { return }
                let folder = URL(filePath: path).deletingLastPathComponent().path
                return try createPrivately(target.hasPrefix("/") ? target : "\(folder)/\(target)")
            case ENOENT, ENOTDIR: throw OutboxDatabaseError.folderUnusable(path: path)
            case EACCES, EROFS:
                // An existing file that can't be reached or is read-only is a different problem.
                if Glibc.access(path, F_OK) == 0 || errno == EACCES { return }
                throw OutboxDatabaseError.folderUnusable(path: path)
            case ENOSPC, EDQUOT: throw OutboxDatabaseError.diskFull(path: path)
            default: throw OutboxDatabaseError.unreachable(path: path, reason: String(cString: strerror(errno)))
            }
        }
        // No connection to this file exists yet, so closing the descriptor can't drop SQLite's locks.
        defer { close(descriptor) }
        let folder = FileStatus(URL(filePath: path).deletingLastPathComponent().path)
        if let folder, folder.mode & 0o022 == 0o020 { fchmod(descriptor, 0o660) }
    }

    private static func realpathIsMissing(_ path: String) -> Bool {
        guard let resolved = realpath(path, nil) else { return errno == ENOENT }
        free(resolved)
        return false
    }
}

/// The fields of stat(2) that matter here.
struct FileStatus: Sendable, Hashable {
    /// The file system and the file's number in it, which identify the file.
    var identity: FileIdentity
    /// The owner's user id.
    var owner: UInt32
    /// The group id.
    var group: UInt32
    /// The permission bits, setgid included.
    var mode: UInt32

    init(identity: FileIdentity = FileIdentity(device: 0, number: 0), owner: UInt32, group: UInt32, mode: UInt32) {
        self.identity = identity
        self.owner = owner
        self.group = group
        self.mode = mode
    }

    /// Follows symbolic links. Returns `nil` where stat(2) fails, with the reason in `errno`.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(
            identity: FileIdentity(device: UInt64(status.st_dev), number: UInt64(status.st_ino)),
            owner: status.st_uid,
            group: status.st_gid,
            mode: status.st_mode & 0o7777
        )
    }
}

/// Identifies a file: device and inode.
struct FileIdentity: Sendable, Hashable {
    let device: UInt64
    let number: UInt64
}
