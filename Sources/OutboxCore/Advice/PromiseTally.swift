// How mails fared against the promise, as counts. Pure; never holds a message.

/// How one message fared: the promise is that a relay accepts a mail within a person's patience, counted from the request,
/// or from `not_before` where the application asked to wait.
package enum PromiseOutcome: Sendable, Hashable {
    /// A relay accepted it, after so long.
    case accepted(after: Duration, isInTime: Bool)
    /// It waits, for so long by now.
    case waiting(for: Duration, isInTime: Bool)
    /// It expired after so long.
    case expired(after: Duration)
    /// It was not to be mailed, or could not be.
    case notMailed(MessageState)

    /// Judges a message by its times.
    package init(
        state: MessageState,
        requestedAt: Timestamp,
        notBefore: Timestamp?,
        acceptedAt: Timestamp?,
        finishedAt: Timestamp?,
        patience: Duration,
        now: Timestamp
    ) {
        let start = max(requestedAt, notBefore ?? requestedAt)
        if let acceptedAt {
            let took = acceptedAt.timeSince(start)
            self = .accepted(after: took, isInTime: took <= patience)
            return
        }
        switch state {
        case .queued, .sending, .deferred:
            let took = now.timeSince(start)
            self = .waiting(for: took, isInTime: took <= patience)
        case .expired:
            self = .expired(after: (finishedAt ?? now).timeSince(start))
        case .accepted, .bounced, .rejected, .superseded, .suppressed, .cancelled:
            self = .notMailed(state)
        }
    }
}

/// How final messages fared.
package struct PromiseTally: Sendable, Hashable {
    /// All of them.
    package var requested = 0
    /// A relay accepted them within the patience that was configured when they were counted.
    package var acceptedInTime = 0
    /// A relay accepted them later.
    package var acceptedLate = 0
    /// They expired before a relay accepted them.
    package var expired = 0
    /// Messages that were not mailed, by state.
    package var notMailed: [MessageState: Int] = [:]
    /// How long the accepted ones took.
    package var delays = DelayHistogram()
    /// How long the slowest accepted one took.
    package var longest: Duration?

    /// Makes an empty tally.
    package init() {}

    /// Counts a message that is final.
    package mutating func add(_ outcome: PromiseOutcome) {
        requested += 1
        switch outcome {
        case .accepted(let took, let isInTime):
            if isInTime { acceptedInTime += 1 } else { acceptedLate += 1 }
            delays.add(took)
            longest = max(longest ?? took, took)
        case .expired: expired += 1
        case .notMailed(let state): notMailed[state, default: 0] += 1
        case .waiting: preconditionFailure("a message that waits is not final")
        }
    }
}

/// How many mails took how long, to a sixteenth.
package struct DelayHistogram: Sendable, Hashable {
    /// The mails by the longest delay that counts in with theirs, in milliseconds.
    package private(set) var counts: [Int64: Int] = [:]

    /// Makes an empty histogram.
    package init() {}

    /// Counts mails that took so long.
    package mutating func add(_ delay: Duration, count: Int = 1) {
        counts[Self.bound(of: delay.inMilliseconds), default: 0] += count
    }

    /// The longest delay with the same five leading binary digits, so that it exceeds the given one by less than a sixteenth.
    /// A clock that was set back makes negative delays; they count as none.
    static func bound(of milliseconds: Int64) -> Int64 {
        let delay = UInt64(max(milliseconds, 0))
        let digits = UInt64.bitWidth - delay.leadingZeroBitCount
        let dropped = max(digits - 5, 0)
        return Int64(((delay >> dropped) + 1) << dropped) - 1
    }
}
