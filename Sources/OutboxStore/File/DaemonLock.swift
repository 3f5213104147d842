// Lets daemons that work on the same file detect each other. Never stops a daemon, and never creates a file.

import Glibc
import Synchronization

/// A shared lock on one byte of the database file. Each daemon holds it for as long as its process lives.
///
/// It is an open file description lock (fcntl_locking(2)): the kernel releases it when the process ends in any way.
/// SQLite's own locks are of the older kind. They never conflict with this lock in this process, and they lie
/// elsewhere: at 0x40000000 and the 511 bytes behind (https://sqlite.org/src/file/src/os.h). Closing a descriptor of
/// the file would drop those older locks of the whole process (https://sqlite.org/howtocorrupt.html, 2.2), so the
/// descriptor is never closed.
final class DaemonLock: Sendable {
    /// Far behind what SQLite locks and behind the end of any database (at most 281 TB).
    private static let place: off_t = 1 << 56
    // <fcntl.h>, which Swift sees without _GNU_SOURCE.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37

    private let descriptor: Int32

    /// Takes the lock. Returns `nil` where the file can't be opened or its file system doesn't support such locks; then
    /// daemons can't detect each other, which is harmless.
    init?(path: String) {
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var lock = Self.lock(Int16(F_RDLCK))
        guard fcntl(descriptor, Self.setLock, &lock) == 0 else { return nil }
    }

    /// Whether another daemon holds the lock as well.
    var isShared: Bool {
        // Any other holder would conflict with an exclusive lock.
        var lock = Self.lock(Int16(F_WRLCK))
        return fcntl(descriptor, Self.getLock, &lock) == 0 && lock.l_type != Int16(F_UNLCK)
    }

    private static func lock(_ type: Int16) -> flock {
        flock(l_type: type, l_whence: Int16(SEEK_SET), l_start: place, l_len: 1, l_pid: 0)
    }
}

extension OutboxDatabase {
    /// Makes this daemon visible to other daemons on the file, for as long as this process lives. Further calls do
    /// nothing.
    package func showDaemon() {
        daemonLock.withLock { lock in if lock == nil { lock = DaemonLock(path: path) } }
    }

    /// Whether no other daemon process works on this file; false where that is unknown.
    var isOnlyDaemon: Bool { daemonLock.withLock { $0.map { !$0.isShared } ?? false } }

    /// Whether another daemon process works on this file.
    package var hasOtherDaemon: Bool { daemonLock.withLock { $0?.isShared ?? false } }
}
