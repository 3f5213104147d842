// How well mails met the promise, as counts. Pure; never holds a message.

/// The result of one message. The promise is that a relay accepts a mail within a person's patience, counted from the
/// request, or from `not_before` where the application asked to wait.
package enum PromiseOutcome: Sendable, Hashable {
    /// A relay accepted the message, after this time.
    case accepted(after: Duration, isInTime: Bool)
    /// The message has been waiting for this time.
    case waiting(for: Duration, isInTime: Bool)
    /// The message expired after this time.
    case expired(after: Duration)
    /// The message was not to be mailed, or could not be.
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

/// The results of final messages.
package struct PromiseTally: Sendable, Hashable {
    /// All final messages.
    package var requested = 0
    /// Messages that a relay accepted within the patience configured when they were counted.
    package var acceptedInTime = 0
    /// Messages that a relay accepted later.
    package var acceptedLate = 0
    /// Messages that expired before a relay accepted them.
    package var expired = 0
    /// Messages that were not mailed, by state.
    package var notMailed: [MessageState: Int] = [:]
    /// The delays of the accepted messages.
    package var delays = DelayHistogram()
    /// The longest delay of an accepted message.
    package var longest: Duration?

    /// Creates an empty tally.
    package init() {}

    /// Counts a final message.
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

/// The number of mails by delay, to a sixteenth.
package struct DelayHistogram: Sendable, Hashable {
    /// The number of mails by the upper bound of their delay group, in milliseconds.
    package private(set) var counts: [Int64: Int] = [:]

    /// Creates an empty histogram.
    package init() {}

    /// Counts mails with this delay.
    package mutating func add(_ delay: Duration, count: Int = 1) {
        counts[Self.bound(of: delay.inMilliseconds), default: 0] += count
    }

    /// The longest delay with the same five leading binary digits, so it exceeds the given delay by less than a
    /// sixteenth. A clock that was set back gives negative delays, which count as zero.
    static func bound(of milliseconds: Int64) -> Int64 {
        let delay = UInt64(max(milliseconds, 0))
        let digits = UInt64.bitWidth - delay.leadingZeroBitCount
        let dropped = max(digits - 5, 0)
        return Int64(((delay >> dropped) + 1) << dropped) - 1
    }
}
