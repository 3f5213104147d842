// The recorded outcome of an attempt. Holds no SQL.

package import InternetMessage
package import OutboxCore

/// A failed attempt with its verdict.
package struct JudgedFailure: Sendable, Hashable {
    /// The observed failure.
    package let failure: TransmissionFailure
    /// Whose fault it is and why.
    package let verdict: Verdict
    /// Whether the attempt counts in the retry schedule; a relay's own fault doesn't count.
    package let counts: Bool

    /// Creates a judged failure.
    package init(failure: TransmissionFailure, verdict: Verdict, counts: Bool) {
        self.failure = failure
        self.verdict = verdict
        self.counts = counts
    }
}

/// How one attempt ended.
package struct Completion: Sendable, Hashable {
    /// What happens to the message next.
    package enum Outcome: Sendable, Hashable {
        /// A relay took responsibility.
        case accepted(SMTPReply)
        /// The attempt failed, and the message is tried again at the given time, unless a newer message exists.
        case deferred(JudgedFailure, next: Timestamp)
        /// The attempt failed permanently.
        case rejected(JudgedFailure)
        /// The attempt failed, and the deadline leaves no time for another one.
        case expired(JudgedFailure)
        /// Nothing was sent, because the deadline passed while the message waited for a lane; no attempt is recorded.
        case expiredUnsent
        /// Nothing was sent, because a newer message arrived while this one waited for a lane; no attempt is recorded.
        case supersededUnsent
        /// Nothing was sent, because the application withdrew the message while it waited for a lane; no attempt is
        /// recorded.
        case cancelledUnsent
        /// Nothing was sent: the claim is released, and no attempt is recorded. The message is due at once, or at the
        /// given time.
        case returnedUnsent(until: Timestamp?)
    }

    /// The claim under which the attempt was made.
    package let claim: Claim
    /// What happens to the message next.
    package let outcome: Outcome
    /// The relay that was used; `nil` where none was.
    package let relay: String?
    /// When the attempt ended.
    package let finishedAt: Timestamp

    /// Creates a completion.
    package init(claim: Claim, outcome: Outcome, relay: String?, finishedAt: Timestamp) {
        self.claim = claim
        self.outcome = outcome
        self.relay = relay
        self.finishedAt = finishedAt
    }
}

extension Completion {
    /// Adjusts the completion to a clock that was set back after the attempt: the attempt can't have ended later than
    /// `now`, and the delay until the next attempt is counted from `now`. Otherwise the message would wait for the old
    /// clock's time.
    ///
    /// - Parameter now: the clock when the outcome is recorded.
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
