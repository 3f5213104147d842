// Decides what follows for a message after a failed attempt: when to try again, or never. Pure.

import OutboxCore
import OutboxStore

/// Turns failures into completions, using the retry schedule.
struct RetryPlanner: Sendable {
    var schedule: RetrySchedule
    /// How much longer no message expires, because the clock was set forward; `nil` where messages expire as usual.
    var expiryHold: Duration?
    /// The position of the next attempt within the jitter's range, from 0 up to but not including 1.
    var chance = 0.5

    /// One event may defer many messages, and they must not all return at the same time. So each message gets its own
    /// position in the jitter's range; steps of the golden section spread them evenly.
    private mutating func nextChance() -> Double {
        defer { chance = (chance + 0.618_034).truncatingRemainder(dividingBy: 1) }
        return chance
    }

    /// Each retry of a mail whose last answer is missing may put another copy into the person's inbox. The second such
    /// attempt sets the shorter minimum pause, and each further one sets the longer one.
    private static let uncertainPause = (second: Duration.seconds(300), further: Duration.seconds(900))

    /// Schedules another attempt: by the retry schedule, or after the given delay.
    ///
    /// - Parameters:
    ///   - unproven: how many attempts count in the schedule in addition to the message's `attempts`.
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
        // The message lost time without its own fault, and keeps its place before messages that were requested later.
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

    /// The outcome for a mail that could not be composed; no relay is asked.
    mutating func composition(_ failure: TransmissionFailure, _ claim: Claim, now: Timestamp) -> Completion {
        let verdict = FailurePolicy.verdict(for: failure)
        let judged = JudgedFailure(failure: failure, verdict: verdict, counts: true)
        switch verdict.disposition {
        case .final: return Completion(claim: claim, outcome: .rejected(judged), relay: nil, finishedAt: now)
        case .again: return again(judged, claim, relay: nil, now: now)
        }
    }
}
