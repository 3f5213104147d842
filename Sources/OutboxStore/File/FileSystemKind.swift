// Knows the file systems on which write-ahead logging does not work. Never opens a database.

import Foundation

/// Whether a file system can hold the outbox.
///
/// The processes that use a database in WAL mode share memory through its `-shm` file, so they must run on one machine:
/// "WAL does not work over a network filesystem" (https://sqlite.org/wal.html). SQLite doesn't detect this: two
/// machines would silently destroy the file.
enum FileSystemKind: Hashable, Sendable {
    /// A local file system, as far as we know.
    case local
    /// A file system that other machines may use at the same time.
    case network(String)
    /// A program implements the file system; shared memory and locks depend on that program.
    case userSpace

    private static let networkTypes: Set<String> = [
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "coda", "ncpfs", "ceph", "lustre", "gfs2", "ocfs2",
        "beegfs",
        "gpfs", "orangefs", "vboxsf",
    ]

    /// Finds the kind by the type's name in proc_pid_mountinfo(5).
    init(type: String) {
        if Self.networkTypes.contains(type) {
            self = .network(type)
        } else if type.hasPrefix("fuse") || type == "virtiofs" {
            self = .userSpace
        } else {
            self = .local
        }
    }

    /// The kind of a file's file system. A mount that isn't listed counts as local.
    ///
    /// - Parameters:
    ///   - path: an absolute path without symbolic links.
    ///   - mounts: the text of proc_pid_mountinfo(5).
    init(of path: String, mounts: String) {
        var found = (depth: -1, type: "")
        for line in mounts.split(separator: "\n") {
            // 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
            let fields = line.split(separator: " ")
            guard fields.count > 4, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count else { continue }
            let place = Self.unescaped(fields[4])
            guard place == "/" || path == place || path.hasPrefix(place + "/") else { continue }
            // A later mount at the same place covers the earlier one.
            if place.utf8.count >= found.depth { found = (place.utf8.count, String(fields[dash + 1])) }
        }
        self.init(type: found.type)
    }

    /// The kind of a file's file system, as this process sees it.
    init(of path: String) {
        // The size of this file is unknown before it is read, so it must be read in pieces.
        let file = FileHandle(forReadingAtPath: "/proc/self/mountinfo")
        let data = (try? file?.readToEnd()) ?? Data()
        self.init(of: path, mounts: String(decoding: data, as: UTF8.self))
    }

    /// mountinfo writes spaces, tabs, line breaks and backslashes as octal numbers.
    private static func unescaped(_ field: Substring) -> String {
        String(field).replacing("\\040", with: " ").replacing("\\011", with: "\t").replacing("\\012", with: "\n")
            .replacing("\\134", with: "\\")
    }
}
