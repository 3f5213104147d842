// The built programs with a database file that is missing, unreadable, replaced, shared or copied.

import Foundation
import Glibc
import TestSupport
import Testing

@Suite("With the database's file", .timeLimit(.minutes(10)))
struct DatabaseFileTests {
    /// Waits until a program's log contains a text.
    private func wait(for text: String, of program: Program) async throws {
        for _ in 1...3000 {
            if try program.errorsSoFar().contains(text) { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Installation.WaitError(description: "waited in vain for \(text) in\n\(try program.errorsSoFar())")
    }

    private func enqueue(_ recipient: String, _ installation: Installation) async throws {
        let result = try await installation.outboxctl(
            "enqueue",
            "verify-email",
            recipient,
            input: "t0ken-of-\(recipient)"
        )
        #expect(result.exitCode == 0, "\(result.errors)")
    }

    @Test("outboxd makes no file unless it is told to: 75 and both remedies; after migrate it starts")
    func missing() async throws {
        try await withInstallation { installation in
            try installation.configure(database: "outbox.db")
            let refused = try await installation.start("outboxd").result()
            #expect(refused.exitCode == 75)
            #expect(refused.errors.contains("is its file system mounted?"), "\(refused.errors)")
            #expect(refused.errors.contains("outboxctl migrate") && refused.errors.contains("create: true"))
            #expect(!FileManager.default.fileExists(atPath: installation.database))
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            try await wait(for: "delivery started", of: daemon)
            daemon.terminate()
            #expect(try await daemon.result().exitCode == 0)
        }
    }

    @Test("a file that is replaced under outboxd ends it with 75 and one line; the next start works on the new file")
    func replaced() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--store", "received")
            try installation.configure(port: try #require(Int(try await installation.contents(of: "port"))))
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            #expect(try await installation.outboxctl("backup", "new.db").exitCode == 0)
            let daemon = try installation.start("outboxd")
            try await wait(for: "delivery started", of: daemon)
            let new = installation.folder.appending(path: "new.db").path
            // The old file's companions are removed first, as the documentation says.
            for name in [installation.database + "-wal", installation.database + "-shm"] { unlink(name) }
            #expect(rename(new, installation.database) == 0)
            let ended = try await daemon.result()
            #expect(ended.exitCode == 75)
            // Between the removal and the renaming outboxd may look, and find the file without its companions.
            let errors = ended.errors.split(separator: "\n").filter { line in
                !line.contains(" info: ") && !line.contains("the outbox can't be worked on, trying again")
            }
            #expect(errors.count == 1, "\(ended.errors)")
            #expect(errors.first?.contains("another file took the place of the database") == true)
            try await enqueue("ann@example.com", installation)
            let next = try installation.start("outboxd")
            #expect(try await installation.waitUntilNoneIsOpen().output == "1 accepted 1\n")
            next.terminate()
            #expect(try await next.result().exitCode == 0)
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a second outboxd on one file is told to both")
    func company() async throws {
        try await withInstallation { installation in
            try installation.configure(further: "poll_interval: 50ms")
            let first = try installation.start("outboxd")
            try await wait(for: "delivery started", of: first)
            let second = try installation.start("outboxd")
            for daemon in [first, second] {
                try await wait(for: "warning: another outboxd works on the same database", of: daemon)
            }
            second.kill()
            _ = try await second.result()
            try await wait(for: "notice: the other outboxd is gone", of: first)
            first.terminate()
            let log = try await first.result().errors
            #expect(log.components(separatedBy: "another outboxd works").count == 2, "said once:\n\(log)")
        }
    }

    @Test("a restored backup is a whole outbox, and sends nothing where its open messages were cancelled first")
    func restore() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--store", "received")
            try installation.configure(port: try #require(Int(try await installation.contents(of: "port"))))
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            try await enqueue("ann@example.com", installation)
            let backup = try await installation.outboxctl("backup", "copy.db")
            #expect(backup.exitCode == 0, "\(backup.errors)")
            #expect(backup.output.contains("open messages: 1, tokens: 1"))
            let copy = installation.folder.appending(path: "copy.db").path
            let mode = try FileManager.default.attributesOfItem(atPath: copy)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o600)
            let again = try await installation.outboxctl("backup", "copy.db")
            #expect(again.exitCode == 73)
            #expect(again.errors.contains("overwrites nothing"))
            #expect(rename(copy, installation.database) == 0)
            let cancelled = try await installation.python(
                """
                import sqlite3, sys
                with sqlite3.connect(sys.argv[1]) as db:
                    db.execute("UPDATE outbox SET cancelled = 1 WHERE id IN (SELECT id FROM outbox_status WHERE finished_at IS NULL)")
                """
            )
            #expect(cancelled.exitCode == 0, "\(cancelled.errors)")
            let daemon = try installation.start("outboxd")
            #expect(try await installation.waitUntilNoneIsOpen().output == "1 cancelled 0\n")
            try await enqueue("bob@example.com", installation)
            let ended = try await installation.waitUntilNoneIsOpen()
            daemon.terminate()
            let log = try await daemon.result().errors
            #expect(ended.output == "1 cancelled 0\n2 accepted 1\n", "\(ended.errors)\n\(log)")
            relay.terminate()
            _ = try await relay.result()
            let mails = try FileManager.default.contentsOfDirectory(
                atPath: installation.folder.appending(path: "received").path
            )
            #expect(mails.filter { $0.hasSuffix(".eml") }.count == 1)
        }
    }

    @Test("an inaccessible file is distinguished from a missing one", .enabled(if: geteuid() == 0))
    func permissions() async throws {
        try await withInstallation { installation in
            try installation.configure()
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let data = installation.folder.appending(path: "data").path
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: false)
            #expect(rename(installation.database, data + "/outbox.db") == 0)
            try installation.configure(database: "{path: data/outbox.db, create: true}")
            #expect(chmod(installation.folder.appending(path: "outboxd.yaml").path, 0o644) == 0)
            // The folder of the checkout may be closed to other users.
            let program = installation.folder.appending(path: "outboxd")
            try FileManager.default.copyItem(at: Program.buildFolder.appending(path: "outboxd"), to: program)
            let templates = installation.folder.appending(path: "templates")
            try FileManager.default.copyItem(
                at: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../config/templates"),
                to: templates
            )
            let settings = installation.folder.appending(path: "outboxd.yaml")
            try (String(contentsOf: settings, encoding: .utf8) + "\ntemplates: \(templates.path)\n")
                .write(to: settings, atomically: false, encoding: .utf8)
            func errors(folder: mode_t, file: mode_t) async throws -> String {
                #expect(chmod(data, folder) == 0 && chmod(data + "/outbox.db", file) == 0)
                let result = try await Program(
                    URL(filePath: "/usr/bin/setpriv"),
                    [
                        "--reuid", "65534", "--regid", "65534", "--clear-groups",
                        program.path, "--config", installation.folder.appending(path: "outboxd.yaml").path,
                    ],
                    in: installation.folder
                ).result()
                #expect(result.exitCode == 69)
                return result.errors
            }
            #expect(try await errors(folder: 0o700, file: 0o666).contains("can't be reached: Permission denied"))
            #expect(try await errors(folder: 0o755, file: 0o600).contains("may not read the database"))
            for (folder, file) in [(0o755, 0o644), (0o755, 0o666)] as [(mode_t, mode_t)] {
                let words = try await errors(folder: folder, file: file)
                #expect(
                    words.contains("may not write to the database") && words.contains("ReadWritePaths="),
                    "\(words)"
                )
            }
        }
    }
}
