// Finds the database's file, makes it where that is allowed, and says what is in the way. Never opens it with SQLite.

import Foundation
import Glibc

/// The file that a path in the configuration means.
struct DatabaseFile: Sendable {
    /// The path as it was given; it may be a symbolic link.
    let given: String
    /// The file itself. SQLite keeps `-wal` and `-shm` beside it, not beside a link to it
    /// (https://sqlite.org/c3ref/open.html).
    let path: String

    /// Looks the file up.
    ///
    /// - Throws: `OutboxDatabaseError`, which tells a missing file from one that this user may not reach or use.
    init(_ given: String, access: OutboxDatabase.Access) throws {
        self.given = given
        if access == .migrating { try Self.createPrivately(given) }
        guard let resolved = realpath(given, nil) else {
            throw Self.failure(errno, given, access)
        }
        defer { free(resolved) }
        path = String(cString: resolved)
        // access(2) knows lists of rights and read-only file systems, which the mode doesn't tell.
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

    /// SQLite creates files 0644 less the umask and gives `-wal` and `-shm` the database's own mode, so a new file is made
    /// beforehand: for its owner, and for its group where the folder is the group's, too, and not everybody's. Others get
    /// no right, because it will hold tokens.
    private static func createPrivately(_ path: String) throws {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            switch errno {
            case EEXIST:
                // A link whose file is missing exists, too.
                guard realpathIsMissing(path),
                    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path)
                else { return }
                let folder = URL(filePath: path).deletingLastPathComponent().path
                return try createPrivately(target.hasPrefix("/") ? target : "\(folder)/\(target)")
            case ENOENT, ENOTDIR: throw OutboxDatabaseError.folderUnusable(path: path)
            case EACCES, EROFS:
                // A file that is there but may not be reached is another matter, and so is one that may only be read.
                if Glibc.access(path, F_OK) == 0 || errno == EACCES { return }
                throw OutboxDatabaseError.folderUnusable(path: path)
            case ENOSPC, EDQUOT: throw OutboxDatabaseError.diskFull(path: path)
            default: throw OutboxDatabaseError.unreachable(path: path, reason: String(cString: strerror(errno)))
            }
        }
        // No connection to this file exists yet whose locks closing a descriptor of it would drop.
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

/// What stat(2) says of a file, as far as it matters here.
struct FileStatus: Sendable, Hashable {
    /// The file system and the file's number in it: what makes it this file and no other.
    var identity: FileIdentity
    /// The user whose file it is.
    var owner: UInt32
    /// Its group.
    var group: UInt32
    /// Its permission bits, setgid included.
    var mode: UInt32

    init(identity: FileIdentity = FileIdentity(device: 0, number: 0), owner: UInt32, group: UInt32, mode: UInt32) {
        self.identity = identity
        self.owner = owner
        self.group = group
        self.mode = mode
    }

    /// Of the file at a path, links followed; `nil` where it can't be looked at, with the reason in `errno`.
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

/// What makes a file this one and no other.
struct FileIdentity: Sendable, Hashable {
    let device: UInt64
    let number: UInt64
}
