// The commands for operators, with the built programs: relays, reload, suppression, bounce, promise.

import Foundation
import TestSupport
import Testing

@Suite("Around the promise", .timeLimit(.minutes(10)))
struct PromiseTests {
    @Test("a wrong password costs a thousand messages nothing, is told once, and is mended by SIGHUP")
    func wrongPassword() async throws {
        try await withInstallation { installation in
            try installation.write("CANARY-right", to: "right")
            try installation.write("CANARY-wrong", to: "password")
            let relay = try installation.startRelay("--user", "app", "--password-file", "right", "--require-auth")
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, relay: ", user: app, password: {file: password}")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let insert = try await installation.python(
                """
                import sqlite3, sys
                with sqlite3.connect(sys.argv[1]) as db:
                    db.executemany("INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 't')",
                                   [(f"person{n}@example.com",) for n in range(1000)])
                """
            )
            #expect(insert.exitCode == 0, "\(insert.errors)")
            let daemon = try installation.start("outboxd")
            // By then the first lanes have failed, and some probes after them.
            try await installation.waitUntil(
                "SELECT count(*) > 2 FROM outbox_relay, outbox_attempt WHERE started_at >= down_since + 1000"
            )
            let messages = try await installation.python(
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1])
                print(db.execute("SELECT count(*), sum(finished_at IS NULL), max(attempts * (state <> 'sending')), "
                                 "count(DISTINCT advice), max(advice) FROM outbox_status").fetchone())
                """
            )
            #expect(messages.output == "(1000, 1000, 0, 1, 'delivery-delayed')\n")

            let relays = try await installation.outboxctl("relays")
            #expect(relays.exitCode == 0)
            #expect(relays.output.contains("authentication-refused (auth), fault of the configuration"))
            #expect(relays.output.contains("relays[0] (file \(installation.folder.path)/password): user and password"))
            let json = try await installation.outboxctl("relays", "--json")
            let answer = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
            #expect(
                answer?["reason"] as? String == "authentication-refused"
                    && answer?["fault"] as? String == "configuration"
            )

            let isError = { (line: Substring) in line.contains(" error: ") }
            let errors = try daemon.errorsSoFar().split(separator: "\n").filter(isError)
            #expect(errors.count == 1)
            #expect(errors.first?.contains("relay is paused: mend the configuration") == true)
            #expect(errors.first?.contains("relays[0] (file") == true)

            try installation.write("CANARY-right", to: "password")
            daemon.hangUp()
            let states = try await installation.waitUntilNoneIsOpen()
            #expect(states.output.split(separator: "\n").allSatisfy { $0.hasSuffix(" accepted 1") }, "\(states.errors)")
            #expect(try await installation.outboxctl("relays").output.contains(": up"))

            daemon.terminate()
            let ended = try await daemon.result()
            #expect(ended.exitCode == 0)
            #expect(ended.errors.split(separator: "\n").count(where: isError) == 1)
            #expect(!ended.errors.contains("CANARY"))
            relay.terminate()
            #expect(try await relay.result().output.contains("1000"))
        }
    }

    @Test("a reload that can't read the password says so and keeps the old one")
    func failedReload() async throws {
        try await withInstallation { installation in
            try installation.write("CANARY-right", to: "right")
            try installation.write("CANARY-right", to: "password")
            let relay = try installation.startRelay("--user", "app", "--password-file", "right", "--require-auth")
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, relay: ", user: app, password: {file: password}")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            _ = try await installation.outboxctl("enqueue", "verify-email", "ann@example.com", input: "t")
            _ = try await installation.waitUntilNoneIsOpen()
            try FileManager.default.removeItem(at: installation.folder.appending(path: "password"))
            daemon.hangUp()
            _ = try await installation.outboxctl("enqueue", "verify-email", "ben@example.com", input: "t")
            #expect(try await installation.waitUntilNoneIsOpen().output == "1 accepted 1\n2 accepted 1\n")
            daemon.terminate()
            let ended = try await daemon.result()
            #expect(ended.exitCode == 0)
            #expect(
                ended.errors.contains("reload refused; the old configuration, templates and passwords stay")
            )
            #expect(ended.errors.contains("there is no such file"))
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a mail that is reported as undeliverable bounces, and its address gets no further mail")
    func bounce() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--ledger", "ledger.jsonl")
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, sender: ", envelope_from: \"bounces+{id}@mail.example.com\"")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            _ = try await installation.outboxctl("enqueue", "verify-email", "ann@example.org", input: "t")
            _ = try await installation.waitUntilNoneIsOpen()
            let id = try await installation.python(
                """
                import sqlite3, sys
                print(sqlite3.connect(sys.argv[1]).execute("SELECT envelope_id FROM outbox_state").fetchone()[0])
                """
            ).output.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(try await installation.contents(of: "ledger.jsonl").contains("bounces+\(id)@mail.example.com"))

            let report = try Self.report.replacing("a0000000000000000000000000000002", with: id)
            let forged = try await installation.outboxctl("bounce", input: try Self.report)
            #expect(forged.exitCode == 1 && forged.errors.contains("no mail of ours has an id that it names"))
            let other = try await installation.outboxctl("bounce", input: "Subject: A question\n\nHow are you?")
            #expect(other.exitCode == 65 && other.errors.contains("a person seems to have sent it"))
            let strange = try await installation.outboxctl("bounce", input: "Subject: Out of office\n\nAway.")
            #expect(strange.exitCode == 0 && strange.output.contains("belongs to no message"))
            #expect(try await installation.outboxctl("list", "--state", "accepted").exitCode == 0)

            let taken = try await installation.outboxctl("bounce", input: report)
            #expect(taken.exitCode == 0, "\(taken.errors)")
            let words = "message 1: reported as failed (unknown-recipient), bounced, its address is not mailed until "
            #expect(taken.output.hasPrefix(words))
            // Found only by the address: that of the report's own header, or the one from the mail system.
            let bare = report.split(separator: "\n", omittingEmptySubsequences: false)
                .filter { !$0.hasPrefix("Message-ID:") }.joined(separator: "\n")
            let again = try await installation.outboxctl("bounce", "--json", input: bare)
            #expect(again.exitCode == 0 && again.output.contains("\"has_bounced\":false"))
            let unaddressed = bare.replacing(id, with: "none")
            #expect(try await installation.outboxctl("bounce", input: unaddressed).exitCode == 1)
            let to = "BOUNCES+\(id)@mail.example.com"
            #expect(try await installation.outboxctl("bounce", "--to", to, input: unaddressed).exitCode == 0)
            let shown = try await installation.outboxctl("show", "1")
            #expect(shown.output.contains("reported by mail.example.com: failed 5.1.1 (unknown-recipient)"))
            #expect(shown.output.contains("advice: fix-address"))
            #expect(shown.output.contains("suppressed: ann@example.org is not mailed until "))
            #expect(shown.output.contains("reported by message 1 on "))
            #expect(shown.output.contains("outboxctl suppression remove 'ann@example.org'"))

            let list = try await installation.outboxctl("suppression", "list")
            #expect(list.exitCode == 0 && list.output.contains("ann@example.org") && list.output.contains("reported"))
            _ = try await installation.outboxctl("enqueue", "reset-password", "ann@EXAMPLE.org", input: "t")
            let states = try await installation.waitUntilNoneIsOpen()
            #expect(states.output == "1 bounced 1\n2 suppressed 0\n")
            // The suppression was wrong.
            #expect(try await installation.outboxctl("suppression", "remove", "ann@example.org").exitCode == 0)
            for (message, state) in [("1", "bounced"), ("2", "suppressed")] {
                let forgiven = try await installation.outboxctl("show", message)
                #expect(forgiven.output.contains("): \(state)\n") && forgiven.output.contains("advice: request-new"))
                #expect(!forgiven.output.contains("suppressed: "))
            }
            daemon.terminate()
            #expect(try await daemon.result().exitCode == 0)
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("other returned mails become notes, and no exit code makes a mail system report an error")
    func notes() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay("--ledger", "ledger.jsonl")
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port, sender: ", envelope_from: \"bounces+{id}@mail.example.com\"")
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            let names = [
                "12-delayed-rate-base64", "13-utf8-delivered", "17-arf-complaint", "18-vacation-reply", "text",
            ]
            for number in 1...names.count {
                let address = "ann\(number)@example.org"
                _ = try await installation.outboxctl("enqueue", "verify-email", address, input: "t")
            }
            _ = try await installation.waitUntilNoneIsOpen()
            let ids = try await installation.python(
                """
                import sqlite3, sys
                for row in sqlite3.connect(sys.argv[1]).execute("SELECT envelope_id FROM outbox_state ORDER BY message_id"):
                    print(row[0])
                """
            ).output.split(separator: "\n").map(String.init)
            try #require(ids.count == names.count)
            let text = """
                Return-Path: <>
                From: MAILER-DAEMON@example.org
                To: bounces+ENVELOPEID@mail.example.com
                Subject: Your mail

                This is what came in.
                """
            let expected = [
                ("delayed (rate-limited)", "delivery-delayed"), ("delivered", "check-junk"), ("complained", "wait"),
                ("answered", "wait"), ("returned", "contact-support"),
            ]
            for (index, name) in names.enumerated() {
                let mail = name == "text" ? text : try Self.sample(name)
                let taken = try await installation.outboxctl(
                    "bounce",
                    input: mail.replacing("ENVELOPEID", with: ids[index])
                )
                #expect(taken.exitCode == 0, "\(name): \(taken.errors)")
                let (action, advice) = expected[index]
                #expect(taken.output == "message \(index + 1): reported as \(action), stays accepted\n")
                let shown = try await installation.outboxctl("show", "\(index + 1)")
                #expect(shown.output.contains(": \(action.prefix { $0.isLetter })"))
                #expect(shown.output.contains("advice: \(advice) "))
            }
            #expect(try await installation.outboxctl("suppression", "list").exitCode == 1)
            daemon.terminate()
            #expect(try await daemon.result().exitCode == 0)
            relay.terminate()
            _ = try await relay.result()
        }
    }

    @Test("a report that knows only the relay's id of the mail finds it")
    func relayID() async throws {
        try await withInstallation { installation in
            let id = "0101019b30e2a0c8-91be07d4-0077-46a8-8c13-e02d5fa17b77-000000"
            let relay = try installation.startRelay()
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            _ = try await installation.outboxctl("enqueue", "verify-email", "ann@example.org", input: "t")
            _ = try await installation.waitUntilNoneIsOpen()
            // Recorded as from the reply "250 Ok 0101…".
            _ = try await installation.python(
                """
                import sqlite3, sys
                database = sqlite3.connect(sys.argv[1])
                database.execute("UPDATE outbox_attempt SET queue_id = ?", [sys.argv[2]])
                database.commit()
                """,
                id
            )
            let report = try Self.sample("02-ses-quota-5.0.0").replacing("0101019b30e2a0c8-91be-000000", with: id)
            let taken = try await installation.outboxctl("bounce", input: report)
            #expect(taken.output == "message 1: reported as failed (mailbox-full), bounced\n", "\(taken.errors)")
            daemon.terminate()
            #expect(try await daemon.result().exitCode == 0)
            relay.terminate()
            _ = try await relay.result()
        }
    }

    /// A mail with the structure of a real one.
    private static func sample(_ name: String) throws -> String {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = tests.appending(path: "DeliveryReportsTests/Resources/cases/\(name).eml")
        return try String(contentsOf: file, encoding: .utf8)
    }

    /// A real report: Postfix on an unknown recipient.
    private static var report: String {
        get throws {
            let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            let file = tests.appending(path: "DeliveryReportsTests/Resources/postfix-unknown-remote.eml")
            return try String(contentsOf: file, encoding: .utf8)
        }
    }

    @Test("if the database can't be used, a mail system is told to try again")
    func temporaryFailure() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            let result = try await installation.outboxctl("bounce", input: try Self.report)
            #expect(result.exitCode == 75)
        }
    }

    @Test("a mail of 200 MB at the pipe is refused without being kept in memory, and the mail system may finish")
    func hugeReport() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            let outboxctl = try Program.buildFolder.appending(path: "outboxctl").path
            let result = try await installation.python(
                """
                import os, resource, subprocess, sys
                environment = dict(os.environ, OUTBOXD_CONFIG=sys.argv[3])
                child = subprocess.Popen([sys.argv[2], "bounce"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                         env=environment)
                for _ in range(200):
                    child.stdin.write(b"x" * (1 << 20))
                child.stdin.close()
                print(child.stderr.read().decode().strip())
                print(child.wait(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 100_000)
                """,
                outboxctl,
                installation.folder.appending(path: "outboxd.yaml").path
            )
            #expect(result.output.contains("longer than 1048576 octets"), "\(result.errors)")
            #expect(result.output.hasSuffix("65 True\n"))
        }
    }

    @Test("the suppression list is kept by hand as well")
    func suppression() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            #expect(try await installation.outboxctl("suppression", "list").exitCode == 1)
            let added = try await installation.outboxctl(
                "suppression",
                "add",
                "Ann@BÜCHER.example",
                "--for",
                "2d",
                "--reason",
                "asked for it"
            )
            #expect(added.output.hasPrefix("ann@xn--bcher-kva.example is not mailed until "), "\(added.errors)")
            let list = try await installation.outboxctl("suppression", "list", "Ann@bücher.example", "--json")
            #expect(list.output.contains("\"source\":\"manual\"") && list.output.contains("asked for it"))
            #expect(try await installation.outboxctl("suppression", "list", "anna@bücher.example").exitCode == 1)
            #expect(try await installation.outboxctl("suppression", "add", "nonsense").exitCode == 64)
            #expect(
                try await installation.outboxctl("suppression", "remove", "Ann@xn--BCHER-kva.example").exitCode == 0
            )
            #expect(try await installation.outboxctl("suppression", "remove", "Ann@bücher.example").exitCode == 1)
        }
    }

    @Test("the promise is measured, and late mails are listed with who is at fault")
    func promise() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            #expect(try await installation.outboxctl("promise").exitCode == 1)
            let insert = try await installation.python(Self.history)
            #expect(insert.exitCode == 0, "\(insert.errors)")

            let text = try await installation.outboxctl("promise", "--since", "24h")
            #expect(text.exitCode == 0, "\(text.errors)")
            let lines = text.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
            for line in [
                "accepted within 5m 96 (96.0 % of those that are due)", "accepted later 2",
                "expired before acceptance 1",
                "still waiting, late 1", "still waiting, in time 1", "rejected 1", "superseded 1",
                "time to acceptance p50 48s, p95 1m33s, p99 16m40s, max 16m40s",
            ] { #expect(lines.contains(line), "\(text.output)") }

            let json = try await installation.outboxctl("promise", "--json")
            let answer = try #require(
                try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
            )
            #expect(answer["kept"] as? Double == 0.96 && answer["p99"] as? Int == 1_000_000)
            #expect(answer["requested"] as? Int == 103 && answer["patience"] as? Int == 300_000)
            let late = try #require(answer["late"] as? [[String: Any]])
            #expect(
                late.map { "\($0["state"] ?? "") \($0["fault"] ?? "") \($0["reason"] ?? "")" } == [
                    "queued outboxd not tried: outboxd did not run, or no relay was up", "expired recipient greylisted",
                    "accepted resend-limit requested more often than `limits` allow", "accepted relay no-connection",
                ]
            )
            let recent = try await installation.outboxctl("promise", "--since", "1m")
            #expect(recent.output.hasPrefix("1 mail requested"))
        }
    }

    @Test("the promise counts mails that retention removed by day, and says so")
    func promiseOfRemovedMails() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let insert = try await installation.python(Self.removedHistory)
            #expect(insert.exitCode == 0, "\(insert.errors)")
            let text = try await installation.outboxctl("promise", "--since", "90d")
            #expect(text.exitCode == 0, "\(text.errors)")
            let lines = text.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
            for line in [
                "accepted within 5m 991 (99.1 % of those that are due)", "accepted later 6",
                "expired before acceptance 3", "superseded 40",
                "time to acceptance p50 2s47ms, p95 2s47ms, p99 5s100ms, max 6m42s",
                "of these by day only 1039, 9 of them late",
            ] { #expect(lines.contains(line), "\(line) in \(text.output)") }
            let json = try await installation.outboxctl("promise", "--since", "90d", "--json")
            let answer = try #require(
                try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
            )
            #expect(answer["requested"] as? Int == 1040 && answer["summarized"] as? Int == 1039)
            #expect(answer["max"] as? Int == 402_000 && (answer["late"] as? [Any])?.isEmpty == true)
            let recent = try await installation.outboxctl("promise", "--since", "10d", "--json")
            #expect(recent.output.contains("\"requested\":1,") && recent.output.contains("\"summarized\":0"))
        }
    }

    /// Days 60 and 50 days ago of which only the statistics remain, and one current mail.
    private static let removedHistory = """
        import sqlite3, sys, time
        now = int(time.time() * 1000)
        day = now - now % 86400000
        db = sqlite3.connect(sys.argv[1])
        columns = ("day, kind, requested, accepted_in_time, accepted_late, expired, rejected, superseded, suppressed, "
                   "cancelled, longest_delay")
        for row in ((day - 60 * 86400000, "verify-email", 1000, 960, 6, 3, 0, 31, 0, 0, 402000),
                    (day - 50 * 86400000, "reset-password", 39, 30, 0, 0, 0, 9, 0, 0, 5100)):
            db.execute(f"INSERT INTO outbox_day ({columns}) VALUES ({', '.join('?' * 11)})", row)
        for row in ((day - 60 * 86400000, "verify-email", 2047, 960), (day - 60 * 86400000, "verify-email", 409599, 6),
                    (day - 50 * 86400000, "reset-password", 5119, 30)):
            db.execute("INSERT INTO outbox_day_delay (day, kind, delay, mails) VALUES (?, ?, ?, ?)", row)
        db.execute("INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', 'ann@example.com', 't')")
        db.execute("UPDATE outbox_state SET state = 'accepted', due_at = NULL, secret = NULL, finished_at = ?1, "
                   "accepted_at = ?1", (now + 1,))
        db.commit()
        """

    /// 96 mails accepted within 96 s, two late ones, and some that were never accepted.
    private static let history = """
        import sqlite3, sys, time
        now = int(time.time() * 1000)
        db = sqlite3.connect(sys.argv[1])
        number = 0
        def add(state, age, accepted=None, held=None, attempt=None):
            global number
            number += 1
            requested = now - age * 1000
            final = state not in ("queued", "deferred")
            done = requested + accepted * 1000 if accepted is not None else requested + 1000
            db.execute("INSERT INTO outbox (id, kind, recipient, token) VALUES (?, 'verify-email', ?, 't')",
                       (number, f"p{number}@example.com"))
            db.execute(
                "UPDATE outbox_state SET state = ?, requested_at = ?, due_at = ?, accepted_at = ?, finished_at = ?, "
                "held_until = ?, last_attempt = ?, attempts = ?, secret = iif(? IS NULL, secret, NULL) "
                "WHERE message_id = ?",
                (state, requested, None if final else requested, done if state == "accepted" else None,
                 done if final else None, requested + held * 1000 if held else None, int(attempt is not None),
                 int(attempt is not None), done if final else None, number))
            id = number
            if attempt:
                db.execute("INSERT INTO outbox_attempt (message_id, attempt, started_at, finished_at, outcome, fault, reason) "
                           "VALUES (?, 1, ?, ?, 'deferred', ?, ?)", (id, requested, requested, *attempt))
        for seconds in range(96):
            add("accepted", 20000, seconds)
        add("accepted", 19000, 400, attempt=("relay", "no-connection"))
        add("accepted", 19000, 1000, held=950)
        add("expired", 18000, attempt=("recipient", "greylisted"))
        add("queued", 17000)
        add("rejected", 16000)
        add("superseded", 16000)
        add("queued", 10)
        db.commit()
        """

    @Test("the advice is there in Japanese, too")
    func japanese() async throws {
        try await withInstallation { installation in
            try installation.configure(port: 2525)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            _ = try await installation.outboxctl("enqueue", "verify-email", "yuki@example.com", input: "t")
            let text = try await installation.outboxctl("status", "yuki@example.com", "--language", "ja")
            #expect(text.output.contains("しばらくお待ちください。"))
            let json = try await installation.outboxctl("status", "yuki@example.com", "--json")
            #expect(json.output.contains("しばらくお待ちください。") && json.output.contains("please wait."))
            #expect(try await installation.outboxctl("status", "yuki@example.com", "--language", "fr").exitCode == 64)
        }
    }
}
