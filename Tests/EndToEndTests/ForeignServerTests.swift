// The main job with foreign programs at both ends: rows from Python's sqlite3, mails to aiosmtpd.

import Foundation
import TestSupport
import Testing

@Suite("Between a foreign application and a foreign server", .timeLimit(.minutes(10)))
struct ForeignServerTests {
    private struct Mail: Decodable {
        let to: [String]
        let subject: String
        let message_id: String
        let auto_submitted: String
        let text: String
        let html: String
        let defects: [String]
    }

    private static var sink: URL {
        get throws {
            try #require(Bundle.module.url(forResource: "sink", withExtension: "py", subdirectory: "Resources"))
        }
    }

    @Test("rows inserted while outboxd runs arrive with the right content, and the file says so")
    func mainJob() async throws {
        try await withInstallation { installation in
            let sink = try Program(
                URL(filePath: "/usr/bin/python3"),
                [try Self.sink.path, "port"],
                in: installation.folder
            )
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")

            let insert = try await installation.python(
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1], timeout=30)
                with db:
                    db.execute("INSERT INTO outbox (kind, recipient, token) VALUES "
                               "('verify-email', 'ann@example.com', 's3cret/+&=')")
                    db.execute("INSERT INTO outbox (kind, recipient, token, locale) VALUES "
                               "('reset-password', 'yuki@example.com', 's3cret-2', 'ja-JP')")
                """
            )
            #expect(insert.exitCode == 0, "\(insert.errors)")
            let states = try await installation.waitUntilNoneIsOpen()
            #expect(states.output == "1 accepted 1\n2 accepted 1\n", "\(states.errors)")

            daemon.terminate()
            let ended = try await daemon.result()
            #expect(ended.exitCode == 0, "\(ended.errors)")
            #expect(!ended.errors.contains("s3cret"))
            sink.terminate()
            let mails = try JSONDecoder().decode([Mail].self, from: Data(try await sink.result().output.utf8))

            #expect(mails.count == 2)
            #expect(mails.allSatisfy { $0.defects.isEmpty && $0.auto_submitted == "auto-generated" })
            let verify = try #require(mails.first { $0.to == ["ann@example.com"] })
            #expect(verify.subject == "Verify your email address")
            let link = "https://cloudone.trendmicro.com/verify-email?token=s3cret%2F%2B%26%3D"
            #expect(verify.text.contains(link))
            #expect(verify.html.contains("href=\"\(link)\"") && verify.html.contains("Verify email"))
            let reset = try #require(mails.first { $0.to == ["yuki@example.com"] })
            #expect(reset.subject == "パスワードの再設定")
            #expect(reset.text.contains("https://cloudone.trendmicro.com/reset-password?token=s3cret-2"))

            let left = try await installation.python(
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1])
                print(db.execute("SELECT count(*) FROM outbox_state WHERE secret IS NOT NULL").fetchone()[0])
                print(db.execute("SELECT detail LIKE '250 2.0.0 Ok: queued as SINK%' FROM outbox_attempt").fetchone()[0])
                """
            )
            #expect(left.output == "0\n1\n")
            for name in try FileManager.default.contentsOfDirectory(atPath: installation.folder.path) {
                let file = installation.folder.appending(path: name)
                // The token belongs only in the sink's record of the mails that it received.
                let data = try Data(contentsOf: file)
                let isAccount = data.starts(with: Data("[{".utf8))
                #expect(isAccount || data.range(of: Data("s3cret".utf8)) == nil, "\(name) holds a token")
            }
        }
    }

    @Test("messages in flight when outboxd was killed are sent by the next one")
    func killed() async throws {
        try await withInstallation { installation in
            let arguments = ["--port", "0", "--port-file", "port", "--fault", "finalDot: hang first 1"]
            let server = try installation.start("fake-smtp", arguments + ["--ledger", "ledger.jsonl"])
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, further: "lease: 10s")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let first = try installation.start("outboxd")
            let enqueued = try await installation.outboxctl(
                "enqueue",
                "verify-email",
                "ann@example.com",
                input: "s3cret\n"
            )
            #expect(enqueued.output == "1\n", "\(enqueued.errors)")
            // The first entry of the ledger's file is the fault: the whole mail has been handed over by then.
            _ = try await installation.python(
                """
                import os, sys, time
                deadline = time.monotonic() + 30
                while not (os.path.exists(sys.argv[2]) and "hang" in open(sys.argv[2]).read()):
                    if time.monotonic() > deadline: sys.exit("the fault never fired")
                    time.sleep(0.02)
                """,
                installation.folder.appending(path: "ledger.jsonl").path
            )
            first.kill()
            _ = try await first.result()
            let second = try installation.start("outboxd")
            let states = try await installation.waitUntilNoneIsOpen()
            #expect(states.output == "1 accepted 2\n", "\(states.errors)")
            second.interrupt()
            #expect(try await second.result().exitCode == 0)
            let shown = try await installation.outboxctl("show", "1")
            #expect(shown.output.contains("attempt 1: uncertain"), "\(shown.output)")
            #expect(shown.output.contains("may arrive twice"))
            server.terminate()
            #expect(try await server.result().exitCode == 0)
        }
    }
}
