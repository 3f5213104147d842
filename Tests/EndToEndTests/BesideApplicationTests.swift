// outboxd in the file of an application that commits to its own tables all the time.

import TestSupport
import Testing

@Suite(.timeLimit(.minutes(5)))
struct BesideApplicationTests {
    /// Commits 400 times, some 200 times a second, and with a further argument inserts a message after each
    /// hundredth commit.
    private static let application = """
        import sqlite3, sys, time
        db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
        db.execute("CREATE TABLE IF NOT EXISTS visit (at INTEGER)")
        insert = "INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 's3cret') RETURNING id"
        for number in range(400):
            db.execute("INSERT INTO visit VALUES (1)")
            if number % 100 == 99 and len(sys.argv) > 2:
                db.execute(insert, (f"person{number}@example.com",)).fetchone()
            time.sleep(0.005)
        """

    @Test("commits to an application's own tables hardly wake an idle outboxd, and a mail between them leaves")
    func idle() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay()
            defer { relay.terminate() }
            try installation.configure(port: try #require(Int(try await installation.contents(of: "port"))))
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            let daemon = try installation.start("outboxd")
            defer { daemon.terminate() }
            try await installation.waitUntil("SELECT count(*) FROM outbox_relay")
            #expect(try await installation.python(Self.application).exitCode == 0)
            let before = try daemon.contextSwitches()
            #expect(try await installation.python(Self.application).exitCode == 0)
            let switches = Double(try daemon.contextSwitches() - before) / 400
            // 34 when each commit woke the dispatcher; 2 to 4 since.
            #expect(switches < 10, "\(switches) context switches a commit")
            let sent = try await installation.python(Self.application, "with messages")
            #expect(sent.exitCode == 0, "\(sent.errors)")
            #expect(try await installation.waitUntilNoneIsOpen().exitCode == 0)
            try await installation.waitUntil("SELECT count(*) = 4 FROM outbox_status WHERE state = 'accepted'")
        }
    }
}
