// Only the newest token is mailed: when older messages are superseded.

import OutboxCore
import OutboxStore
import Testing

@Suite struct SupersedingTests {
    private let outbox: TemporaryOutbox
    private var store: OutboxDatabase { outbox.database }

    init() throws { outbox = try TemporaryOutbox() }

    private func look(after id: Int64?, rules: DeliveryRules = .superseding) async throws -> Supersession {
        try await store.supersede(newerThan: id, now: noon, rules: rules)
    }

    @Test("a claim takes only the newest message of an account and kind")
    func atClaim() async throws {
        let first = try outbox.insert(recipient: "old@example.com", account: "a1")
        let second = try outbox.insert(recipient: "new@example.com", account: "a1")
        let otherKind = try outbox.insert(kind: "reset-password", account: "a1")
        let otherAccount = try outbox.insert(account: "a2")
        let batch = try await store.claim(rules: .superseding)
        #expect(Set(batch.claims.map(\.message.id)) == [second, otherKind, otherAccount])
        #expect(batch.superseded == [first])
        #expect(try outbox.state(first) == "superseded")
        #expect(try outbox.secretCount() == 3)
        #expect(try await store.attempts(of: first).isEmpty)
    }

    @Test("without an account the address is the person, regardless of case")
    func byAddress() async throws {
        let first = try outbox.insert(recipient: "ann@example.com")
        let second = try outbox.insert(recipient: "ann@EXAMPLE.com")
        let third = try outbox.insert(recipient: "Ann@example.com")
        let other = try outbox.insert(recipient: "anna@example.com")
        let withAccount = try outbox.insert(recipient: "ann@example.com", account: "a1")
        let batch = try await store.claim(rules: .superseding)
        #expect(Set(batch.claims.map(\.message.id)) == [third, other, withAccount])
        #expect(batch.superseded == [first, second])
    }

    @Test("a newer message supersedes older ones at once, whenever they are due")
    func onArrival() async throws {
        let deferred = try outbox.insert(account: "a1")
        let claim = try #require(try await store.claim(rules: .superseding).claims.first)
        _ = try await store.finish([.deferred(claim, until: noon + .seconds(600))], now: noon, rules: .superseding)
        let waiting = try outbox.insert(recipient: "ben@example.com", notBefore: noon + .seconds(600))
        let start = try await look(after: nil)
        #expect(start == Supersession(newest: waiting, hasMore: false, superseded: [], claimed: [], cancelled: []))

        try outbox.insert(account: "a1")
        let newest = try outbox.insert(recipient: "ben@EXAMPLE.com")
        let found = try await look(after: start.newest)
        #expect(Set(found.superseded) == [deferred, waiting] && found.newest == newest && !found.hasMore)
        #expect(try outbox.state(deferred) == "superseded" && outbox.state(waiting) == "superseded")
        #expect(
            try await look(after: found.newest)
                == Supersession(newest: newest, hasMore: false, superseded: [], claimed: [], cancelled: [])
        )
    }

    @Test("a claimed message is reported, and stays unchanged until its lane releases it or its attempt ends")
    func claimed() async throws {
        let older = try outbox.insert()
        let start = try await look(after: nil)
        let claim = try #require(try await store.claim(rules: .superseding).claims.first)
        try outbox.insert()
        #expect(try await look(after: start.newest).claimed == [older])
        #expect(try outbox.state(older) == "sending")
        // Another daemon's claims are not reported.
        let second = try outbox.secondDaemon()
        #expect(
            try await second.supersede(newerThan: start.newest, now: noon, rules: .superseding).claimed == []
        )

        let unsent = Completion(claim: claim, outcome: .supersededUnsent, relay: nil, finishedAt: noon)
        #expect(try await store.finish([unsent], now: noon, rules: .superseding).lost.isEmpty)
        #expect(try outbox.state(older) == "superseded")
        #expect(try await store.attempts(of: older).isEmpty)
        #expect(try await store.status(id: older)?.attempts == 0)
    }

    @Test("a superseded message that is being sent can be accepted, but is not retried")
    func inFlight() async throws {
        let accepted = try outbox.insert(account: "a1")
        let refused = try outbox.insert(account: "a2")
        let claims = try await store.claim(rules: .superseding).claims
        for account in ["a1", "a2"] { try outbox.insert(account: account) }
        _ = try await store.finish(
            [.accepted(claims[0]), .deferred(claims[1], until: noon + .seconds(5))],
            now: noon,
            rules: .superseding
        )
        #expect(try outbox.state(accepted) == "accepted")
        #expect(try outbox.state(refused) == "superseded")
        #expect(try await store.attempts(of: refused).map(\.outcome) == [.deferred])
        #expect(try outbox.secretCount() == 2)
    }

    @Test("keep_older keeps all messages of a kind")
    func keepOlder() async throws {
        let rules = DeliveryRules(limits: nil, keepOlder: ["verify-email"])
        let start = try await look(after: nil)
        let kept = try outbox.insert()
        let void = try outbox.insert(kind: "reset-password")
        try outbox.insert()
        try outbox.insert(kind: "reset-password")
        #expect(try await look(after: start.newest, rules: rules).superseded == [void])
        #expect(try await store.claim(rules: rules).claims.count == 3)
        #expect(try outbox.state(kept) == "sending")
    }

    @Test("many new rows are examined in parts")
    func inParts() async throws {
        let older = try outbox.insert()
        let start = try await look(after: nil)
        try outbox.execute(
            """
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1500)
            INSERT INTO outbox (kind, recipient, token) SELECT 'verify-email', 'p' || n || '@example.com', 't' FROM number
            """
        )
        let newest = try outbox.insert()
        let first = try await look(after: start.newest)
        #expect(first.hasMore && first.superseded.isEmpty)
        let second = try await look(after: first.newest)
        #expect(!second.hasMore && second.superseded == [older] && second.newest == newest)
    }
}
