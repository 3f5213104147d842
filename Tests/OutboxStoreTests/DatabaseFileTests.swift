// The outbox's file: permitted places, rights, loss, and copies.

import Foundation
import GRDB
import Glibc
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite(.timeLimit(.minutes(10))) struct DatabaseFileTests {
    private func mode(_ path: String) throws -> UInt32 { try #require(FileStatus(path)).mode }

    @Test("a daemon creates no file unless it is told to, and names both remedies")
    func notCreated() async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "outbox.db").path
            let error = #expect(throws: OutboxDatabaseError.self) {
                try OutboxDatabase(path: path, access: .upgrading)
            }
            let words = try #require(error?.description)
            #expect(words.contains("is its file system mounted?"))
            #expect(words.contains("`outboxctl migrate`") && words.contains("create: true"))
            #expect(!FileManager.default.fileExists(atPath: path))
            _ = try OutboxDatabase(path: path, access: .migrating)
            #expect(try OutboxDatabase(path: path, access: .upgrading).migration.versions.isEmpty)
        }
    }

    @Test("a file without write-ahead logging is opened as soon as an application's write is over")
    func switchedWhileWritten() async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "outbox.db").path
            _ = try OutboxDatabase(path: path, access: .migrating)
            let (isWriting, writing) = AsyncStream.makeStream(of: Void.self)
            // Without write-ahead logging a commit waits for readers, and outboxd reads when it looks at the mode.
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            let application = try DatabaseQueue(path: path, configuration: configuration)
            try await application.writeWithoutTransaction { database in
                let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = DELETE")
                #expect(mode == "delete")
            }
            async let written: Void = application.write { database in
                try database.execute(sql: "CREATE TABLE mine (id INTEGER PRIMARY KEY)")
                writing.yield()
                Thread.sleep(forTimeInterval: 0.2)
            }
            _ = await isWriting.first { _ in true }
            #expect(try OutboxDatabase(path: path, access: .upgrading).migration.versions.isEmpty)
            try await written
        }
    }

    @Test("a new file is accessible to its group where the folder is, and never to others")
    func newFile() async throws {
        for (folderMode, fileMode) in [(0o2770, 0o660), (0o755, 0o600), (0o700, 0o600), (0o1777, 0o600)]
            as [(UInt32, UInt32)]
        {
            try await withFolder { folder in
                #expect(chmod(folder.path, folderMode) == 0)
                let path = folder.appending(path: "outbox.db").path
                let database = try OutboxDatabase(path: path, access: .migrating)
                #expect(try mode(path) == fileMode)
                #expect(try mode(path + "-wal") == fileMode)
                #expect(database.fileRemarks.isEmpty)
            }
        }
    }

    @Test("a symbolic link is followed once: the file behind it is watched and checked")
    func link() async throws {
        try await withFolder { folder in
            let real = folder.appending(path: "real.db").path
            let link = folder.appending(path: "link.db").path
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "real.db")
            let database = try OutboxDatabase(path: link, access: .migrating)
            #expect(database.path == URL(filePath: real).resolvingSymlinksInPath().path)
            #expect(try mode(real) == 0o600)
            #expect(!FileManager.default.fileExists(atPath: link + "-wal"))
            #expect(database.fileRemarks.isEmpty, "a link itself is 0777, which says nothing of the file")
            #expect(chmod(real + "-wal", 0o604) == 0)
            #expect(database.fileRemarks == [.everybodyReads(path: database.path + "-wal")])
            try await noticesCommits(database, insertingInto: real)
        }
    }

    /// Without polling.
    private func noticesCommits(_ database: OutboxDatabase, insertingInto path: String) async throws {
        let (told, continuation) = AsyncStream<Void>.makeStream()
        let watching = Task {
            await CommitWatcher(store: database, pollInterval: .seconds(3600)).run(
                onCommit: { continuation.yield() },
                onTrouble: { Issue.record($0) }
            )
        }
        defer { watching.cancel() }
        let deadline = Task {
            try await Task.sleep(for: .seconds(30))
            continuation.finish()
        }
        defer { deadline.cancel() }
        var commits = told.makeAsyncIterator()
        try #require(await commits.next() != nil)
        // Waits until the polls after the opening's own writes are over.
        try await Task.sleep(for: .milliseconds(400))
        try await DatabaseQueue(path: path).write { database in
            try database.execute(
                sql: "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 's3cret')"
            )
        }
        #expect(await commits.next() != nil)
    }

    enum Loss: CaseIterable {
        case deleted, moved, replaced, folderMoved, linkTurned
    }

    @Test(
        "a file that is moved, deleted or replaced is noticed by an idle daemon, and nothing more is written",
        arguments: Loss.allCases
    )
    func loss(_ loss: Loss) async throws {
        try await withFolder { outer in
            let folder = outer.appending(path: "data").path
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let (real, other) = ("\(folder)/outbox.db", "\(folder)/other.db")
            let given = loss == .linkTurned ? "\(folder)/link.db" : real
            if loss == .linkTurned {
                try FileManager.default.createSymbolicLink(atPath: given, withDestinationPath: real)
            }
            let database = try OutboxDatabase(path: given, access: .migrating)
            _ = try OutboxDatabase(path: other, access: .migrating)
            let watching = Task {
                let interval = Duration.milliseconds(loss == .folderMoved || loss == .linkTurned ? 50 : 3_600_000)
                await CommitWatcher(store: database, pollInterval: interval).run(
                    onCommit: {},
                    onTrouble: { Issue.record($0) }
                )
            }
            defer { watching.cancel() }
            switch loss {
            case .deleted: #expect(unlink(real) == 0)
            case .moved: #expect(rename(real, "\(folder)/elsewhere.db") == 0)
            case .replaced: #expect(rename(other, real) == 0)
            case .folderMoved: #expect(rename(folder, outer.appending(path: "gone").path) == 0)
            case .linkTurned:
                #expect(unlink(given) == 0)
                #expect(symlink(other, given) == 0)
            }
            let isReplaced = loss == .replaced || loss == .linkTurned
            #expect(await database.fileLoss() == (isReplaced ? .replaced(path: given) : .gone(path: given)))
            await watching.value
            await #expect(throws: OutboxDatabaseError.self) { try await database.claim() }
            await #expect(throws: OutboxDatabaseError.self) { try await database.renewLeases(until: noon) }
        }
    }

    @Test("a claim itself notices a replaced file")
    func claimNotices() async throws {
        let outbox = try TemporaryOutbox()
        try outbox.insert()
        #expect(unlink(outbox.path) == 0)
        let error = await #expect(throws: OutboxDatabaseError.self) { try await outbox.database.claim() }
        guard case .lost(.gone) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        // A file that comes back counts as a different one.
        _ = try OutboxDatabase(path: outbox.path, access: .migrating)
        await #expect(throws: OutboxDatabaseError.self) { try await outbox.database.claim() }
    }

    @Test("a dangling path is told from a path without access")
    func unreachable() async throws {
        try await withFolder { folder in
            let loop = folder.appending(path: "loop.db").path
            #expect(symlink("loop.db", loop) == 0)
            for access in [OutboxDatabase.Access.migrating, .upgrading, .reading] {
                let error = #expect(throws: OutboxDatabaseError.self) { try OutboxDatabase(path: loop, access: access) }
                #expect(error?.description.contains("can't be reached: Too many levels of symbolic links") == true)
            }
        }
    }

    @Test("a file in UTF-16 is refused, and left unchanged")
    func encoding() async throws {
        try await withFolder { folder in
            let path = folder.appending(path: "app.db").path
            try await DatabaseQueue(path: path).writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA encoding = 'UTF-16'; CREATE TABLE t (x); INSERT INTO t VALUES ('x')")
            }
            let before = try Data(contentsOf: URL(filePath: path))
            let error = #expect(throws: OutboxDatabaseError.self) {
                try OutboxDatabase(path: path, access: .migrating)
            }
            #expect(error?.description.contains("are in UTF-16le, and an outbox needs UTF-8") == true)
            #expect(try Data(contentsOf: URL(filePath: path)) == before)
        }
    }

    @Test("a journal mode other than WAL is refused")
    func journalMode() throws {
        try OutboxDatabase.requireWAL("wal", path: "/x")
        for mode in ["delete", "memory", nil] {
            let error = #expect(throws: OutboxDatabaseError.self) { try OutboxDatabase.requireWAL(mode, path: "/x") }
            #expect(error?.description.contains("can't have a write-ahead log") == true)
        }
    }

    @Test("the file system is the last mount at the longest path above the file")
    func fileSystems() {
        let mounts = """
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            40 22 0:50 / /srv rw,relatime shared:9 master:1 - nfs4 nas:/srv rw
            41 40 8:2 / /srv/local\\040disk rw - xfs /dev/sdb1 rw
            42 22 0:51 / /mnt rw - ext4 /dev/sdc1 rw
            43 42 0:52 / /mnt rw - cifs //nas/mnt rw
            44 22 0:53 / /home rw - fuse.sshfs a:/ rw
            """
        let kinds: [(String, FileSystemKind)] = [
            ("/var/lib/outbox.db", .local), ("/srv/outbox.db", .network("nfs4")), ("/srvice/outbox.db", .local),
            ("/srv/local disk/outbox.db", .local), ("/mnt/outbox.db", .network("cifs")),
            ("/home/outbox.db", .userSpace),
        ]
        for (path, kind) in kinds { #expect(FileSystemKind(of: path, mounts: mounts) == kind, "\(path)") }
        #expect(FileSystemKind(of: "/proc/self/status") == .local)
        #expect(FileSystemKind(type: "9p") == .network("9p"))
    }

    @Test("rights on -wal, -shm and the folder that lock out a user are reported, with the command")
    func rights() {
        let (app, outboxd, shared) = (1000 as UInt32, 999 as UInt32, 998 as UInt32)
        func rights(_ file: UInt32, folder: UInt32 = 0o2770, wal: (UInt32, UInt32, UInt32)) -> [FileRemark] {
            FileRights(
                database: FileStatus(owner: app, group: shared, mode: file),
                folder: FileStatus(owner: app, group: shared, mode: folder),
                beside: ["/d/o.db-wal": FileStatus(owner: wal.0, group: wal.1, mode: wal.2)]
            ).remarks(path: "/d/o.db")
        }
        let lockedOut = FileRemark.groupLockedOut(path: "/d/o.db-wal", database: "/d/o.db")
        let folder = FileRemark.folderNotForGroup(path: "/d", database: "/d/o.db")
        #expect(rights(0o660, wal: (outboxd, shared, 0o660)) == [])
        #expect(rights(0o660, wal: (outboxd, outboxd, 0o660)) == [lockedOut])
        #expect(rights(0o660, wal: (outboxd, shared, 0o640)) == [lockedOut])
        #expect(rights(0o660, folder: 0o770, wal: (outboxd, shared, 0o660)) == [folder])
        #expect(rights(0o660, folder: 0o755, wal: (outboxd, shared, 0o660)) == [folder])
        #expect(rights(0o660, folder: 0o700, wal: (outboxd, shared, 0o660)) == [])
        #expect(rights(0o600, wal: (app, shared, 0o600)) == [])
        #expect(
            rights(0o600, wal: (outboxd, shared, 0o600)) == [.ownerLockedOut(path: "/d/o.db-wal", database: "/d/o.db")]
        )
        #expect(rights(0o664, wal: (outboxd, shared, 0o664)).contains(.everybodyReads(path: "/d/o.db")))
        #expect(
            lockedOut.command
                == "chown --reference=/d/o.db /d/o.db-wal && chmod --reference=/d/o.db /d/o.db-wal"
        )
        #expect(FileRemark.everybodyReads(path: "/it's/o.db").command == "chmod o= '/it'\\''s/o.db'")
    }

    @Test("the command of a remark fixes the problem")
    func realRights() async throws {
        try await withFolder { folder in
            #expect(chmod(folder.path, 0o2770) == 0)
            let database = try OutboxDatabase(path: folder.appending(path: "outbox.db").path, access: .migrating)
            #expect(database.fileRemarks.isEmpty)
            #expect(chmod(database.path + "-wal", 0o640) == 0)
            #expect(chmod(database.path + "-shm", 0o604) == 0)
            #expect(chmod(folder.path, 0o750) == 0)
            let remarks = database.fileRemarks
            #expect(remarks.count == 4, "\(remarks)")
            for command in remarks.compactMap(\.command) {
                let shell = Process()
                shell.executableURL = URL(filePath: "/bin/sh")
                shell.arguments = ["-c", command]
                try shell.run()
                shell.waitUntilExit()
                #expect(shell.terminationStatus == 0, "\(command)")
            }
            #expect(database.fileRemarks.isEmpty, "\(database.fileRemarks)")
        }
    }

    @Test("two daemons on one file detect each other, but not themselves; SQLite's locks are untouched")
    func company() throws {
        let outbox = try TemporaryOutbox()
        let second = try outbox.secondDaemon()
        outbox.database.showDaemon()
        outbox.database.showDaemon()
        #expect(!outbox.database.hasOtherDaemon)
        #expect(!second.hasOtherDaemon, "who shows no daemon asks for none")
        second.showDaemon()
        #expect(outbox.database.hasOtherDaemon && second.hasOtherDaemon)
        try outbox.insert()
        #expect(try outbox.secretCount() == 1)
    }
}
