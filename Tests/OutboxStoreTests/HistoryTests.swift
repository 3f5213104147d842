// Random histories against the invariants: resends, refusals, drops, crashes, clock jumps, bounces, two daemons.

import Foundation
import GRDB
import InternetMessage
import OutboxCore
import OutboxStore
import TestSupport
import Testing

@Suite("Whatever happens, in whatever order", .timeLimit(.minutes(10)))
struct HistoryTests {
    @Test("the invariants of the outbox hold after every step", arguments: 1...24)
    func invariants(seed: Int) async throws {
        var history = try History(seed: UInt64(seed))
        for step in 1...150 {
            let what = try await history.step()
            let broken = try history.brokenInvariants()
            #expect(broken == [], "seed \(seed), step \(step): \(what)")
            if !broken.isEmpty { return }
        }
        // A history without events would prove nothing.
        #expect(history.steps.count == History.Step.allCases.count)
        #expect(try history.finalStates().count >= 2)
    }
}

/// One random history of an outbox with two daemons.
private struct History {
    enum Step: CaseIterable {
        case enqueue, claim, finish, crash, pass, leap, renew, rescue, expire, bounce, look
    }

    private let outbox: TemporaryOutbox
    private let reader: DatabaseQueue
    private let daemons: [OutboxDatabase]
    private let rules = DeliveryRules(limits: ResendLimits(), keepOlder: ["newsletter"])
    private let schedule = RetrySchedule()
    private var random: SplitMix
    private var now = noon { didSet { latest = max(latest, now) } }
    private var latest = noon
    private var claims: [[Claim]] = [[], []]
    private var newestSeen: [Int64?] = [nil, nil]
    private var inserted: Int64 = 0
    /// Every final row as it was first seen.
    private var final: [Int64: Row] = [:]
    private(set) var steps: Set<Step> = []

    init(seed: UInt64) throws {
        outbox = try TemporaryOutbox()
        reader = try DatabaseQueue(path: outbox.path)
        daemons = [outbox.database, try outbox.secondDaemon()]
        random = SplitMix(seed: seed)
    }

    /// Performs a random step.
    ///
    /// - Returns: a description of the step.
    mutating func step() async throws -> Step {
        let weighted: [Step] = [
            .enqueue, .enqueue, .claim, .claim, .claim, .finish, .finish, .finish, .finish, .pass, .pass,
        ]
        let step = (weighted + Step.allCases).randomElement(using: &random) ?? .claim
        let index = Int.random(in: 0...1, using: &random)
        let daemon = daemons[index]
        steps.insert(step)
        switch step {
        case .enqueue: try enqueue()
        case .claim:
            let limit = Int.random(in: 1...5, using: &random)
            let batch = try await daemon.claim(limit: limit, now: now, rules: rules)
            try expectNewest(batch.claims)
            claims[index] += batch.claims
        case .finish: try await finish(index)
        case .crash: claims[index] = []
        case .pass: now = now + .milliseconds(Int.random(in: 1...30_000, using: &random))
        case .leap:
            // The machine was suspended for hours, or the clock was set back.
            now = now + .seconds(Int.random(in: -120...7200, using: &random))
        case .renew: try await daemon.renewLeases(until: now + .seconds(60))
        case .rescue: _ = try await daemon.rescue(now: now, rules: rules)
        case .expire: _ = try await daemon.expire(now: now)
        case .bounce: try await bounce(daemon)
        case .look: break
        }
        // Each daemon polls after a commit, as the dispatcher does.
        for index in daemons.indices {
            newestSeen[index] = try await daemons[index]
                .supersede(newerThan: newestSeen[index], now: now, rules: rules).newest
        }
        return step
    }

    /// A claimed message must be the newest of its person and kind whose `not_before` has passed.
    private func expectNewest(_ claims: [Claim]) throws {
        for claim in claims where claim.message.kind != "newsletter" {
            let newer = try reader.read { database in
                try Int.fetchOne(
                    database,
                    sql: """
                        SELECT count(*) FROM outbox_state AS newer JOIN outbox_state AS claimed USING (person, kind)
                        WHERE claimed.sequence = ? AND newer.sequence > claimed.sequence
                            AND (newer.not_before IS NULL OR newer.not_before <= ?)
                        """,
                    arguments: [claim.sequence, now.milliseconds]
                )
            }
            #expect(newer == 0, "message \(claim.message.id) is not the newest")
        }
    }

    private mutating func enqueue() throws {
        let person = Int.random(in: 1...3, using: &random)
        let lifetime = [nil, 20, 600, 3600].randomElement(using: &random) ?? nil
        inserted = try outbox.insert(
            kind: ["verify-email", "reset-password", "newsletter"].randomElement(using: &random) ?? "",
            recipient: "person\(person)@example.com",
            account: Bool.random(using: &random) ? "account\(person)" : nil,
            priority: Int.random(in: -1...1, using: &random),
            requestedAt: now,
            notBefore: Bool.random(using: &random) ? nil : now + .seconds(10),
            expiresAt: lifetime.map { now + .seconds($0) }
        )
    }

    private mutating func finish(_ index: Int) async throws {
        guard !claims[index].isEmpty else { return }
        let claim = claims[index].remove(at: Int.random(in: 0..<claims[index].count, using: &random))
        let outcome: Completion.Outcome
        switch Int.random(in: 0...9, using: &random) {
        case 0...2: outcome = Completion.accepted(claim).outcome
        case 3: outcome = .expiredUnsent
        case 4: outcome = .supersededUnsent
        case 5: outcome = .returnedUnsent(until: nil)
        default: outcome = judged(claim)
        }
        let completion = Completion(claim: claim, outcome: outcome, relay: "relay", finishedAt: now)
        _ = try await daemons[index].finish([completion], now: now, rules: rules)
    }

    /// The outcome of a random failure according to the policy and the schedule.
    private mutating func judged(_ claim: Claim) -> Completion.Outcome {
        let replies = [
            "450 4.2.1 Busy", "451 4.7.1 Greylisted for 300 seconds", "550 5.1.1 Unknown", "421 Closing", "554 No",
        ]
        let reply = SMTPReply(lines: [replies.randomElement(using: &random) ?? ""])
        let faults: [TransmissionCause] = [reply.map { .reply($0) } ?? .timedOut, .connectionLost, .couldNotConnect]
        let cause = faults.randomElement(using: &random) ?? .timedOut
        let isUncertain = cause == .connectionLost
        let failure = TransmissionFailure(
            stage: isUncertain ? .finalDot : .rcpt,
            cause: cause,
            detail: "random",
            isUncertain: isUncertain
        )
        let verdict = FailurePolicy.verdict(for: failure)
        let counts = verdict.fault != .relay || isUncertain
        let judged = JudgedFailure(failure: failure, verdict: verdict, counts: counts)
        if verdict.disposition == .final { return .rejected(judged) }
        let next = schedule.nextAttempt(
            after: claim.attempts,
            retryAfter: counts ? verdict.retryAfter : .zero,
            now: now,
            deadline: schedule.deadline(of: claim.message),
            chance: Double.random(in: 0..<1, using: &random)
        )
        return next.map { .deferred(judged, next: $0) } ?? .expired(judged)
    }

    private mutating func bounce(_ daemon: OutboxDatabase) async throws {
        guard let id = try envelopeIDs().randomElement(using: &random) else { return }
        let report = DeliveryReportRecord(
            action: Bool.random(using: &random) ? .failed : .delayed,
            receivedAt: now,
            status: "5.0.0",
            reason: nil,
            reportingMTA: nil,
            detail: nil
        )
        _ = try await daemon.record(report, envelopeID: id, suppressFor: nil)
    }

    private func envelopeIDs() throws -> [String] {
        try reader.read { try String.fetchAll($0, sql: "SELECT envelope_id FROM outbox_state ORDER BY sequence") }
    }

    func finalStates() throws -> Set<String> {
        try reader.read {
            try String.fetchSet($0, sql: "SELECT DISTINCT state FROM outbox_state WHERE finished_at IS NOT NULL")
        }
    }

    /// The violated invariants.
    mutating func brokenInvariants() throws -> [String] {
        let queries = [
            "more than one message waits for one person and kind": """
            SELECT count(*) FROM outbox_state WHERE due_at IS NOT NULL AND kind <> 'newsletter'
                AND not_before IS NULL
            GROUP BY person, kind HAVING count(*) > 1
            """,
            "an open message has neither a due time nor a lease": """
            SELECT 1 FROM outbox_state WHERE state IN ('queued', 'deferred') AND due_at IS NULL
                OR state = 'sending' AND lease_expires_at IS NULL
            """,
            // Messages left by a crash are due at once, even if that is too late.
            "a deferred message is due after its deadline": """
            SELECT 1 FROM outbox_state WHERE state = 'deferred' AND due_at > coalesce(expires_at,
                max(requested_at, coalesce(not_before, 0)) + 86400000) AND due_at > \(latest.milliseconds)
            """,
            "uncertain attempts are miscounted": """
            SELECT 1 FROM outbox_state LEFT JOIN outbox_attempt USING (message_id) GROUP BY sequence
            HAVING count(*) FILTER (WHERE outcome = 'uncertain') <> uncertain_attempts
            """,
            "attempts are not numbered from 1 without gaps": """
            SELECT 1 FROM outbox_state LEFT JOIN outbox_attempt USING (message_id) GROUP BY sequence
            HAVING count(attempt) <> last_attempt OR coalesce(max(attempt), 0) <> last_attempt
            """,
            "attempts that were used up are miscounted": """
            SELECT 1 FROM outbox_state LEFT JOIN outbox_attempt USING (message_id) GROUP BY sequence
            HAVING coalesce(sum(counts), 0) <> attempts
            """,
            "an attempt is under way of a message that isn't being sent": """
            SELECT 1 FROM outbox_attempt JOIN outbox_state USING (message_id)
            WHERE outcome IS NULL AND (state <> 'sending' OR attempt <> last_attempt)
            """,
            "a token is there without an open message, or the other way round": """
            SELECT 1 WHERE (SELECT group_concat(slot) FROM (
                    SELECT slot FROM outbox_secret WHERE slot > 0 AND rtrim(token, char(10)) <> '' ORDER BY slot))
                IS NOT (SELECT group_concat(secret) FROM (
                    SELECT secret FROM outbox_state WHERE secret IS NOT NULL ORDER BY secret))
            """,
            "a slot for a token is neither used nor free": """
            SELECT 1 FROM outbox_secret AS secret LEFT JOIN outbox_free_secret AS free USING (slot)
            WHERE slot > 0 AND (rtrim(token, char(10)) = '') <> (free.slot IS NOT NULL)
            """,
            "the application's table holds a token": "SELECT 1 FROM outbox WHERE token IS NOT NULL",
        ]
        var broken: [String] = []
        let rows = try reader.read { database in
            for (name, query) in queries where try Row.fetchOne(database, sql: query) != nil { broken.append(name) }
            let count = try Int64.fetchOne(database, sql: "SELECT count(*) FROM outbox")
            if count != inserted { broken.append("a message is lost") }
            return try Row.fetchAll(
                database,
                sql: """
                    SELECT message_id AS id, state, finished_at, accepted_at, attempts, last_attempt FROM outbox_state
                    WHERE finished_at IS NOT NULL
                    """
            )
        }
        for row in rows {
            let id: Int64 = row["id"]
            if let before = final[id], before != row {
                let hasBounced = before["state"] == "accepted" && row["state"] == "bounced"
                if !hasBounced { broken.append("final message \(id) changed from \(before) to \(row)") }
            }
            final[id] = row
        }
        if final.count != rows.count { broken.append("a final message is open again") }
        return broken.sorted()
    }
}
