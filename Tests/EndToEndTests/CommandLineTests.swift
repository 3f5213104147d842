// The behaviour of the programs on the command line: exit codes, messages, JSON.

import Foundation
import TestSupport
import Testing

@Suite("On the command line", .timeLimit(.minutes(10)))
struct CommandLineTests {
    @Test("a wrong configuration stops both programs with 78, and names key and line")
    func configuration() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525, further: "give_up_aftr: 5m")
            for program in ["outboxd", "outboxctl"] {
                let result = try await installation.start(program, program == "outboxd" ? [] : ["migrate"]).result()
                #expect(result.exitCode == 78)
                #expect(result.errors.contains("line 7: give_up_aftr: unknown key; did you mean \"give_up_after\"?"))
            }
        }
    }

    @Test("a broken template stops the start with 78, and names file and line")
    func template() async throws {
        try await withInstallation { installation in
            let folder = installation.folder.appending(path: "templates/verify-email/en")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (name, text) in [("subject.txt", "Hi"), ("body.txt", "one\n{{nothing}}"), ("body.html", "<p>{{link}}")]
            {
                let file = folder.appending(path: "\(name).mustache")
                try text.write(to: file, atomically: true, encoding: .utf8)
            }
            try installation.configure(port: 2525, further: "templates: templates")
            let result = try await installation.start("outboxd", ["--check"]).result()
            #expect(result.exitCode == 78)
            #expect(result.errors.contains("body.txt.mustache:2"), "\(result.errors)")
            #expect(result.errors.contains("nothing"))
        }
    }

    @Test("outboxctl takes the addresses that a mail can go to, and says what any other must be")
    func addresses() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            _ = try await installation.start("outboxctl", ["migrate"]).result()
            for row in addressTable {
                let enqueued = try await installation.start(
                    "outboxctl",
                    ["enqueue", "verify-email", row.address],
                    input: "token"
                ).result()
                #expect(enqueued.exitCode == (row.isRecipient ? 0 : 64), "\(row.address.debugDescription)")
                #expect(row.isRecipient || enqueued.errors.contains("is not a mail address; it must be"))
            }
            let added = try await installation.outboxctl("suppression", "add", "Ann <ann@example.com>")
            #expect(added.exitCode == 64 && added.errors.contains("must be a bare address such as ann@example.com"))
        }
    }

    @Test("--check reports that all is good, and changes nothing")
    func check() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            let result = try await installation.start("outboxd", ["--check"]).result()
            #expect(result.exitCode == 0, "\(result.errors)")
            #expect(!FileManager.default.fileExists(atPath: installation.database))
        }
    }

    @Test("--check finds a missing credential, a garbage ca_file and a missing folder, all at once, and says as whom")
    func checkFindsAll() async throws {
        try await withInstallation { installation in
            try "garbage".write(to: installation.folder.appending(path: "ca.pem"), atomically: true, encoding: .utf8)
            try installation.configure(
                port: 2525,
                relay: "}, {url: \"smtp://r.example.com\", ca_file: ca.pem, user: app, password: {credential: secret}",
                database: "later/outbox.db"
            )
            let result = try await installation.start("outboxd", ["--check"]).result()
            #expect(result.exitCode == 78)
            for words in [
                "3 problems, checked as user", "ca.pem holds no certificate in PEM form", "credential secret",
                "there is no folder \(installation.folder.path)/later",
            ] { #expect(result.errors.contains(words), "\(result.errors)") }

            try FileManager.default.createDirectory(
                at: installation.folder.appending(path: "later"),
                withIntermediateDirectories: true
            )
            try installation.configure(port: 2525, database: "later/outbox.db")
            let good = try await installation.start("outboxd", ["--check"]).result()
            #expect(good.exitCode == 0 && good.output.contains("are good, checked as user"), "\(good.errors)")
        }
    }

    @Test("enqueue warns of a kind without templates, but enqueues the message")
    func unknownKind() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let known = try await installation.outboxctl("enqueue", "verify-email", "ann@example.com", input: "t")
            #expect(known.exitCode == 0 && known.errors.isEmpty, "\(known.errors)")
            let unknown = try await installation.outboxctl("enqueue", "verify-mail", "ann@example.com", input: "t")
            #expect(unknown.exitCode == 0 && unknown.output == "2\n")
            #expect(
                unknown.errors.hasPrefix("outboxctl: warning: there are no templates for verify-mail"),
                "\(unknown.errors)"
            )
        }
    }

    @Test("status, show and list answer people and programs, and exit with 1 if nothing is found")
    func answers() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            #expect(try await installation.outboxctl("migrate").output.contains("applied schema version 1"))
            let enqueued = try await installation.outboxctl(
                "enqueue",
                "verify-email",
                "ann@example.com",
                "--account",
                "a1",
                "--var",
                "name=Ann",
                "--expires-in",
                "30m",
                "--idempotency-key",
                "k",
                input: "s3cret\n"
            )
            #expect(enqueued.output == "1\n", "\(enqueued.errors)")

            let status = try await installation.outboxctl("status", "ANN@example.com", "--json")
            #expect(status.exitCode == 0)
            let answer = try #require(
                try JSONSerialization.jsonObject(with: Data(status.output.utf8)) as? [String: Any]
            )
            #expect(answer["recipient"] as? String == "ann@example.com")
            let message = try #require((answer["messages"] as? [[String: Any]])?.first)
            #expect(
                Set(message.keys) == [
                    "id", "kind", "recipient", "account", "state", "requested_at", "accepted_at", "delivered_at",
                    "redeemed_at",
                    "delayed_at", "finished_at", "expires_at", "attempts", "next_attempt_at", "waiting_for", "detail",
                    "may_arrive_twice", "advice", "advice_at", "advice_text",
                ]
            )
            #expect(message["state"] as? String == "queued" && message["advice"] as? String == "wait")
            #expect(message["accepted_at"] is NSNull)
            let requestedAt = try #require(message["requested_at"] as? String)
            #expect(requestedAt.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)

            let shown = try await installation.outboxctl("show", "1", "--json")
            let whole = try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [String: Any]
            #expect((whole?["history"] as? [Any])?.isEmpty == true)
            let listed = try await installation.outboxctl("list", "--state", "queued", "--since", "1h", "--json")
            #expect(listed.output.split(separator: "\n").count == 1)
            #expect(try await installation.outboxctl("list").output.contains("ann@example.com"))

            for arguments in [["status", "nobody@example.com"], ["show", "9"], ["list", "--state", "bounced"]] {
                let result = try await installation.start("outboxctl", arguments).result()
                #expect(result.exitCode == 1)
                #expect(result.output.hasPrefix("nothing found"))
            }
        }
    }

    @Test(
        "a wrong command line is 64, with what was expected",
        arguments: [
            (["status", "ann"], "neither a mail address nor a message's id"),
            (["list", "--state", "lost"], "the states are queued"),
            (["list", "--since", "yesterday"], "neither an age"),
            (["enqueue", "verify-email", "ann@example.com", "--expires-in", "30"], "add a unit"),
            (["enqueue", "verify-email", "ann@example.com"], "there is no token"), (["invented"], "invented"),
        ]
    )
    func usage(arguments: [String], expected: String) async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let result = try await installation.start("outboxctl", arguments).result()
            #expect(result.exitCode == 64)
            #expect(result.errors.contains(expected), "\(result.errors)")
        }
    }

    @Test("data that the database refuses gives 65 without the token; a missing database 69 with a remedy")
    func database() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            let missing = try await installation.outboxctl("list")
            #expect(missing.exitCode == 69)
            #expect(missing.errors.contains("create it with `outboxctl migrate`"))
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let refused = try await installation.outboxctl("enqueue", "Verify", "ann@example.com", input: "s3cret")
            #expect(refused.exitCode == 65)
            #expect(refused.errors.contains("kind is lower case letters digits and hyphens"))
            #expect(!refused.errors.contains("s3cret"))
        }
    }

    @Test("cancel cancels a message that waits at once, and one that is being sent unless a relay accepts it")
    func cancel() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            for name in ["ann", "ann", "eve"] {
                let address = "\(name)@example.com"
                _ = try await installation.outboxctl("enqueue", "verify-email", address, input: "t0ken-\(name)")
            }
            let claim = try await installation.python(
                """
                import sqlite3, sys
                with sqlite3.connect(sys.argv[1]) as db:
                    db.execute("UPDATE outbox_state SET state = 'sending', due_at = NULL, claimed_by = 'd', "
                               "lease_expires_at = 9e12 WHERE message_id = 2")
                """
            )
            #expect(claim.exitCode == 0, "\(claim.errors)")
            let one = try await installation.outboxctl("cancel", "3")
            #expect(one.exitCode == 0, "\(one.errors)")
            #expect(one.output == "verify-email to eve@example.com (id 3): cancelled\n")
            let all = try await installation.outboxctl("cancel", "ANN@example.com", "--json")
            let answers = try all.output.split(separator: "\n").map { line in
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            }
            #expect(answers.map { $0?["id"] as? Int } == [1, 2])
            #expect(answers.map { $0?["state"] as? String } == ["cancelled", "sending"])
            #expect(try await installation.outboxctl("cancel", "2").output.contains("unless a relay accepts it"))
            let left = try await installation.python(
                """
                import sqlite3, sys
                print(sqlite3.connect(sys.argv[1]).execute("SELECT group_concat(rtrim(token, char(10)), '') "
                      "FROM outbox_secret WHERE slot > 0").fetchone()[0])
                """
            )
            #expect(left.output == "t0ken-ann\n")
            let final = try await installation.outboxctl("cancel", "3")
            #expect(final.exitCode == 1 && final.output == "nothing to cancel: message 3 is cancelled\n")
            let none = try await installation.outboxctl("cancel", "bob@example.com")
            #expect(none.exitCode == 1 && none.output.hasPrefix("nothing found: no message to"))
            #expect(try await installation.outboxctl("cancel", "9").output.hasPrefix("nothing found: no message with"))
            #expect(try await installation.outboxctl("cancel", "bob").exitCode == 64)
            #expect(try await installation.outboxctl("cancel", "--help").output.contains("recalled"))
        }
    }

    @Test("a mail can be previewed before it is sent")
    func preview() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            let subject = try await installation.outboxctl("preview", "reset-password", "--part", "subject")
            #expect(subject.output == "Reset your password\n")
            let page = try await installation.outboxctl("preview", "reset-password", "--part", "html")
            #expect(page.output.contains("Reset Password</a>"))
        }
    }

    @Test("an outbox that another tool damaged is refused with the remedy, and the repair says what is lost")
    func repairs() async throws {
        try await withInstallation { installation in
            try installation.configure()
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let damage = """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1], isolation_level=None)
                db.execute("DROP TRIGGER outbox_inserted")
                db.execute("INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 's3cret')")
                """
            #expect(try await installation.python(damage).exitCode == 0)
            for command in ["migrate", "list"] {
                let refused = try await installation.outboxctl(command)
                #expect(refused.exitCode == 69)
                #expect(refused.errors.contains("missing: trigger outbox_inserted"), "\(refused.errors)")
                #expect(refused.errors.contains("`outboxctl migrate --repair`"))
            }
            let repaired = try await installation.outboxctl("migrate", "--repair")
            #expect(repaired.exitCode == 0 && repaired.output.contains("added the trigger outbox_inserted"))
            #expect(repaired.output.contains("without a state, which are never sent"), "\(repaired.output)")
            #expect(repaired.output.contains("1 (id 1)") && !repaired.output.contains("s3cret"))
            #expect(try await installation.outboxctl("migrate").output.contains("the outbox is up to date"))
            #expect(try await installation.outboxctl("list").exitCode == 1)
        }
    }

    @Test("outboxctl schema prints SQL that makes an outbox without a database of its own")
    func schema() async throws {
        try await withInstallation { installation in
            try installation.configure()
            let schema = try await installation.outboxctl("schema")
            #expect(schema.exitCode == 0)
            try installation.write(schema.output, to: "schema.sql")
            let make = """
                import pathlib, sqlite3, sys
                sql = (pathlib.Path(sys.argv[1]).parent / "schema.sql").read_text()
                sqlite3.connect(sys.argv[1]).executescript(f"BEGIN; {sql} COMMIT;")
                """
            let made = try await installation.python(make)
            #expect(made.exitCode == 0, "\(made.errors)")
            #expect(try await installation.outboxctl("migrate").output.contains("the outbox is up to date"))
        }
    }
}
