// What becomes of the messages that wait because their database was restored.

import Foundation
import GRDB
import OutboxCore
import OutboxTokens
import Synchronization
import TestSupport
import Testing

@testable import OutboxStore

@Suite("A decision about a restored file") struct RestoredDecisionTests {
    private let world: RestoringWorld

    init() throws { world = try RestoringWorld() }

    @Test("--send: due now, not before not_before, or expired")
    func send() async throws {
        let before = try await world.start()
        let soon = world.now + .seconds(600)
        let (plain, later) = (try world.insert("ann"), try world.insert("ben", notBefore: soon))
        let (short, long) = (
            try world.insert("cat", expiresAt: world.now + .seconds(60)), try world.insert("dan", expiresAt: soon)
        )
        try world.copy("app.db", to: "backup.db")
        try await before.send()
        try world.restore("backup.db")
        let daemon = try await world.start()
        #expect(daemon.beginning.held?.count == 4)
        world.pass(.seconds(60))
        let accepted = try await daemon.store.sendRestored(now: world.now)
        #expect(accepted.due == [plain, later, long] && accepted.expired == [short] && accepted.cancelled == [])
        #expect(try await daemon.store.restoredMessages() == nil)
        #expect(try await daemon.store.sendRestored(now: world.now) == AcceptedRestored())
        #expect(try await daemon.send() == [plain, long])
        world.pass(.seconds(600))
        #expect(try await daemon.send() == [later])
    }

    @Test("--cancel, an application's cancelling and deleting, and a newer message end what is held, with its token")
    func endings() async throws {
        let before = try await world.start()
        let names = ["ann", "ben", "cat", "dan", "eve"]
        let ids = try names.map { try world.insert($0) }
        try world.copy("app.db", to: "backup.db")
        try await before.send()
        try world.restore("backup.db")
        let daemon = try await world.start(rules: .superseding)
        #expect(daemon.beginning.held?.count == 5)
        try world.execute("UPDATE outbox SET cancelled = 1 WHERE id = \(ids[0])")
        try world.execute("DELETE FROM outbox WHERE id = \(ids[1])")
        let known = try await daemon.store.supersede(newerThan: nil, now: world.now, rules: .superseding).newest
        world.pass(.seconds(1))
        let newer = try world.insert("cat")
        let found = try await daemon.store.supersede(newerThan: known, now: world.now, rules: .superseding)
        #expect(found.superseded == [ids[2]])
        #expect(try await daemon.store.cancel(id: ids[3]))
        #expect(try await daemon.store.cancelRestored(now: world.now).cancelled == [ids[4]])
        let states = try await daemon.store.list(StatusFilter()).map { "\($0.id) \($0.state)" }
        #expect(
            states == [
                "\(newer) queued", "\(ids[4]) cancelled", "\(ids[3]) cancelled", "\(ids[2]) superseded",
                "\(ids[0]) cancelled",
            ]
        )
        let secrets = "SELECT count(*) FROM outbox_secret WHERE slot > 0 AND rtrim(token, char(10)) <> ''"
        #expect(try world.value(Int.self, secrets) == 1)
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_state WHERE restored_at IS NOT NULL") == 0)
        #expect(try await daemon.send() == [newer])
    }

    @Test("thousands of messages are held and accepted, and a row that is lost does not stop that")
    func many() async throws {
        let before = try await world.start()
        let count = 2500
        try world.execute(
            """
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < \(count))
            INSERT INTO outbox (kind, recipient, token) SELECT 'verify-email', 'p' || n || '@example.com', 's3cret' FROM number;
            UPDATE outbox_state SET requested_at = \(world.now.milliseconds)
            """
        )
        try world.copy("app.db", to: "backup.db")
        try await before.work(1)
        try world.restore("backup.db")
        let daemon = try await world.start()
        #expect(daemon.beginning.held?.count == count)
        try world.execute("DROP TRIGGER outbox_deleted; DELETE FROM outbox WHERE id % 1000 = 7")
        #expect(try await daemon.store.cancelRestored(now: world.now).cancelled.count == count)
        #expect(try await daemon.store.restoredMessages() == nil)
    }

    @Test("a trigger of the application that refuses one row leaves the others held")
    func refusedRow() async throws {
        let before = try await world.start()
        let (stuck, other) = (try world.insert("ann"), try world.insert("ben"))
        try world.execute(
            """
            CREATE TRIGGER mine BEFORE UPDATE OF restored_at ON outbox_state WHEN NEW.message_id = \(stuck) BEGIN
                SELECT RAISE(ABORT, 'not this one');
            END
            """
        )
        try world.copy("app.db", to: "backup.db")
        try await before.send()
        try world.restore("backup.db")
        let daemon = try await world.start()
        #expect(daemon.beginning.refused == [RowRefusal(messageID: stuck, rule: "not this one")])
        #expect(daemon.beginning.held?.count == 1)
        #expect(try await daemon.store.status(id: other)?.waitingFor == "restored-file")
    }

    @Test(
        "a row that a rule of the application refuses stays held, and the others are accepted",
        arguments: [true, false]
    )
    func refusedDecision(_ sends: Bool) async throws {
        let before = try await world.start()
        let ids = try ["ann", "ben", "cat"].map { try world.insert($0) }
        try world.copy("app.db", to: "backup.db")
        try await before.send()
        try world.restore("backup.db")
        let daemon = try await world.start()
        for (id, answer) in [(ids[0], "ABORT, 'not this one'"), (ids[1], "IGNORE")] {
            try world.execute(
                """
                CREATE TRIGGER mine\(id) BEFORE UPDATE OF restored_at ON outbox_state
                WHEN NEW.message_id = \(id) BEGIN SELECT RAISE(\(answer)); END
                """
            )
        }
        let store = daemon.store
        let accepted = try await sends ? store.sendRestored(now: world.now) : store.cancelRestored(now: world.now)
        #expect((sends ? accepted.due : accepted.cancelled) == [ids[2]])
        #expect(accepted.refused.map(\.messageID) == [ids[0], ids[1]])
        #expect(accepted.refused.first?.rule == "not this one")
        #expect(try await store.restoredMessages()?.count == 2)
    }

    @Test("a token that was mailed since the backup works again after --send, because it is the same")
    func mintedToken() async throws {
        let key = try TokenKey(base64: Data(repeating: 7, count: 32).base64EncodedString())
        var rules = DeliveryRules.lax
        rules.tokens = TokenRules(keys: [key], kinds: ["verify-email"])
        let before = try await world.start(rules: rules)
        try world.execute("INSERT INTO outbox (kind, recipient) VALUES ('verify-email', 'ann@example.com')")
        try world.execute("UPDATE outbox_state SET requested_at = \(world.now.milliseconds), due_at = requested_at")
        try world.copy("app.db", to: "backup.db")
        let claim = try await before.store.claim(now: world.now, rules: rules).claims.first
        let mailed = try #require(claim?.message.token)
        try world.restore("backup.db")
        let daemon = try await world.start(rules: rules)
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_token") == 0)
        _ = try await daemon.store.sendRestored(now: world.now)
        let claims = try await daemon.store.claim(now: world.now, rules: rules).claims
        #expect(claims.map(\.message.token) == [mailed])
        #expect(try world.value(Int.self, "SELECT count(*) FROM outbox_token WHERE digest IS NOT NULL") == 1)
    }
}
