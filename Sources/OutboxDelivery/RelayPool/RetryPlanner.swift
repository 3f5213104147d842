// What follows for a message from a failed attempt: when to try again, or never. Pure.

import OutboxCore
import OutboxStore

/// Turns failures into completions by the retry schedule.
struct RetryPlanner: Sendable {
    var schedule: RetrySchedule
    /// Where the clock was just set forward, for how long nothing expires.
    var expiryHold: Duration?
    /// Where in the jitter's range the next attempt lies, from 0 up to but not including 1.
    var chance = 0.5

    /// Messages that one event defers together must not come back together: each takes another place in the range, a golden
    /// section further.
    private mutating func nextChance() -> Double {
        defer { chance = (chance + 0.618_034).truncatingRemainder(dividingBy: 1) }
        return chance
    }

    /// Each repetition of a mail whose last answer is missing may be one more copy in the person's inbox. After the second
    /// such attempt it is repeated no sooner than this, and after each further one no sooner than the longer time.
    private static let uncertainPause = (second: Duration.seconds(300), further: Duration.seconds(900))

    /// A failure that is tried again: by the schedule, or after the given delay instead.
    ///
    /// - Parameters:
    ///   - unproven: how many attempts count in the schedule beside those that the message has paid for.
    ///   - longest: the longest delay.
    mutating func again(
        _ judged: JudgedFailure,
        _ claim: Claim,
        after delay: Duration? = nil,
        unproven: Int = 0,
        atMost longest: Duration? = nil,
        relay: String?,
        now: Timestamp
    ) -> Completion {
        var deadline = schedule.deadline(of: claim.message)
        if let expiryHold { deadline = max(deadline, now + expiryHold + RetrySchedule.lastAttemptMargin) }
        var next = schedule.nextAttempt(
            after: max(1, (judged.counts ? claim.attempts : claim.attempts - 1) + unproven),
            retryAfter: delay,
            now: now,
            deadline: deadline,
            chance: nextChance()
        )
        // It lost time through no fault of its own, and keeps its place before what was requested later.
        if delay == .zero, next == now {
            let (requestedAt, notBefore) = (claim.message.requestedAt, claim.message.notBefore)
            next = min(now, max(requestedAt, notBefore ?? requestedAt))
        }
        if let longest, let later = next { next = min(later, now + longest) }
        if judged.failure.isUncertain, let soonest = next, claim.uncertainAttempts >= 1 {
            let pause = claim.uncertainAttempts == 1 ? Self.uncertainPause.second : Self.uncertainPause.further
            let later = max(soonest, now + pause)
            next = later < deadline ? later : nil
        }
        let outcome: Completion.Outcome = next.map { .deferred(judged, next: $0) } ?? .expired(judged)
        return Completion(claim: claim, outcome: outcome, relay: relay, finishedAt: now)
    }

    /// What became of a mail that could not be made: no relay is asked.
    mutating func composition(_ failure: TransmissionFailure, _ claim: Claim, now: Timestamp) -> Completion {
        let verdict = FailurePolicy.verdict(for: failure)
        let judged = JudgedFailure(failure: failure, verdict: verdict, counts: true)
        switch verdict.disposition {
        case .final: return Completion(claim: claim, outcome: .rejected(judged), relay: nil, finishedAt: now)
        case .again: return again(judged, claim, relay: nil, now: now)
        }
    }
}
