// Checks whether this process can use the database's folder and file, and explains any problem. Never opens or creates
// anything.

import Foundation
import Glibc

/// The folder and the file of the database, as this process's user and sandbox see them.
package enum DatabasePlace {
    /// Describes the problem and its remedy; `nil` if no problem is visible from outside. A missing database file
    /// doesn't count as a problem.
    ///
    /// - Parameters:
    ///   - path: the database file; it may be a symbolic link.
    ///   - isWritten: whether the program will write the database; SQLite then creates files beside it.
    package static func problem(_ path: String, isWritten: Bool = true) -> String? {
        let file = URL(filePath: path).resolvingSymlinksInPath().path
        let folder = URL(filePath: file).deletingLastPathComponent().path
        var status = stat()
        guard stat(folder, &status) == 0 else { return unreachable(folder, errno) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return "\(folder) is not a folder; correct the key `database`"
        }
        guard access(folder, X_OK) == 0 else { return unreachable(folder, errno) }
        guard !isWritten || access(folder, W_OK) == 0 else {
            if errno == EROFS { return readOnly(folder) }
            return "user \(userName) may not write the folder \(folder), where SQLite keeps files beside the database; "
                + "make it writable for that user, or for one of its groups: chmod g+w \(folder)"
        }
        for name in [file, file + "-wal", file + "-shm"] where access(name, F_OK) == 0 {
            guard access(name, isWritten ? R_OK | W_OK : R_OK) != 0 else { continue }
            if errno == EROFS { return readOnly(folder) }
            return "user \(userName) may not read and write \(name); give it to that user, or to one of its groups: "
                + "chgrp GROUP \(name) && chmod g+rw \(name)"
        }
        return nil
    }

    private static func unreachable(_ folder: String, _ code: Int32) -> String {
        if code == EACCES {
            return "user \(userName) may not enter the folder \(folder); let that user into it and those above it "
                + "(chmod a+x), or correct the key `database`; the unit of outboxd also hides /home and /root "
                + "(ProtectHome=)"
        }
        return "there is no folder \(folder); create it, or correct the key `database`. If it is on a file system that "
            + "is mounted later, add RequiresMountsFor=\(folder) to the unit (systemctl edit outboxd, in [Unit])"
    }

    /// The message for a folder that is read-only because of its mount.
    package static func readOnly(_ folder: String) -> String {
        "the folder \(folder) is read-only for this process. Under systemd the unit makes it so (ProtectSystem=strict): "
            + "systemctl edit outboxd, add ReadWritePaths=-\(folder) in [Service] and RequiresMountsFor=\(folder) in "
            + "[Unit], then restart outboxd. Else mount it for writing"
    }

    private static var userName: String {
        guard let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name else { return String(geteuid()) }
        return String(cString: name)
    }
}
