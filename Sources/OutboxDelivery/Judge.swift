// What follows for a message from a failed attempt: when to try again, or never. Pure but for the draw of the jitter.

import OutboxCore
import OutboxStore

/// Turns failures into completions by the retry schedule.
struct Judge: Sendable {
    var schedule: RetrySchedule
    /// Where the clock was just set forward, for how long nothing expires.
    var expiryHold: Duration?
    let random: @Sendable () -> any RandomNumberGenerator & Sendable

    init(schedule: RetrySchedule, random: @escaping @Sendable () -> any RandomNumberGenerator & Sendable) {
        self.schedule = schedule
        self.random = random
    }

    /// A failure that is tried again: by the schedule, or after the given delay instead.
    func again(
        _ judged: JudgedFailure,
        _ claim: Claim,
        after delay: Duration? = nil,
        relay: String?,
        now: Timestamp
    ) -> Completion {
        var random = AnyGenerator(random())
        var deadline = schedule.deadline(of: claim.message)
        if let expiryHold { deadline = max(deadline, now + expiryHold + RetrySchedule.lastAttemptMargin) }
        let next = schedule.nextAttempt(
            after: claim.usedUp,
            retryAfter: delay,
            now: now,
            deadline: deadline,
            using: &random
        )
        let outcome: Completion.Outcome = next.map { .deferred(judged, next: $0) } ?? .expired(judged)
        return Completion(claim: claim, outcome: outcome, relay: relay, finishedAt: now)
    }

    /// What became of a mail that could not be made: no relay is asked.
    func composition(_ failure: TransmissionFailure, _ claim: Claim, now: Timestamp) -> Completion {
        let verdict = FailurePolicy.verdict(for: failure)
        let judged = JudgedFailure(failure: failure, verdict: verdict, isUsedUp: true)
        switch verdict.disposition {
        case .final: return Completion(claim: claim, outcome: .rejected(judged), relay: nil, finishedAt: now)
        case .again: return again(judged, claim, relay: nil, now: now)
        }
    }
}
