// Measures how well the promise was kept: counts, percentiles, and the cause of late mails. Pure.

import OutboxCore
import OutboxStore

/// The results of mails against the promise; see `PromiseOutcome`.
struct PromiseMeasure: Encodable, Sendable {
    /// A mail that was late or still is.
    struct Late: Sendable {
        let record: PromiseRecord
        /// The time to acceptance, or the time so far.
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
    /// Messages that were not meant to be mailed, by state.
    private(set) var notMailed: [MessageState: Int] = [:]
    private(set) var late: [Late] = []
    /// How many requested messages retention has removed, so that only their day's statistics remain.
    private(set) var summarized = 0
    /// How many of these were late; ``late`` doesn't contain them.
    private(set) var lateSummarized = 0
    /// The number of accepted mails for each time to acceptance.
    private var times: [Duration: Int] = [:]
    /// How many mails' links or codes were used: these mails arrived and were read. Retention forgets this number.
    private(set) var redeemed = 0
    /// The number of these for each time from the request to the redemption.
    private var redemptionTimes: [Duration: Int] = [:]

    /// The counts, named as in JSON and in the columns of `outbox_day`.
    private enum CodingKeys: String, CodingKey {
        case requested, summarized, expired, redeemed
        case acceptedInTime = "accepted_in_time"
        case acceptedLate = "accepted_late"
        case waitingLate = "waiting_late"
        case waitingInTime = "waiting_in_time"
    }

    init(patience: Duration, now: Timestamp) {
        self.patience = patience
        self.now = now
    }

    /// Counts one message.
    mutating func add(_ record: PromiseRecord) {
        requested += 1
        if let redeemedAt = record.redeemedAt {
            redeemed += 1
            redemptionTimes[max(.zero, redeemedAt.timeSince(record.requestedAt)), default: 0] += 1
        }
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

    /// Counts a day's messages that retention has removed, from that day's statistics.
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
            // The exact time of the slowest mail is known.
            let bound = Duration.milliseconds(delay)
            times[tally.longest.map { min(bound, max($0, .zero)) } ?? bound, default: 0] += count
        }
    }

    /// The fraction of finished mails under the promise for which it was kept, from 0 to 1; `nil` if there are no such
    /// mails.
    var kept: Double? {
        let all = acceptedInTime + acceptedLate + waitingLate + expired
        return all == 0 ? nil : Double(acceptedInTime) / Double(all)
    }

    /// The time to acceptance that the given fraction of the accepted mails did not exceed (nearest rank). Exact for
    /// existing messages, and up to a sixteenth too long for summarised ones.
    func percentiles(_ parts: [Double]) -> [Duration]? { Self.percentiles(parts, of: times) }

    /// The time from the request to the redemption that the given fraction of the redeemed mails did not exceed.
    func redemptionPercentiles(_ parts: [Double]) -> [Duration]? { Self.percentiles(parts, of: redemptionTimes) }

    private static func percentiles(_ parts: [Double], of times: [Duration: Int]) -> [Duration]? {
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
        if record.restoredAt != nil {
            (fault, reason) = ("restored-file", "open in a restored database; see outboxctl accept-restored")
        } else if let heldUntil = record.heldUntil, end <= heldUntil + patience {
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
