// Remarks on unusual rights of a database file that is still usable, and of the files beside it. Never changes a mode.

import Foundation

/// A warning for the operator at start.
package enum FileRemark: Sendable, Hashable {
    /// All users can read tokens.
    case everybodyReads(path: String)
    /// The file's group may write to the file, but not to SQLite's files beside it.
    case groupLockedOut(path: String, database: String)
    /// The file's owner may write to the file, but not to SQLite's files beside it.
    case ownerLockedOut(path: String, database: String)
    /// Files that SQLite creates in the folder would not belong to the group.
    case folderNotForGroup(path: String, database: String)
    /// The file system is implemented in user space.
    case userSpaceFileSystem(path: String)

    /// The file or folder that the remark is about.
    package var path: String {
        switch self {
        case .everybodyReads(let path), .groupLockedOut(let path, _), .ownerLockedOut(let path, _),
            .folderNotForGroup(let path, _), .userSpaceFileSystem(let path):
            path
        }
    }

    /// A shell command that fixes the problem.
    package var command: String? {
        switch self {
        case .everybodyReads(let path):
            return "chmod o= \(Self.quoted(path))"
        case .groupLockedOut(let path, let database), .ownerLockedOut(let path, let database):
            let arguments = "--reference=\(Self.quoted(database)) \(Self.quoted(path))"
            return "chown \(arguments) && chmod \(arguments)"
        case .folderNotForGroup(let path, let database):
            return
                "chgrp --reference=\(Self.quoted(database)) \(Self.quoted(path)) && chmod g+rwxs \(Self.quoted(path))"
        case .userSpaceFileSystem:
            return nil
        }
    }

    private static func quoted(_ path: String) -> String {
        if path.wholeMatch(of: /[A-Za-z0-9_.\/+,@%-]+/) != nil { return path }
        return "'\(path.replacing("'", with: "'\\''"))'"
    }
}

/// The rights of one database's files, as values.
struct FileRights: Sendable {
    var database: FileStatus
    var folder: FileStatus?
    /// The files beside the database, `-wal` and `-shm`, by path.
    var beside: [String: FileStatus] = [:]

    private static let groupWrites: UInt32 = 0o020
    private static let groupReadsAndWrites: UInt32 = 0o060
    private static let groupEnters: UInt32 = 0o010
    private static let setsGroup: UInt32 = 0o2000
    private static let othersRead: UInt32 = 0o004

    /// The problems found.
    ///
    /// Every user who may write to a database must be able to write to its `-wal` and `-shm` as well. SQLite creates
    /// them with the database's mode, but with the owner and group of the first process, or the folder's group where
    /// the folder is setgid.
    func remarks(path: String) -> [FileRemark] {
        var remarks: [FileRemark] = []
        if database.mode & Self.othersRead != 0 { remarks.append(.everybodyReads(path: path)) }
        let isForGroup = database.mode & Self.groupWrites != 0
        for (name, status) in beside.sorted(by: { $0.key < $1.key }) {
            if status.mode & Self.othersRead != 0 { remarks.append(.everybodyReads(path: name)) }
            let groupWrites =
                status.group == database.group && status.mode & Self.groupReadsAndWrites == Self.groupReadsAndWrites
            if isForGroup, !groupWrites {
                remarks.append(.groupLockedOut(path: name, database: path))
            } else if !isForGroup, status.owner != database.owner, database.owner != 0 {
                // Root is never locked out.
                remarks.append(.ownerLockedOut(path: name, database: path))
            }
        }
        if isForGroup, let folder {
            // A folder that the group may not enter restricts access to the owner, whatever the file's mode says.
            let isEntered = folder.mode & Self.groupEnters != 0
            let isGroups = folder.group == database.group && folder.mode & Self.groupWrites != 0
            if isEntered, !isGroups || folder.mode & Self.setsGroup == 0 {
                let place = URL(filePath: path).deletingLastPathComponent().path
                remarks.append(.folderNotForGroup(path: place, database: path))
            }
        }
        return remarks
    }
}

extension OutboxDatabase {
    /// Remarks on the database file, the files beside it, and their folder.
    package var fileRemarks: [FileRemark] {
        guard let database = FileStatus(path) else { return [] }
        var rights = FileRights(database: database)
        rights.folder = FileStatus(URL(filePath: path).deletingLastPathComponent().path)
        for name in [path + "-wal", path + "-shm"] { rights.beside[name] = FileStatus(name) }
        let kind: [FileRemark] = FileSystemKind(of: path) == .userSpace ? [.userSpaceFileSystem(path: path)] : []
        return rights.remarks(path: path) + kind
    }
}
