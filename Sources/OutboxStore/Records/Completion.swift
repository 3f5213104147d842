// How an attempt ended, as it is recorded. Holds no SQL.

package import InternetMessage
package import OutboxCore

/// A failed attempt, judged.
package struct JudgedFailure: Sendable, Hashable {
    /// What was seen.
    package let failure: TransmissionFailure
    /// Whose fault it is and why.
    package let verdict: Verdict
    /// Whether the message has used up an attempt by it; a relay's own fault costs it none.
    package let counts: Bool

    /// Makes it.
    package init(failure: TransmissionFailure, verdict: Verdict, counts: Bool) {
        self.failure = failure
        self.verdict = verdict
        self.counts = counts
    }
}

/// How one attempt ended.
package struct Completion: Sendable, Hashable {
    /// What follows for the message.
    package enum Outcome: Sendable, Hashable {
        /// A relay took responsibility.
        case accepted(SMTPReply)
        /// It failed, and is tried again at the given moment, unless a newer message is there.
        case deferred(JudgedFailure, next: Timestamp)
        /// It failed for good.
        case rejected(JudgedFailure)
        /// It failed, and the deadline leaves no room for another attempt.
        case expired(JudgedFailure)
        /// Nothing was sent because the deadline came while the message waited for a lane; no attempt is recorded.
        case expiredUnsent
        /// Nothing was sent because a newer message came while it waited for a lane; no attempt is recorded.
        case supersededUnsent
        /// Nothing was sent because the application withdrew the message while it waited for a lane; no attempt is recorded.
        case cancelledUnsent
        /// Nothing was sent: the claim is given back, and no attempt is recorded. It is due again at once, or at the given
        /// moment.
        case returnedUnsent(until: Timestamp?)
    }

    /// The claim under which the attempt was made.
    package let claim: Claim
    /// What follows.
    package let outcome: Outcome
    /// The relay that was asked; `nil` where none was.
    package let relay: String?
    /// When the attempt ended.
    package let finishedAt: Timestamp

    /// Makes a completion.
    package init(claim: Claim, outcome: Outcome, relay: String?, finishedAt: Timestamp) {
        self.claim = claim
        self.outcome = outcome
        self.relay = relay
        self.finishedAt = finishedAt
    }
}

extension Completion {
    /// The same by a clock that was set back after the attempt ended: it can't have ended later than now, and what follows
    /// comes as long after now as it was to come after the end. Else the message would wait until the old clock's time.
    ///
    /// - Parameter now: the clock as it is when the outcome is recorded.
    package func endedBy(_ now: Timestamp) -> Completion {
        guard finishedAt > now else { return self }
        let outcome: Outcome =
            switch outcome {
            case .deferred(let failure, let next): .deferred(failure, next: now + next.timeSince(finishedAt))
            case .returnedUnsent(let until?): .returnedUnsent(until: now + until.timeSince(finishedAt))
            case .accepted, .rejected, .expired, .expiredUnsent, .supersededUnsent, .cancelledUnsent,
                .returnedUnsent(nil):
                outcome
            }
        return Completion(claim: claim, outcome: outcome, relay: relay, finishedAt: now)
    }
}
