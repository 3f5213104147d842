// The built programs with a database that was restored.

import Foundation
import TestSupport
import Testing

@Suite("A restored database", .timeLimit(.minutes(10)))
struct RestoredDatabaseTests {
    private func enqueue(_ name: String, _ installation: Installation) async throws {
        let address = "\(name)@example.com"
        let result = try await installation.outboxctl("enqueue", "verify-email", address, input: "t0ken-of-\(name)")
        #expect(result.exitCode == 0, "\(result.errors)")
    }

    /// The recipients of the relay's mails, in order.
    private func received(_ installation: Installation) async throws -> [String] {
        let result = try await Program.python(
            """
            import email, glob, sys
            print(*sorted(email.message_from_file(open(f))["To"].split("@")[0].strip("<") for f in glob.glob(sys.argv[1] + "/*.eml")))
            """,
            [installation.folder.appending(path: "received").path]
        )
        #expect(result.exitCode == 0, "\(result.errors)")
        return result.output.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    private func stop(_ daemon: Program) async throws -> String {
        daemon.terminate()
        let ended = try await daemon.result()
        #expect(ended.exitCode == 0, "\(ended.errors)")
        return ended.errors
    }

    private func isIdle(_ installation: Installation, except held: Int) async throws {
        try await installation.waitUntil("SELECT count(*) = \(held) FROM outbox_status WHERE finished_at IS NULL")
    }

    @Test("nothing is sent again until it is accepted, and new mails leave", arguments: ["--cancel", "--send"])
    func restored(_ decision: String) async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--store", "received")
            try installation.configure(port: try #require(Int(try await installation.contents(of: "port"))))
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            var daemon = try installation.startDaemonWithCache()
            try await enqueue("ann", installation)
            try await isIdle(installation, except: 0)
            _ = try await stop(daemon)
            for name in ["ben", "cat"] { try await enqueue(name, installation) }
            let backup = try await installation.outboxctl("backup", "backup.db")
            #expect(backup.exitCode == 0 && backup.output.contains("open messages: 2"), "\(backup.output)")

            daemon = try installation.startDaemonWithCache()
            try await enqueue("dan", installation)
            try await isIdle(installation, except: 0)
            let first = try await stop(daemon)
            #expect(!first.contains("restored"), "\(first)")
            #expect(try await received(installation) == ["ann", "ben", "cat", "dan"])
            let none = try await installation.outboxctl("accept-restored", decision)
            #expect(none.exitCode == 1 && none.output.hasPrefix("nothing found"), "\(none.output)")

            for suffix in ["-wal", "-shm"] { unlink(installation.database + suffix) }
            #expect(rename(installation.folder.appending(path: "backup.db").path, installation.database) == 0)
            daemon = try installation.startDaemonWithCache()
            // Before the start it would get the number that dan had.
            while try !daemon.errorsSoFar().contains("delivery started") {
                try await Task.sleep(for: .milliseconds(20))
            }
            try await enqueue("eve", installation)
            try await isIdle(installation, except: 2)
            let log = try await stop(daemon)
            let said = try #require(log.split(separator: "\n").first { $0.contains("restored to an older state") })
            #expect(said.contains(" warning: ") && said.contains("count=2"), "\(said)")
            #expect(said.contains(#"command="outboxctl accept-restored""#), "\(said)")
            #expect(try await received(installation) == ["ann", "ben", "cat", "dan", "eve"])

            let asked = try await installation.outboxctl("accept-restored")
            #expect(asked.exitCode == 0)
            for words in ["2 messages of a restored database", "accept-restored --send ", "accept-restored --cancel "] {
                #expect(asked.output.contains(words), "\(asked.output)")
            }
            let listed = try await installation.outboxctl("list", "--waiting-for", "restored-file", "--json")
            #expect(listed.output.components(separatedBy: "\"restored-file\"").count == 3, "\(listed.output)")
            let shown = try await installation.outboxctl("show", "2")
            #expect(shown.output.contains("open in a restored database (restored-file)"), "\(shown.output)")
            // They are not put down to a relay that is slow.
            let patience = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: "
            _ = try await installation.python(patience + "db.execute('UPDATE outbox_guidance SET patience = 1')")
            let promise = try await installation.outboxctl("promise", "--json")
            #expect(promise.output.components(separatedBy: #""fault":"restored-file""#).count == 3, "\(promise.output)")
            let wrong = try await installation.outboxctl("accept-restored", "--send", "--cancel")
            #expect(wrong.exitCode == 64)

            // The mark belongs to the restored database now; what it held stays held.
            daemon = try installation.startDaemonWithCache()
            try await enqueue("fay", installation)
            try await isIdle(installation, except: 2)
            let accepted = try await installation.outboxctl("accept-restored", decision)
            #expect(accepted.exitCode == 0, "\(accepted.errors)")
            #expect(accepted.output == (decision == "--send" ? "2 due now\n" : "2 cancelled\n"))
            try await enqueue("gus", installation)
            try await isIdle(installation, except: 0)
            let last = try await stop(daemon)
            #expect(!last.contains("restored to an older state"), "\(last)")
            #expect(last.contains("messages of a restored database are held"), "\(last)")
            let twice = decision == "--send" ? ["ben", "cat"] : []
            let all = ["ann", "ben", "cat", "dan", "eve", "fay", "gus"] + twice
            #expect(try await received(installation) == all.sorted())
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a backup that is written over the database under outboxd ends it with 75, and the next start holds")
    func writtenOver() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--store", "received")
            try installation.configure(port: try #require(Int(try await installation.contents(of: "port"))))
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            try await enqueue("ann", installation)
            #expect(try await installation.outboxctl("backup", "backup.db").exitCode == 0)
            var daemon = try installation.startDaemonWithCache()
            try await isIdle(installation, except: 0)
            // As .restore of sqlite3 does it.
            let restored = try await installation.python(
                "import sqlite3, sys; sqlite3.connect(sys.argv[2]).backup(sqlite3.connect(sys.argv[1], timeout=30))",
                installation.folder.appending(path: "backup.db").path
            )
            #expect(restored.exitCode == 0, "\(restored.errors)")
            let ended = try await daemon.result()
            #expect(ended.exitCode == 75, "\(ended.errors)")
            #expect(ended.errors.contains("an older state was written over the database"), "\(ended.errors)")
            daemon = try installation.startDaemonWithCache()
            try await enqueue("ben", installation)
            try await isIdle(installation, except: 1)
            let log = try await stop(daemon)
            #expect(log.contains("restored to an older state") && log.contains("count=1"), "\(log)")
            #expect(try await received(installation) == ["ann", "ben"])
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("killed while it works, outboxd raises no false alarm", arguments: 1...5)
    func killed(_ round: Int) async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--store", "received")
            try installation.configure(port: try #require(Int(try await installation.contents(of: "port"))))
            var daemon = try installation.startDaemonWithCache()
            try await installation.waitUntil("SELECT count(*) FROM sqlite_schema WHERE name = 'outbox_run'")
            let filling = try await installation.python(
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1], timeout=30)
                with db:
                    db.executemany("INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 't0ken')",
                        [(f"p{i}@example.com",) for i in range(2000)])
                """
            )
            #expect(filling.exitCode == 0, "\(filling.errors)")
            try await installation.waitUntil(
                "SELECT count(*) >= \(round * 100) FROM outbox_status WHERE state = 'accepted'"
            )
            daemon.kill()
            _ = try await daemon.result()
            daemon = try installation.startDaemonWithCache()
            while try !daemon.errorsSoFar().contains("delivery started") {
                try await Task.sleep(for: .milliseconds(20))
            }
            let log = try await stop(daemon)
            #expect(!log.contains("restored"), "\(log)")
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("outboxd --check writes no mark, and says whether one could be kept")
    func check() async throws {
        try await withInstallation { installation in
            try installation.configure()
            let cache = installation.folder.appending(path: "cache").path
            try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
            func said(_ environment: [String: String]) async throws -> String {
                let result = try await installation.start("outboxd", ["--check"], environment: environment).result()
                #expect(result.exitCode == 0, "\(result.errors)")
                return result.output
            }
            #expect(try await !said(["CACHE_DIRECTORY": cache]).contains("restored"))
            let missing = try await said(["CACHE_DIRECTORY": cache + "/no"])
            #expect(missing.contains("would not be noticed: \(cache)/no: No such file"), "\(missing)")
            #expect(try await said([:]).contains("would not be noticed: CACHE_DIRECTORY names no folder"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: cache) == [])
        }
    }
}
