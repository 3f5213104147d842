// The requirements for every implementation of DeliveryStore; so far there is one, on SQLite.

import Foundation
import OutboxCore
import OutboxStore
import Testing

@Suite struct StoreConformanceTests {
    private let outbox: TemporaryOutbox
    private var store: any DeliveryStore { outbox.database }

    init() throws { outbox = try TemporaryOutbox() }

    @Test("a claim holds the application's values, and its attempt is recorded before anything is sent")
    func claiming() async throws {
        let id = try outbox.insert(account: "a1", expiresAt: noon + .seconds(60))
        let claim = try #require(try await store.claim().claims.first)
        #expect(claim.message.id == id)
        #expect(claim.message.kind == "verify-email")
        #expect(claim.message.recipient == "ann@example.com")
        #expect(claim.message.token == Token("s3cret"))
        #expect(claim.message.account == "a1")
        #expect(claim.message.variables == "{}")
        #expect(claim.message.requestedAt == noon)
        #expect(claim.message.expiresAt == noon + .seconds(60))
        #expect(claim.attempt == 1)
        #expect(try outbox.state(id) == "sending")
        let attempt = try #require(try await outbox.database.attempts(of: id).first)
        #expect(attempt.attempt == 1 && attempt.startedAt == noon && attempt.outcome == nil)
    }

    @Test("a claimed message can't be claimed again by any daemon")
    func claimedOnce() async throws {
        for _ in 1...5 { try outbox.insert() }
        let second = try outbox.secondDaemon()
        let first = try await store.claim(limit: 3).claims
        let rest = try await second.claim().claims
        #expect(first.count == 3)
        #expect(rest.count == 2)
        #expect(Set(first.map(\.message.id)).isDisjoint(with: rest.map(\.message.id)))
        #expect(try await store.claim().claims.isEmpty)
    }

    @Test("higher priorities are claimed first, then the longest due")
    func order() async throws {
        let late = try outbox.insert(requestedAt: noon - .seconds(1))
        let early = try outbox.insert(requestedAt: noon - .seconds(2))
        let urgent = try outbox.insert(priority: 5)
        let idle = try outbox.insert(priority: -5, requestedAt: noon - .seconds(9))
        #expect(try await store.claim().claims.map(\.message.id) == [urgent, early, late, idle])
    }

    @Test("nothing is claimed before its time")
    func notBefore() async throws {
        try outbox.insert(notBefore: noon + .seconds(10))
        #expect(try await store.claim().claims.isEmpty)
        #expect(try await store.nextMoments().due == noon + .seconds(10))
        #expect(try await store.claim(now: noon + .seconds(10)).claims.count == 1)
    }

    @Test("acceptance is final, wipes the token and keeps the relay's words")
    func acceptance() async throws {
        let id = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        #expect(try await store.finish([.accepted(claim, at: noon + .seconds(1))], now: noon + .seconds(1)).isEmpty)
        let status = try #require(try await outbox.database.status(id: id))
        #expect(status.state == .accepted)
        #expect(status.acceptedAt == noon + .seconds(1))
        #expect(status.finishedAt == noon + .seconds(1))
        #expect(status.detail == "250 2.0.0 Ok: queued as ABC123")
        let attempt = try #require(try await outbox.database.attempts(of: id).first)
        #expect(attempt.outcome == .accepted && attempt.replyCode == 250 && attempt.enhancedStatus == "2.0.0")
        #expect(attempt.queueID == "ABC123" && attempt.relay == "relay")
        #expect(try outbox.secretCount() == 0)
    }

    @Test("a deferred message keeps its token and is due at the given moment")
    func deferral() async throws {
        let id = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.deferred(claim, until: noon + .seconds(5))], now: noon)
        let status = try #require(try await outbox.database.status(id: id))
        #expect(status.state == .deferred && status.nextAttemptAt == noon + .seconds(5) && status.attempts == 1)
        let attempt = try #require(try await outbox.database.attempts(of: id).first)
        #expect(attempt.outcome == .deferred && attempt.fault?.known == .recipient && attempt.stage?.known == .rcpt)
        let again = try #require(try await store.claim(now: noon + .seconds(5)).claims.first)
        #expect(again.attempt == 2)
        #expect(again.message == claim.message)
    }

    @Test("a rejection is final and wipes the token")
    func rejection() async throws {
        let id = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.rejected(claim)], now: noon)
        #expect(try outbox.state(id) == "rejected")
        #expect(try outbox.secretCount() == 0)
        #expect(try await outbox.database.attempts(of: id).map(\.outcome) == [.rejected])
    }

    @Test("an uncertain attempt is recorded as such, and tried again")
    func uncertainty() async throws {
        let id = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        let failure = TransmissionFailure(
            stage: .finalDot,
            cause: .connectionLost,
            detail: "lost",
            isUncertain: true
        )
        let verdict = FailurePolicy.verdict(for: failure)
        let judged = JudgedFailure(failure: failure, verdict: verdict, counts: true)
        let outcome = Completion.Outcome.deferred(judged, next: noon)
        _ = try await store.finish(
            [Completion(claim: claim, outcome: outcome, relay: "relay", finishedAt: noon)],
            now: noon
        )
        #expect(try outbox.state(id) == "deferred")
        #expect(try await outbox.database.attempts(of: id).map(\.outcome) == [.uncertain])
    }

    @Test("a completion is recorded only while its claim is held")
    func fencing() async throws {
        let id = try outbox.insert()
        let stale = try #require(try await store.claim().claims.first)
        let second = try outbox.secondDaemon()
        #expect(try await second.rescue(now: noon + .seconds(61)) == [id])
        let current = try #require(try await second.claim(now: noon + .seconds(61)).claims.first)
        #expect(current.attempt == 2)
        #expect(try await store.finish([.rejected(stale)], now: noon) == [.rejected(stale)])
        #expect(try outbox.state(id) == "sending")
        #expect(try await second.finish([.accepted(current)], now: noon).isEmpty)
        #expect(try await store.finish([.rejected(stale)], now: noon) == [.rejected(stale)])
        #expect(try outbox.state(id) == "accepted")
        #expect(try await outbox.database.attempts(of: id).map(\.outcome) == [.uncertain, .accepted])
    }

    @Test("a lost completion is returned as it was given, also after the clock was set back")
    func lostAfterStep() async throws {
        for _ in 1...2 { try outbox.insert() }
        let claims = try await store.claim().claims
        try outbox.execute("UPDATE outbox_state SET last_attempt = last_attempt + 1")
        let completions = claims.map { Completion.accepted($0, at: noon + .seconds(10)) }
        #expect(try await store.finish(completions, now: noon + .seconds(5)) == completions)
    }

    @Test("of messages that are accepted together, a lost claim and a refused row stop no other")
    func acceptedTogether() async throws {
        let ids = try (1...5).map { try outbox.insert(recipient: "person\($0)@example.com") }
        try outbox.execute("UPDATE outbox_state SET valid_for = 60000 WHERE message_id IN (\(ids[2]), \(ids[4]))")
        let first = try await store.claim().claims
        #expect(first.map(\.message.id) == ids)
        // The first message has a second attempt, and the second one is lost to another daemon.
        let deferred = try await store.finish([.deferred(first[0], until: noon + .seconds(1))], now: noon)
        #expect(deferred.isEmpty)
        let again = try #require(try await store.claim(now: noon + .seconds(1)).claims.first)
        try outbox.execute("UPDATE outbox_state SET last_attempt = 2 WHERE message_id = \(ids[1])")
        try outbox.execute(
            """
            CREATE TRIGGER ours BEFORE UPDATE OF accepted_at ON outbox_state WHEN NEW.message_id = \(ids[3])
            BEGIN SELECT RAISE(IGNORE); END
            """
        )
        let completions = ([again] + first[1...]).enumerated().map { place, claim in
            Completion.accepted(claim, at: noon + .milliseconds(2000 + place))
        }
        let result = try await store.finish(completions, now: noon + .seconds(3), rules: .lax)
        #expect(result.lost == [completions[1]])
        #expect(result.refused.map(\.completion) == [completions[3]])
        for (place, id) in ids.enumerated() {
            let isRecorded = place != 1 && place != 3
            #expect(try outbox.state(id) == (isRecorded ? "accepted" : "sending"))
            let accepted = try outbox.value(Int64.self, "SELECT accepted_at FROM outbox_state WHERE message_id = \(id)")
            #expect(accepted == (isRecorded ? completions[place].finishedAt.milliseconds : nil))
            let outcome = try await outbox.database.attempts(of: id).map(\.outcome).last
            #expect(outcome == (isRecorded ? .accepted : nil as AttemptOutcome?))
            let expiry = try outbox.value(Int64.self, "SELECT expires_at FROM outbox_state WHERE message_id = \(id)")
            #expect(expiry == (place == 2 || place == 4 ? (noon + .seconds(60)).milliseconds : nil))
        }
        #expect(try outbox.secretCount() == 2)
    }

    @Test("messages with valid_for that are accepted together with others keep the expiry that their mails showed")
    func acceptedTogetherWithValidity() async throws {
        let ids = try (1...4).map { try outbox.insert(recipient: "person\($0)@example.com") }
        try outbox.execute("UPDATE outbox_state SET valid_for = 60000 WHERE message_id IN (\(ids[1]), \(ids[3]))")
        let claims = try await store.claim().claims
        let later = noon + .seconds(1)
        #expect(try await store.finish(claims.map { .accepted($0, at: later) }, now: later).isEmpty)
        for (place, id) in ids.enumerated() {
            #expect(try outbox.state(id) == "accepted")
            let expiry = try outbox.value(Int64.self, "SELECT expires_at FROM outbox_state WHERE message_id = \(id)")
            #expect(expiry == (place % 2 == 1 ? (noon + .seconds(60)).milliseconds : nil))
        }
    }

    @Test("a message that was deleted meanwhile loses its claim without harm")
    func deleted() async throws {
        try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        try outbox.execute("DELETE FROM outbox")
        #expect(try await store.finish([.accepted(claim)], now: noon).count == 1)
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_attempt") == 0)
    }

    @Test("a released claim leaves no attempt, and an unchanged message")
    func returning() async throws {
        let fresh = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        try await store.returnUnsent([claim])
        #expect(try outbox.state(fresh) == "queued")
        #expect(try await outbox.database.attempts(of: fresh).isEmpty)

        let first = try #require(try await store.claim().claims.first)
        #expect(first.attempt == 1)
        _ = try await store.finish([.deferred(first, until: noon + .seconds(5))], now: noon)
        let second = try #require(try await store.claim(now: noon + .seconds(6)).claims.first)
        try await store.returnUnsent([second])
        let status = try #require(try await outbox.database.status(id: fresh))
        #expect(status.state == .deferred && status.attempts == 1)
        #expect(try await store.claim(now: noon + .seconds(6)).claims.first?.attempt == 2)
    }

    @Test("a lease that runs out makes the attempt uncertain and the message due at once")
    func rescue() async throws {
        let id = try outbox.insert()
        _ = try await outbox.secondDaemon().claim()
        #expect(try await store.nextMoments().lease == noon + .seconds(60))
        #expect(try await store.rescue(now: noon + .seconds(59)).isEmpty)
        #expect(try await store.rescue(now: noon + .seconds(60)) == [id])
        #expect(try await outbox.database.attempts(of: id).map(\.outcome) == [.uncertain])
        let again = try #require(try await store.claim(now: noon + .seconds(60)).claims.first)
        #expect(again.attempt == 2 && again.message.id == id)
    }

    @Test("renewing extends only this daemon's claims")
    func renewal() async throws {
        let mine = try outbox.insert()
        _ = try await store.claim()
        let theirs = try outbox.insert()
        _ = try await outbox.secondDaemon().claim()
        try await store.renewLeases(until: noon + .seconds(300))
        #expect(try await store.rescue(now: noon + .seconds(100)) == [theirs])
        #expect(try outbox.state(mine) == "sending")
    }

    @Test("an expired message is never claimed")
    func expiryAtClaim() async throws {
        let expired = try outbox.insert(expiresAt: noon)
        let givenUp = try outbox.insert(requestedAt: noon - .seconds(86_400))
        let alive = try outbox.insert(expiresAt: noon + .milliseconds(1))
        let batch = try await store.claim(limit: 1)
        #expect(batch.claims.map(\.message.id) == [alive])
        #expect(Set(batch.expired) == [expired, givenUp])
        for id in batch.expired {
            #expect(try outbox.state(id) == "expired")
            #expect(try await outbox.database.attempts(of: id).isEmpty)
        }
        #expect(try outbox.secretCount() == 1)
    }

    @Test("a waiting message expires when its time comes, not at its next attempt")
    func expirySweep() async throws {
        let id = try outbox.insert(notBefore: noon + .seconds(100), expiresAt: noon + .seconds(50))
        #expect(try await store.nextMoments().expiry == noon + .seconds(50))
        #expect(try await store.expire(now: noon + .seconds(49)).isEmpty)
        #expect(try await store.expire(now: noon + .seconds(50)) == [id])
        #expect(try outbox.state(id) == "expired")
    }

    @Test("a message that expires in the lane is final, without an attempt")
    func expiredUnsent() async throws {
        let id = try outbox.insert(expiresAt: noon + .seconds(1))
        let claim = try #require(try await store.claim().claims.first)
        let completion = Completion(
            claim: claim,
            outcome: .expiredUnsent,
            relay: nil,
            finishedAt: noon + .seconds(2)
        )
        _ = try await store.finish([completion], now: noon + .seconds(2))
        let status = try #require(try await outbox.database.status(id: id))
        #expect(status.state == .expired && status.attempts == 0)
        #expect(try await outbox.database.attempts(of: id).isEmpty)
    }

    @Test("without work there is no next moment")
    func idle() async throws {
        #expect(try await store.nextMoments() == NextMoments(due: nil, lease: nil, expiry: nil))
        let claim = try outbox.insert()
        _ = try await store.finish(store.claim().claims.map { .accepted($0) }, now: noon)
        #expect(try outbox.state(claim) == "accepted")
        #expect(try await store.nextMoments() == NextMoments(due: nil, lease: nil, expiry: nil))
    }
}
