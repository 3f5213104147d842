// How well the promise was kept: counts, percentiles, and whose fault the late ones are. Pure.

import OutboxCore
import OutboxStore

/// How mails fared against the promise; see `PromiseOutcome`.
struct PromiseMeasure: Encodable, Sendable {
    /// A mail that was late, or that still is.
    struct Late: Sendable {
        let record: PromiseRecord
        /// How long it took, or has taken so far.
        let delay: Duration
        /// A raw value of `Verdict.Fault`, or `outboxd`, or `resend-limit`.
        let fault: String
        let reason: String
    }

    let patience: Duration
    let now: Timestamp

    private(set) var requested = 0
    private(set) var acceptedInTime = 0
    private(set) var acceptedLate = 0
    private(set) var waitingLate = 0
    private(set) var waitingInTime = 0
    private(set) var expired = 0
    /// Messages that were not to be mailed, by state.
    private(set) var notMailed: [MessageState: Int] = [:]
    private(set) var late: [Late] = []
    /// How many of the requested messages retention removed, so that only their day's statistics are known.
    private(set) var summarized = 0
    /// How many of these were late; they are not among ``late``.
    private(set) var lateSummarized = 0
    /// How many accepted mails took how long.
    private var times: [Duration: Int] = [:]

    /// The counts, as JSON and the columns of `outbox_day` have them.
    private enum CodingKeys: String, CodingKey {
        case requested, summarized, expired
        case acceptedInTime = "accepted_in_time"
        case acceptedLate = "accepted_late"
        case waitingLate = "waiting_late"
        case waitingInTime = "waiting_in_time"
    }

    init(patience: Duration, now: Timestamp) {
        self.patience = patience
        self.now = now
    }

    /// Counts a message in.
    mutating func add(_ record: PromiseRecord) {
        requested += 1
        let outcome = PromiseOutcome(
            state: record.state,
            requestedAt: record.requestedAt,
            notBefore: record.notBefore,
            acceptedAt: record.acceptedAt,
            finishedAt: record.finishedAt,
            patience: patience,
            now: now
        )
        switch outcome {
        case .accepted(let took, let isInTime):
            times[took, default: 0] += 1
            if isInTime {
                acceptedInTime += 1
            } else {
                acceptedLate += 1
                addLate(record, took, end: record.acceptedAt ?? now)
            }
        case .waiting(_, isInTime: true):
            waitingInTime += 1
        case .waiting(let took, isInTime: false):
            waitingLate += 1
            addLate(record, took, end: now)
        case .expired(let took):
            expired += 1
            addLate(record, took, end: record.finishedAt ?? now)
        case .notMailed(let state):
            notMailed[state, default: 0] += 1
        }
    }

    /// Counts messages in that retention removed, of which only their day's statistics are known.
    mutating func add(_ day: PromiseDay) {
        let tally = day.tally
        requested += tally.requested
        summarized += tally.requested
        acceptedInTime += tally.acceptedInTime
        acceptedLate += tally.acceptedLate
        expired += tally.expired
        lateSummarized += tally.acceptedLate + tally.expired
        for (state, count) in tally.notMailed { notMailed[state, default: 0] += count }
        for (delay, count) in tally.delays.counts {
            // The slowest mail of all is known exactly.
            let bound = Duration.milliseconds(delay)
            times[tally.longest.map { min(bound, max($0, .zero)) } ?? bound, default: 0] += count
        }
    }

    /// The mails that the promise is about and that have an end, and the part of them for which it was kept, 0 to 1;
    /// `nil` where there are none.
    var kept: Double? {
        let all = acceptedInTime + acceptedLate + waitingLate + expired
        return all == 0 ? nil : Double(acceptedInTime) / Double(all)
    }

    /// The time to acceptance that the given part of the accepted mails did not exceed (nearest rank): exact for messages
    /// that are there, up to a sixteenth too long for summarized ones.
    func percentiles(_ parts: [Double]) -> [Duration]? {
        let sorted = times.sorted { $0.key < $1.key }
        let total = sorted.reduce(0) { $0 + $1.value }
        guard let longest = sorted.last?.key else { return nil }
        return parts.map { part in
            let rank = max(1, Int((part * Double(total)).rounded(.up)))
            var seen = 0
            return sorted.first { delay in
                seen += delay.value
                return seen >= rank
            }?.key ?? longest
        }
    }

    private mutating func addLate(_ record: PromiseRecord, _ took: Duration, end: Timestamp) {
        let fault: String
        let reason: String
        if let heldUntil = record.heldUntil, end <= heldUntil + patience {
            (fault, reason) = ("resend-limit", "requested more often than `limits` allow")
        } else if let known = record.fault {
            (fault, reason) = (known.rawValue, record.reason?.rawValue ?? "unknown")
        } else if record.lastAttempt == 0 {
            (fault, reason) = ("outboxd", "not tried: outboxd did not run, or no relay was up")
        } else {
            (fault, reason) = ("outboxd", "tried late: outboxd did not run, no relay was up, or too much waited")
        }
        late.append(Late(record: record, delay: took, fault: fault, reason: reason))
    }
}
