// Crashes, clock changes, and rows that a rule of the application refuses.

import Foundation
import GRDB
import OutboxCore
import OutboxStore
import Testing

@Suite struct InterruptionTests {
    private let outbox: TemporaryOutbox
    private var store: OutboxDatabase { outbox.database }

    init() throws { outbox = try TemporaryOutbox() }

    private func claimAlone(_ store: OutboxDatabase, now: Timestamp) async throws -> [Claim] {
        try await store.claim(
            .interruptedOne,
            limit: 1,
            now: now,
            lease: .seconds(60),
            rules: .lax,
            expiryHold: nil
        ).claims
    }

    /// A daemon that dies directly after a claim.
    private func die(alone: Bool = false, now: Timestamp) async throws {
        let daemon = try OutboxDatabase(path: outbox.path, access: .writing)
        let claims = try await alone ? claimAlone(daemon, now: now) : daemon.claim(now: now).claims
        #expect(!claims.isEmpty)
        _ = try await store.rescue(now: now + .seconds(60))
    }

    @Test("a process never treats its own claims as lost, whatever the clock says")
    func ownClaims() async throws {
        try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        for seconds in [60, 600, 86_400, -600, -86_400] {
            let now = noon + .seconds(seconds)
            #expect(try await store.expiredClaims(now: now, lease: .seconds(60)).isEmpty)
            #expect(try await store.nextMoments(now: now).lease == nil)
        }
        #expect(try await store.finish([.accepted(claim, at: noon + .seconds(600))], now: noon).isEmpty)
    }

    @Test("a claim that was renewed since it was read is not taken over")
    func renewedMeanwhile() async throws {
        let id = try outbox.insert()
        let other = try outbox.secondDaemon()
        _ = try await other.claim()
        let seen = try await store.expiredClaims(now: noon + .seconds(61), lease: .seconds(60))
        #expect(seen.map(\.messageID) == [id])
        try await other.renewLeases(until: noon + .seconds(120))
        #expect(try await store.rescue(seen, now: noon + .seconds(61), rules: .lax).rescued == [])
        #expect(try outbox.state(id) == "sending")
    }

    @Test("a lease that ends later than any new lease was written before the clock was set back")
    func leaseFromTheFuture() async throws {
        let id = try outbox.insert()
        _ = try await outbox.secondDaemon().claim()
        let back = noon - .seconds(600)
        #expect(try await store.expiredClaims(now: back, lease: .seconds(60)).map(\.messageID) == [id])
    }

    @Test("a message that was claimed at two crashes is tried alone, and ends after three crashes alone")
    func poison() async throws {
        let poison = try outbox.insert()
        let innocent = try outbox.insert(recipient: "ben@example.com")
        var now = noon
        for _ in 1...2 {
            try await die(now: now)
            now = now + .seconds(60)
        }
        // Both are suspects now, and ordinary claims skip them.
        #expect(try await store.claim(now: now).claims.isEmpty)
        let moments = try await store.nextMoments(now: now)
        #expect(moments.due == nil && moments.dueAlone == noon + .seconds(120) && moments.hasInterrupted)
        let first = try #require(try await claimAlone(store, now: now).first)
        #expect(first.message.id == poison || first.message.id == innocent)
        // Any outcome clears the innocent one.
        let trial = try await claimAlone(store, now: now)
        for claim in [first] + trial where claim.message.id == innocent {
            _ = try await store.finish([.deferred(claim, until: now, at: now)], now: now)
        }
        for claim in [first] + trial where claim.message.id == poison { try await store.returnUnsent([claim]) }
        #expect(try await store.claim(now: now).claims.map(\.message.id) == [innocent])

        for crash in 1...3 {
            try await die(alone: true, now: now)
            now = now + .seconds(60)
            #expect(try outbox.state(poison) == (crash < 3 ? "deferred" : "rejected"))
        }
        let attempts = try await store.attempts(of: poison)
        #expect(attempts.map(\.outcome) == Array(repeating: .uncertain, count: 5))
        #expect(attempts.last?.reason?.known == .endsOutboxd)
        #expect(try await store.status(id: poison)?.advice == "contact-support")
        #expect(try outbox.state(innocent) == "sending")
    }

    @Test("due times that outboxd wrote follow the clock, those of the application stay")
    func clock() async throws {
        let retry = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.deferred(claim, until: noon + .seconds(30))], now: noon)
        let scheduled = try outbox.insert(recipient: "ben@example.com", notBefore: noon + .seconds(3600))
        let waiting = try outbox.insert(recipient: "cem@example.com")
        func due(_ id: Int64) throws -> Int64? {
            try outbox.value(Int64.self, "SELECT due_at FROM outbox_state WHERE message_id = \(id)")
        }
        func follow(_ step: Duration?, now: Timestamp) async throws {
            while try await store.followClock(step: step, since: now, now: now, longestDelay: .seconds(1080)) > 0 {}
        }
        // Ten minutes forward: the retry keeps its distance.
        try await follow(.seconds(600), now: noon + .seconds(600))
        #expect(try due(retry) == (noon + .seconds(630)).milliseconds)
        #expect(try due(scheduled) == (noon + .seconds(3600)).milliseconds)
        // A day back: no message waits a day.
        let back = noon - .seconds(86_400)
        try await follow(.seconds(-87_000), now: back)
        #expect(try due(retry) == back.milliseconds || due(retry) == (back + .seconds(30)).milliseconds)
        #expect(try due(waiting) == back.milliseconds)
        #expect(try due(scheduled) == (noon + .seconds(3600)).milliseconds)
        // A start after the clock was set back by an unknown amount.
        let further = back - .seconds(86_400)
        try await follow(nil, now: further)
        #expect(try due(retry) == further.milliseconds && due(waiting) == further.milliseconds)
        #expect(try await Set(store.claim(now: further).claims.map(\.message.id)) == [retry, waiting])
    }

    @Test("a clock that is set forward and back again leaves a retry where it was")
    func forthAndBack() async throws {
        let id = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.deferred(claim, until: noon + .seconds(30))], now: noon)
        func follow(_ step: Duration, at now: Timestamp) async throws -> Int64? {
            while try await store.followClock(step: step, since: now, now: now, longestDelay: .seconds(1080)) > 0 {}
            return try outbox.value(Int64.self, "SELECT due_at FROM outbox_state WHERE message_id = \(id)")
        }
        let forward = noon + .seconds(610)
        #expect(try await follow(.seconds(600), at: forward) == (noon + .seconds(630)).milliseconds)
        #expect(try await follow(.seconds(-600), at: noon + .seconds(15)) == (noon + .seconds(30)).milliseconds)
        // A message deferred by the current clock stays unchanged.
        let again = try #require(try await store.claim(now: noon + .seconds(31)).claims.first)
        let ended = noon + .seconds(632)
        _ = try await store.finish([.deferred(again, until: ended + .seconds(5), at: ended)], now: ended)
        while try await store.followClock(
            step: .seconds(600),
            since: noon + .seconds(631),
            now: ended + .seconds(1),
            longestDelay: .seconds(1080)
        ) > 0 {}
        func due() throws -> Int64? {
            try outbox.value(Int64.self, "SELECT due_at FROM outbox_state WHERE message_id = \(id)")
        }
        #expect(try due() == (ended + .seconds(5)).milliseconds)
        // So does a message deferred in the same moment.
        while try await store.followClock(
            step: .seconds(600),
            since: noon + .seconds(631),
            now: ended,
            longestDelay: .seconds(1080)
        ) > 0 {}
        #expect(try due() == (ended + .seconds(5)).milliseconds)
    }

    @Test("an outcome judged before the clock was set back counts from now")
    func endedLater() async throws {
        let ids = try [outbox.insert(), outbox.insert(recipient: "ben@example.com")]
        let claims = try await store.claim().claims
        let ended = noon + .seconds(86_400)
        _ = try await store.finish(
            [
                .deferred(claims[0], until: ended + .seconds(5), at: ended),
                Completion(
                    claim: claims[1],
                    outcome: .returnedUnsent(until: ended + .seconds(7)),
                    relay: nil,
                    finishedAt: ended
                ),
            ],
            now: noon
        )
        for (id, seconds) in zip(ids, [5, 7]) {
            let due = try outbox.value(Int64.self, "SELECT due_at FROM outbox_state WHERE message_id = \(id)")
            #expect(due == (noon + .seconds(seconds)).milliseconds)
        }
        #expect(try await store.attempts(of: ids[0]).map(\.finishedAt) == [noon])
    }

    @Test("a claim released after the clock was set back is due at once", arguments: [true, false])
    func givenBack(asCompletion: Bool) async throws {
        let id = try outbox.insert()
        let claims = try await store.claim(now: noon + .seconds(3600)).claims
        if asCompletion {
            _ = try await store.finish(
                [Completion(claim: claims[0], outcome: .returnedUnsent(until: nil), relay: nil, finishedAt: noon)],
                now: noon + .seconds(1)
            )
        } else {
            try await store.returnUnsent(claims, now: noon + .seconds(1), rules: .lax)
        }
        let due = try outbox.value(Int64.self, "SELECT due_at FROM outbox_state WHERE message_id = \(id)")
        #expect(due == (noon + .seconds(1)).milliseconds)
    }

    @Test("a message released after a step forward, or already moved by it, is not moved again")
    func followedOnce() async throws {
        let id = try outbox.insert()
        let first = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.deferred(first, until: noon + .seconds(5))], now: noon)
        let again = try #require(try await store.claim(now: noon + .seconds(5)).claims.first)
        // The clock is set forward by an hour while a lane has the message.
        let later = noon + .seconds(3610)
        let returned = Completion(
            claim: again,
            outcome: .returnedUnsent(until: later + .seconds(10)),
            relay: nil,
            finishedAt: later
        )
        _ = try await store.finish([returned], now: later)
        for _ in 1...2 {
            while try await store.followClock(
                step: .seconds(3600),
                since: later,
                now: later + .seconds(1),
                longestDelay: .seconds(1080)
            ) > 0 {}
            let due = try outbox.value(Int64.self, "SELECT due_at FROM outbox_state WHERE message_id = \(id)")
            #expect(due == (later + .seconds(10)).milliseconds)
        }
    }

    @Test("an outcome recorded between a step back and its correction keeps its delay")
    func keepsItsDelay() async throws {
        let id = try outbox.insert(requestedAt: noon + .seconds(86_400))
        let claim = try #require(try await store.claim(now: noon + .seconds(86_400)).claims.first)
        let ended = noon + .seconds(86_410)
        _ = try await store.finish([.deferred(claim, until: ended + .seconds(300), at: ended)], now: noon + .seconds(2))
        while try await store.followClock(
            step: .seconds(-86_400),
            since: noon + .seconds(1),
            now: noon + .seconds(3),
            longestDelay: .seconds(1080)
        ) > 0 {}
        let due = try outbox.value(Int64.self, "SELECT due_at FROM outbox_state WHERE message_id = \(id)")
        #expect(due == (noon + .seconds(302)).milliseconds)
    }

    @Test("a state without a row is removed and reported, and stops no other message")
    func orphan() async throws {
        let gone = try outbox.insert()
        let other = try outbox.insert(recipient: "ben@example.com")
        let trigger = try #require(
            try outbox.value(String.self, "SELECT sql FROM sqlite_schema WHERE name = 'outbox_deleted'")
        )
        try outbox.execute("DROP TRIGGER outbox_deleted; DELETE FROM outbox WHERE id = \(gone); \(trigger)")
        let batch = try await store.claim()
        #expect(batch.withoutRow == [gone] && batch.claims.map(\.message.id) == [other])
        #expect(try outbox.secretCount() == 1)
        #expect(try await store.claim().isEmpty)
    }

    @Test("a trigger that silently ignores an outcome counts as a refusal, not as a lost claim")
    func ignored() async throws {
        try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        try outbox.execute(
            """
            CREATE TRIGGER audit BEFORE UPDATE OF accepted_at ON outbox_state WHEN NEW.accepted_at IS NOT NULL
            BEGIN SELECT RAISE(IGNORE); END
            """
        )
        let result = try await store.finish([.accepted(claim)], now: noon, rules: .lax)
        #expect(result.lost.isEmpty && result.refused.count == 1)
        try outbox.execute("DROP TRIGGER audit")
        #expect(try await store.finish([.accepted(claim)], now: noon).isEmpty)
    }

    @Test("while expiry is held, overdue messages neither expire nor are sent")
    func expiryHold() async throws {
        let id = try outbox.insert(expiresAt: noon + .seconds(600))
        let leap = noon + .seconds(86_400)
        let batch = try await store.claim(
            .ordinary(),
            limit: 5,
            now: leap,
            lease: .seconds(60),
            rules: .lax,
            expiryHold: .seconds(300)
        )
        #expect(batch.claims.isEmpty && batch.expired.isEmpty && batch.postponed == [id])
        #expect(try await store.nextMoments(now: leap).due == leap + .seconds(300))
        while try await store.followClock(step: .seconds(-86_400), since: noon, now: noon, longestDelay: .seconds(1080))
            > 0
        {}
        #expect(try await store.claim(now: noon).claims.map(\.message.id) == [id])
    }

    @Test("an application's rule that refuses one row stops no other: at the claim, the outcome and the expiry")
    func refusedRows() async throws {
        let good = try outbox.insert()
        let bad = try outbox.insert(recipient: "ben@example.com")
        func forbid(_ condition: String) throws {
            try outbox.execute(
                """
                CREATE TRIGGER audit BEFORE UPDATE OF state ON outbox_state
                WHEN NEW.message_id = \(bad) AND \(condition) BEGIN SELECT RAISE(ABORT, 'audit says no'); END
                """
            )
        }
        try forbid("NEW.state = 'sending'")
        let batch = try await store.claim()
        #expect(batch.claims.map(\.message.id) == [good])
        #expect(batch.refused == [RowRefusal(messageID: bad, rule: "audit says no")])
        // The row is not tried again at once, and does not keep the dispatcher busy.
        #expect(try await store.claim().refused.isEmpty)
        #expect(try await store.nextMoments(now: noon).due == noon + .seconds(10))

        try outbox.execute("DROP TRIGGER audit")
        let second = try #require(try await store.claim(now: noon + .seconds(11)).claims.first)
        try forbid("NEW.state = 'accepted'")
        let completions = [Completion.accepted(batch.claims[0]), .accepted(second)]
        let result = try await store.finish(completions, now: noon, rules: .lax)
        #expect(result.lost.isEmpty && result.refused.map(\.completion) == [completions[1]])
        #expect(try outbox.state(good) == "accepted" && outbox.state(bad) == "sending")

        try outbox.execute("DROP TRIGGER audit")
        try await store.returnUnsent([second])
        try outbox.execute("UPDATE outbox_state SET expires_at = \(noon.milliseconds)")
        let third = try outbox.insert(recipient: "cem@example.com", expiresAt: noon)
        try forbid("NEW.state = 'expired'")
        #expect(try await store.expire(now: noon + .seconds(1)) == [third])
        #expect(try await store.expire(now: noon + .seconds(1)).isEmpty)
    }

    @Test("a cancelled message ends at once while it waits, and with its attempt while it is being sent")
    func cancelled() async throws {
        let waiting = try outbox.insert()
        try outbox.execute("UPDATE outbox SET cancelled = 1 WHERE id = \(waiting)")
        #expect(try outbox.state(waiting) == "cancelled" && outbox.secretCount() == 0)

        let accepted = try outbox.insert(recipient: "ben@example.com")
        let refused = try outbox.insert(recipient: "cem@example.com")
        let start = try await store.supersede(newerThan: nil, now: noon, rules: .lax).newest
        let claims = try await store.claim().claims
        try outbox.execute("UPDATE outbox SET cancelled = 1")
        let news = try await store.supersede(newerThan: start, now: noon, rules: .lax)
        #expect(Set(news.cancelled) == [accepted, refused])
        _ = try await store.finish([.accepted(claims[0]), .deferred(claims[1], until: noon)], now: noon)
        #expect(try outbox.state(accepted) == "accepted" && outbox.state(refused) == "cancelled")
        try outbox.execute("UPDATE outbox SET cancelled = 0")
        #expect(try outbox.state(refused) == "cancelled" && outbox.secretCount() == 0)
    }

    @Test("a message for later doesn't supersede the current one before its time")
    func scheduledNewer() async throws {
        let today = try outbox.insert(account: "a1")
        let start = try await store.supersede(newerThan: 0, now: noon, rules: .superseding).newest
        let tomorrow = try outbox.insert(account: "a1", notBefore: noon + .seconds(3600))
        let news = try await store.supersede(newerThan: start, now: noon, rules: .superseding)
        #expect(news.superseded.isEmpty && news.claimed.isEmpty)
        let claim = try #require(try await store.claim(rules: .superseding).claims.first)
        #expect(claim.message.id == today)
        let later = noon + .seconds(4000)
        _ = try await store.finish([.deferred(claim, until: later)], now: noon, rules: .superseding)
        let batch = try await store.claim(now: later, rules: .superseding)
        #expect(batch.claims.map(\.message.id) == [tomorrow])
        #expect(try outbox.state(today) == "superseded")
    }
}
