// The limit on resends holds messages at the claim.

import OutboxCore
import OutboxStore
import Testing

@Suite struct ResendLimitTests {
    private let outbox: TemporaryOutbox
    private var store: OutboxDatabase { outbox.database }
    private let rules = DeliveryRules(limits: ResendLimits(minimumInterval: .seconds(60), perHour: 3))

    init() throws { outbox = try TemporaryOutbox() }

    /// Claims and accepts the due messages.
    private func send(at now: Timestamp) async throws -> [Int64] {
        let claims = try await store.claim(now: now, rules: rules).claims
        _ = try await store.finish(claims.map { .accepted($0, at: now) }, now: now, rules: rules)
        return claims.map(\.message.id)
    }

    @Test("a burst of clicks gives one mail at once, and the newest token after the interval")
    func burst() async throws {
        let first = try outbox.insert()
        #expect(try await send(at: noon) == [first])
        var clicks: [Int64] = []
        for second in 1...10 {
            let now = noon + .seconds(second)
            clicks.append(try outbox.insert(requestedAt: now))
            _ = try await store.supersede(newerThan: first, now: now, rules: rules)
            #expect(try await send(at: now) == [])
        }
        let newest = try #require(clicks.last)
        let status = try #require(try await store.status(id: newest))
        #expect(status.state == .queued && status.nextAttemptAt == noon + .seconds(60))
        #expect(status.attempts == 0)
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_state WHERE state = 'superseded'") == 9)
        #expect(try await store.nextMoments().due == noon + .seconds(60))
        #expect(try await send(at: noon + .seconds(60)) == [newest])
    }

    @Test("a message that waits for the limit says so, and until when")
    func status() async throws {
        let present = Timestamp(milliseconds: try #require(try outbox.value(Int64.self, "SELECT unixepoch() * 1000")))
        try outbox.insert(requestedAt: present)
        #expect(try await send(at: present).count == 1)
        let held = try outbox.insert(requestedAt: present)
        #expect(try await store.claim(now: present, rules: rules).held == [held])
        let status = try #require(try await store.status(id: held))
        #expect(status.waitingFor == "resend-limit" && status.nextAttemptAt == present + .seconds(60))
        #expect(status.advice == "wait" && status.adviceAt == present + .seconds(360))
    }

    @Test("the hourly limit applies to each address and kind separately")
    func perHour() async throws {
        for minute in 0..<3 {
            let now = noon + .seconds(minute * 60)
            try outbox.insert(requestedAt: now)
            #expect(try await send(at: now).count == 1)
        }
        let now = noon + .seconds(180)
        let held = try outbox.insert(requestedAt: now)
        let otherKind = try outbox.insert(kind: "reset-password", requestedAt: now)
        let otherPerson = try outbox.insert(recipient: "ben@example.com", requestedAt: now)
        #expect(Set(try await send(at: now)) == [otherKind, otherPerson])
        #expect(try await store.status(id: held)?.nextAttemptAt == noon + .seconds(3600))
        #expect(try await send(at: noon + .seconds(3600)) == [held])
    }

    @Test(
        "other spellings of an address are the same inbox",
        arguments: [
            ("ann@example.com", "ANN@Example.com"), ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("ann@XN--BCHER-KVA.example", "ann@BÜCHER.example"),
        ]
    )
    func spellings(first: String, second: String) async throws {
        try outbox.insert(recipient: first, account: "a1")
        #expect(try await send(at: noon).count == 1)
        try outbox.insert(recipient: second, account: "a2")
        #expect(try await send(at: noon + .seconds(1)).isEmpty)
    }

    @Test("of two messages that become due together, one is sent")
    func together() async throws {
        try outbox.insert(account: "a1")
        try outbox.insert(account: "a2")
        let batch = try await store.claim(rules: rules)
        #expect(batch.claims.count == 1 && batch.held.count == 1)
    }

    @Test("a token that would expire while it waits is sent just before: a limit never drops")
    func deadline() async throws {
        for minute in 0..<3 {
            let now = noon + .seconds(minute * 60)
            try outbox.insert(requestedAt: now)
            #expect(try await send(at: now).count == 1)
        }
        let now = noon + .seconds(180)
        let id = try outbox.insert(requestedAt: now, expiresAt: now + .seconds(600))
        #expect(try await send(at: now) == [])
        #expect(try await store.status(id: id)?.nextAttemptAt == now + .seconds(598))
        #expect(try await send(at: now + .seconds(598)) == [id])
    }

    @Test("where older mails are kept, only the newest may overtake the limit")
    func deadlineOfOlderOnes() async throws {
        let rules = DeliveryRules(
            limits: ResendLimits(minimumInterval: .seconds(600), perHour: 6),
            keepOlder: ["verify-email"]
        )
        try outbox.insert()
        let first = try await store.claim(rules: rules).claims
        _ = try await store.finish(first.map { .accepted($0) }, now: noon, rules: rules)
        let ids = try (1...3).map { _ in try outbox.insert(expiresAt: noon + .seconds(100)) }
        #expect(try await store.claim(now: noon + .seconds(98), rules: rules).claims.map(\.message.id) == [ids[2]])
        #expect(Set(try await store.claim(now: noon + .seconds(100), rules: rules).expired) == [])
        #expect(Set(try await store.expire(now: noon + .seconds(100))) == [ids[0], ids[1]])
    }
}
