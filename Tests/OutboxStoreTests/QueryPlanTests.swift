// Every statement of a message's life uses an index, and none slows down with a person's history or the file's size.

import Foundation
import GRDB
import OutboxCore
import OutboxTokens
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct QueryPlanTests {
    /// With codes, so that each message has a row in `outbox_token`.
    private static let rules: DeliveryRules = {
        let keys = [try? TokenKey(base64: TokenKey.makeBase64())].compactMap(\.self)
        return DeliveryRules(tokens: TokenRules(keys: keys, codes: ["verify-email"]))
    }()

    /// The statements of a message's whole life, and of shorter lives, as SQLite runs them.
    private func statements(_ outbox: TemporaryOutbox) async throws -> Set<String> {
        let store = outbox.database
        let seen = Collected()
        try await store.queue.writeWithoutTransaction { database in
            database.trace { event in if case .statement(let statement) = event { seen.add(statement.sql) } }
        }
        var newest = try await store.supersede(newerThan: nil, now: noon, rules: Self.rules).newest
        for round in 0..<3 {
            for person in 1...4 { try outbox.insert(recipient: "p\(person)@example.com", account: "a\(person)") }
            try outbox.insert(recipient: "p@example.com", notBefore: noon)
            try outbox.insert(recipient: "p@bücher.example")
            try outbox.insert(recipient: "late@example.com", expiresAt: noon + .seconds(1))
            newest = try await store.supersede(newerThan: newest, now: noon, rules: Self.rules).newest
            _ = try await store.nextMoments(now: noon)
            let now = noon + .seconds(4000 * round)
            let claims = try await store.claim(limit: 5, now: now, rules: Self.rules).claims
            try outbox.execute("UPDATE outbox SET cancelled = 1 WHERE id = (SELECT max(id) FROM outbox)")
            let completions = claims.enumerated().map { index, claim in
                switch index {
                case 0, 3: Completion.accepted(claim, at: now)
                case 1: Completion.rejected(claim, at: now)
                default: Completion.deferred(claim, until: now + .seconds(5), at: now)
                }
            }
            _ = try await store.finish(Array(completions.prefix(4)), now: now, rules: Self.rules)
            try await store.returnUnsent(Array(claims.dropFirst(4).prefix(1)), now: now, rules: Self.rules)
            try await store.renewLeases(until: now + .seconds(60))
            _ = try await store.rescue(now: now + .seconds(90), rules: Self.rules)
            _ = try await store.expire(now: now)
        }
        try await store.queue.writeWithoutTransaction { $0.trace(options: []) }
        return seen.sql
    }

    private final class Collected: @unchecked Sendable {
        private(set) var sql: Set<String> = []
        func add(_ statement: String) { sql.insert(statement) }
    }

    @Test("every statement that runs for a message finds its rows by an index")
    func plans() async throws {
        let outbox = try TemporaryOutbox()
        let statements = try await statements(outbox).filter { sql in
            ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains { sql.hasPrefix($0) }
        }
        #expect(statements.count > 20)
        // Tables with a handful of rows at most.
        let small = ["outbox_relay", "outbox_guidance", "outbox_suppression"]
        try await outbox.database.queue.writeWithoutTransaction { database in
            for statement in statements {
                let explain = try database.makeStatement(sql: "EXPLAIN QUERY PLAN \(statement)")
                explain.setUncheckedArguments([])
                let plan = try Row.fetchAll(explain).map { $0[3] as String }
                let scans = plan.filter { line in
                    line.hasPrefix("SCAN")
                        && line.contains(/outbox|message|state|secret|token|older|newer|sent|attempt/)
                        && !small.contains { line.hasPrefix("SCAN \($0)") } && !Self.isOrderedWalk(line)
                }
                #expect(scans == [], "\(statement)")
            }
        }
    }

    /// An acceptable scan: an index of only the wanted rows orders it and a LIMIT or a minimum ends it, or its result
    /// has a few rows.
    private static func isOrderedWalk(_ line: String) -> Bool {
        [
            "USING INDEX outbox_leased", "USING INDEX outbox_expiring", "USING INDEX outbox_outside_ascii",
            "SCAN newer",
            "SCAN state",
        ].contains {
            line.contains($0)
        }
    }

    @Test("a status by account, address and id uses an index, and no step of it depends on the history's length")
    func status() async throws {
        let short = try await steps(history: 50)
        let long = try await steps(history: 5000)
        for (name, few) in short {
            let many = try #require(long[name])
            #expect(Double(many) < Double(few) * 1.5, "\(name): \(few) VM steps, then \(many)")
        }
    }

    /// The steps of SQLite's virtual machine for each action, with this many final messages of the same person.
    private func steps(history: Int) async throws -> [String: Int] {
        let outbox = try TemporaryOutbox()
        let store = outbox.database
        try outbox.execute(
            """
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < \(history))
            INSERT INTO outbox (kind, recipient, account, token)
                SELECT 'verify-email', 'ann@example.com', 'a1', 't' FROM number;
            UPDATE outbox_state SET state = 'accepted', due_at = NULL, secret = NULL, requested_at = \(noon.milliseconds) - 90000000,
                accepted_at = \(noon.milliseconds) - 90000000, finished_at = \(noon.milliseconds) - 90000000;
            INSERT INTO outbox_token (message_id, sequence, kind, person, digest, key_id, code_mac, is_replaceable,
                    replaced_at, redeemed_at)
                SELECT message_id, sequence, kind, person, randomblob(32), 'k', randomblob(32), 1, iif(sequence % 2, finished_at, NULL),
                    iif(sequence % 2, NULL, finished_at) FROM outbox_state;
            """
        )
        let newest = try await store.supersede(newerThan: nil, now: noon, rules: Self.rules).newest
        let id = try outbox.insert(account: "a1")
        var counts: [String: Int] = [:]
        func measure(_ name: String, _ body: () async throws -> Void) async throws {
            let counter = StepCounter()
            try await store.queue.writeWithoutTransaction { counter.attach(to: $0) }
            try await body()
            try await store.queue.writeWithoutTransaction { counter.detach(from: $0) }
            counts[name] = counter.steps
        }
        try await measure("supersede") {
            _ = try await store.supersede(newerThan: newest, now: noon, rules: Self.rules)
        }
        try await measure("moments") { _ = try await store.nextMoments(now: noon) }
        var claims: [Claim] = []
        try await measure("claim") {
            claims = try await store.claim(limit: 10, now: noon, rules: Self.rules).claims
        }
        #expect(claims.map(\.message.id) == [id])
        try await measure("renew") { try await store.renewLeases(until: noon + .seconds(60)) }
        try await measure("defer") {
            _ = try await store.finish([.deferred(claims[0], until: noon)], now: noon, rules: Self.rules)
        }
        try await measure("expire") { _ = try await store.expire(now: noon) }
        try await measure("rescue") { _ = try await store.rescue(now: noon, rules: Self.rules) }
        try await measure("accept") {
            claims = try await store.claim(limit: 10, now: noon, rules: Self.rules).claims
            _ = try await store.finish([.accepted(claims[0], at: noon)], now: noon, rules: Self.rules)
        }
        try await measure("redeem") {
            let update =
                "UPDATE outbox_token SET presented_at = \(noon.milliseconds), presented = x'' WHERE message_id = \(id)"
            let find = """
                SELECT message_id, envelope_id, key_id FROM outbox_token_status WHERE person = 'account:a1'
                    AND kind = 'verify-email' AND code_mac IS NOT NULL ORDER BY sequence DESC LIMIT 5
                """
            let person = """
                SELECT state.person FROM outbox AS message JOIN outbox_state AS state ON state.message_id = message.id
                WHERE message.recipient = 'ANN@example.com' COLLATE NOCASE AND message.kind = 'verify-email'
                ORDER BY message.id DESC LIMIT 1
                """
            try await store.queue.writeWithoutTransaction { database in
                for sql in [person, find] { #expect(try !Row.fetchAll(database, sql: sql).isEmpty) }
                try database.execute(sql: update)
            }
        }
        try await measure("status by id") { _ = try await store.status(id: id) }
        try await measure("status by account") {
            let query = "SELECT * FROM outbox_status WHERE account = 'a1' AND id = \(id)"
            _ = try store.queue.inDatabase { try Row.fetchOne($0, sql: query) }
        }
        try await measure("insert") {
            _ = try await store.enqueue(
                NewMessage(kind: "verify-email", recipient: "ann@example.com", token: Token("t"), account: "a1")
            )
        }
        return counts
    }
}
