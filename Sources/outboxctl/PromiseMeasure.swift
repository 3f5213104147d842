// How well the promise was kept: counts, percentiles, and whose fault the late ones are. Pure.

import OutboxCore
import OutboxStore

/// The promise is that a relay accepts a mail within a person's patience, counted from the request, or from
/// `not_before` where the application asked to wait.
struct PromiseMeasure: Sendable {
    /// A mail that was late, or that still is.
    struct Late: Sendable {
        let record: PromiseRecord
        /// How long it took, or has taken so far.
        let took: Duration
        /// `relay`, `configuration`, `recipient`, `message`, `outboxd`, or `resend-limit`.
        let faultOf: String
        let reason: String
    }

    let patience: Duration
    let now: Timestamp

    private(set) var requested = 0
    private(set) var inTime = 0
    private(set) var acceptedLate = 0
    private(set) var waitingLate = 0
    private(set) var waitingInTime = 0
    private(set) var expired = 0
    /// Messages that were not to be mailed, by state.
    private(set) var unmailed: [MessageState: Int] = [:]
    private(set) var late: [Late] = []
    private var times: [Duration] = []

    init(patience: Duration, now: Timestamp) {
        self.patience = patience
        self.now = now
    }

    /// Counts a message in.
    mutating func add(_ record: PromiseRecord) {
        requested += 1
        let start = max(record.requestedAt, record.notBefore ?? record.requestedAt)
        if let acceptedAt = record.acceptedAt {
            let took = acceptedAt.timeSince(start)
            times.append(took)
            if took <= patience {
                inTime += 1
            } else {
                acceptedLate += 1
                addLate(record, took, end: acceptedAt)
            }
            return
        }
        switch record.state {
        case .queued, .sending, .deferred:
            let took = now.timeSince(start)
            if took <= patience {
                waitingInTime += 1
            } else {
                waitingLate += 1
                addLate(record, took, end: now)
            }
        case .expired:
            expired += 1
            let end = record.finishedAt ?? now
            addLate(record, end.timeSince(start), end: end)
        case .accepted, .bounced, .rejected, .superseded, .suppressed, .cancelled:
            unmailed[record.state, default: 0] += 1
        }
    }

    /// The mails that the promise is about and that have an end, and the part of them for which it was kept, 0 to 1;
    /// `nil` where there are none.
    var kept: Double? {
        let all = inTime + acceptedLate + waitingLate + expired
        return all == 0 ? nil : Double(inTime) / Double(all)
    }

    /// The time to acceptance that the given part of the accepted mails did not exceed (nearest rank).
    func percentiles(_ parts: [Double]) -> [Duration]? {
        guard !times.isEmpty else { return nil }
        let sorted = times.sorted()
        return parts.map { sorted[max(0, Int(($0 * Double(sorted.count)).rounded(.up)) - 1)] }
    }

    private mutating func addLate(_ record: PromiseRecord, _ took: Duration, end: Timestamp) {
        let faultOf: String
        let reason: String
        if let heldUntil = record.heldUntil, end <= heldUntil + patience {
            (faultOf, reason) = ("resend-limit", "requested more often than `limits` allow")
        } else if let fault = record.lastFault {
            (faultOf, reason) = (fault, record.lastReason ?? "unknown")
        } else if record.attempts == 0 {
            (faultOf, reason) = ("outboxd", "not tried: outboxd did not run, or no relay was up")
        } else {
            (faultOf, reason) = ("outboxd", "tried late: outboxd did not run, no relay was up, or too much waited")
        }
        late.append(Late(record: record, took: took, faultOf: faultOf, reason: reason))
    }
}
