// One person has one address in any spelling: superseding, limits, status, advice and suppression.

import Foundation
import GRDB
import InternetMessage
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct AddressSpellingTests {
    private let outbox: TemporaryOutbox
    private var store: OutboxDatabase { outbox.database }

    init() throws { outbox = try TemporaryOutbox() }

    static let spellings = [
        "ann@bücher.example", "Ann@xn--bcher-kva.example", "ann@BÜCHER.example", "ANN@bu\u{308}cher.Example",
        "ann@bücher\u{3002}example",
    ]

    /// Rows from a foreign program, and the view, use the machine's clock.
    private static var now: Timestamp { Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000)) }

    private func look(after sequence: Int64?) async throws -> Supersession {
        try await store.supersede(newerThan: sequence, now: noon, rules: .superseding)
    }

    @Test("only the newest message to an address is mailed, whatever the spellings", arguments: [true, false])
    func superseding(looksFirst: Bool) async throws {
        let start = try await look(after: nil)
        let ids = try Self.spellings.map { try outbox.insert(recipient: $0) }
        if looksFirst {
            #expect(Set(try await look(after: start.newest).superseded) == Set(ids.dropLast()))
        }
        let batch = try await store.claim(rules: .superseding)
        #expect(batch.claims.map(\.message.id) == ids.suffix(1))
        #expect(batch.claims.first?.message.recipient == Self.spellings.last)
        #expect(try ids.map { try outbox.state($0) } == ids.dropLast().map { _ in "superseded" } + ["sending"])
        let persons = try outbox.value(Int.self, "SELECT count(DISTINCT person) FROM outbox_state")
        #expect(persons == 1)
    }

    @Test("a different composition of letters doesn't make a second person")
    func composition() async throws {
        let ids = try ["jose\u{301}@example.com", "jos\u{E9}@example.com", "JOSE\u{301}@example.com"].map {
            try outbox.insert(recipient: $0)
        }
        let batch = try await store.claim(rules: .superseding)
        #expect(batch.claims.map(\.message.id) == [ids[2]] && batch.superseded == [ids[0], ids[1]])
        #expect(try await store.status(recipient: "jos\u{E9}@example.com").map(\.id) == ids.reversed())
        #expect(try await store.status(recipient: "jose\u{301}@example.com").map(\.id) == ids.reversed())
    }

    @Test("messages inserted while no outboxd ran get the right person at its start, due or not")
    func atStart() async throws {
        let waiting = try outbox.insert(recipient: "ann@bücher.example", notBefore: noon + .seconds(600))
        let mapped = try outbox.insert(recipient: "jos\u{E9}@example.com", account: "a1")
        _ = try await look(after: nil)
        let addresses = try outbox.value(
            String.self,
            "SELECT group_concat(person || ' ' || address, ', ') FROM (SELECT * FROM outbox_state ORDER BY sequence)"
        )
        #expect(
            addresses == "address:ann@xn--bcher-kva.example ann@xn--bcher-kva.example, account:a1 jos\u{E9}@example.com"
        )
        let newer = try outbox.insert(recipient: "ann@xn--bcher-kva.example")
        #expect(try await look(after: mapped).superseded == [waiting])
        // The domain is known from now on, so the insert itself finds the person.
        let last = try outbox.insert(recipient: "ann@BÜCHER.example")
        let lowercased = try outbox.insert(recipient: "ann@bücher.example")
        let persons = try outbox.value(
            Int.self,
            "SELECT count(DISTINCT person) FROM outbox_state WHERE message_id IN (\(newer), \(lowercased))"
        )
        #expect(persons == 1)
        #expect(try await store.claim(rules: .superseding).claims.map(\.message.id).contains(last) == false)
    }

    @Test("a row whose address an application's trigger protects doesn't stop other rows")
    func refusedCorrection() async throws {
        try outbox.execute(
            """
            CREATE TRIGGER mine BEFORE UPDATE OF address ON outbox_state WHEN OLD.kind = 'reset-password'
            BEGIN SELECT RAISE(ABORT, 'no'); END
            """
        )
        let start = try await look(after: nil)
        let stubborn = try outbox.insert(kind: "reset-password", recipient: "ann@bücher.example")
        let other = try outbox.insert(recipient: "ben@bücher.example")
        _ = try await look(after: start.newest)
        let batch = try await store.claim(rules: .superseding)
        #expect(batch.claims.map(\.message.id) == [other])
        #expect(batch.refused.map(\.messageID) == [stubborn] && batch.refused.map(\.rule) == ["no"])
        #expect(try outbox.state(stubborn) == "queued")
    }

    @Test("the limits on resends count every spelling of an address")
    func limits() async throws {
        let rules = DeliveryRules(limits: ResendLimits(minimumInterval: .seconds(60), perHour: 6))
        for (index, spelling) in Self.spellings.prefix(2).enumerated() {
            let now = noon + .seconds(index)
            let id = try outbox.insert(recipient: spelling, requestedAt: now)
            let batch = try await store.claim(now: now, rules: rules)
            #expect(batch.claims.map(\.message.id) == (index == 0 ? [id] : []))
            #expect(batch.held == (index == 0 ? [] : [id]))
            _ = try await store.finish(batch.claims.map { .accepted($0, at: now) }, now: now)
        }
    }

    @Test("status, cancelling and the suppression list find every spelling, with the same advice for all")
    func lookUps() async throws {
        let ids = try Self.spellings.map { try outbox.insert(recipient: $0) }
        let stranger = try outbox.insert(recipient: "ann@bucher.example")
        // outboxd does this as soon as it sees the rows.
        _ = try await look(after: nil)
        for spelling in Self.spellings {
            let found = try await store.status(recipient: spelling)
            #expect(found.map(\.id) == ids.reversed())
            #expect(Set(found.map(\.advice)) == ["wait"])
        }
        try await store.suppress(
            Suppression(
                address: AddressKey(Self.spellings[3]).canonical,
                reason: StoredCode(rawValue: "test"),
                source: .manual,
                messageID: nil,
                createdAt: noon,
                expiresAt: noon + .seconds(60)
            )
        )
        for spelling in Self.spellings {
            #expect(try await store.suppressions(at: noon, address: AddressKey(spelling)).count == 1)
        }
        #expect(try await store.liftSuppression(of: AddressKey(Self.spellings[4])))
        #expect(try await store.cancel(recipient: Self.spellings[2]) == ids)
        #expect(try outbox.state(stranger) == "queued")
    }

    @Test("an account's status tells a queued message apart from one whose link has run out, in either case of letters")
    func advice() async throws {
        let now = Self.now
        try outbox.insert(
            recipient: "Ann@example.com",
            requestedAt: now - .seconds(7200),
            expiresAt: now - .seconds(3600)
        )
        _ = try await store.expire(now: now)
        try outbox.insert(recipient: "ann@example.com", requestedAt: now)
        #expect(try await store.status(recipient: "ANN@example.com").map(\.advice) == ["wait", "wait"])
    }

    @Test("every attempt knows when the first one began; an attempt that sent nothing doesn't count")
    func firstAttempt() async throws {
        let id = try outbox.insert()
        let returned = try #require(try await store.claim(now: noon).claims.first)
        #expect(returned.message.firstAttemptAt == noon)
        try await store.returnUnsent([returned])
        let first = try #require(try await store.claim(now: noon + .seconds(7)).claims.first)
        #expect(first.message.firstAttemptAt == noon + .seconds(7))
        let later = noon + .seconds(60)
        _ = try await store.finish([.deferred(first, until: later, at: noon + .seconds(8))], now: noon + .seconds(8))
        let second = try #require(try await store.claim(now: later).claims.first)
        #expect(second.message.id == id && second.attempt == 2)
        #expect(second.message.firstAttemptAt == noon + .seconds(7))
        #expect(second.message == first.message)
    }

    @Test("a change of address mails both addresses of an account, as the contract says")
    func changeOfAddress() async throws {
        let path = URL(filePath: #filePath).appending(path: "../../../docs/sql-contract.md").standardized
        let contract = try String(contentsOf: path, encoding: .utf8)
        let section = try #require(contract.split(separator: "\n## ").first { $0.hasPrefix("A change of address\n") })
        let snippet = try #require(section.firstMatch(of: /```sql\n(.+?)```/.dotMatchesNewlines())).output.1
        let script = """
            import sqlite3, sys
            db = sqlite3.connect(sys.argv[1])
            values = {"account": "a1", "new_address": "new@example.com", "old_address": "old@example.com",
                      "token": "t1", "other_token": "t2"}
            with db:
                for statement in sys.argv[2].split(";"):
                    db.execute(statement, values)
            print(db.execute("SELECT count(*) FROM outbox").fetchone()[0])
            """
        #expect(try await Program.python(script, [outbox.path, String(snippet)]).output == "2\n")
        let start = try await look(after: nil)
        #expect(start.superseded == [])
        let rules = DeliveryRules(limits: ResendLimits(minimumInterval: .seconds(60), perHour: 6))
        let batch = try await store.claim(now: Self.now, rules: rules)
        #expect(Set(batch.claims.map(\.message.recipient)) == ["new@example.com", "old@example.com"])
        #expect(batch.superseded == [] && batch.held == [])
        // A later request for the account is sent only to the new address.
        try outbox.insert(recipient: "new@example.com", account: "a1", requestedAt: Self.now)
        #expect(try await look(after: start.newest).claimed.count == 1)
    }
}

@Suite struct AddressCharacterTests {
    @Test("the schema's list of forbidden characters agrees with Unicode")
    func invisibleCharacters() throws {
        let outbox = try TemporaryOutbox()
        let refused = try DatabaseQueue(path: outbox.path).read { database in
            try Set(
                Int.fetchAll(
                    database,
                    sql: """
                        WITH RECURSIVE number (n) AS (SELECT 160 UNION ALL SELECT n + 1 FROM number WHERE n < 1114111)
                        SELECT n FROM number
                        WHERE char(n) GLOB '[' || \(Schema.invisibleCharacters) || \(Schema.charactersOfDomainsOnly) || ']'
                        """
                )
            )
        }
        for value in 0xA0...0x10FFFF {
            guard let scalar = Unicode.Scalar(UInt32(value)) else { continue }
            let properties = scalar.properties
            let isRefused = refused.contains(value)
            switch properties.generalCategory {
            case .format, .spaceSeparator, .lineSeparator, .paragraphSeparator, .privateUse:
                #expect(isRefused, "U+\(String(value, radix: 16))")
            case .unassigned:
                // Permanent noncharacters, and characters that are invisible once they are assigned.
                if properties.isNoncharacterCodePoint || properties.isDefaultIgnorableCodePoint {
                    #expect(isRefused, "U+\(String(value, radix: 16))")
                }
            default:
                let isKnown = [0x2800, 0xFFFC, 0xFFFD].contains(value) || properties.isDefaultIgnorableCodePoint
                if isRefused != isKnown { Issue.record("U+\(String(value, radix: 16))") }
            }
        }
    }
}
