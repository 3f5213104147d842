// Learns how many connections a relay accepts, from the connections that it refuses while it serves others. Pure.

import OutboxCore

/// The connection limit that a relay has shown so far.
struct ConnectionLimit {
    /// The highest number of connections; `nil` if the relay has not refused a connection beside others.
    private(set) var value: Int?
    /// The number of open connections at the last refusal; `nil` unless that number is still to be confirmed.
    private var candidate: Int?
    /// When to try one connection more than the limit; `nil` if there is no limit.
    private(set) var triesMoreAt: Timestamp?
    private var interval = Self.firstInterval

    /// The time until one more connection than the limit is tried, because limits may be temporary. Each refused try
    /// doubles the interval; an accepted connection resets it.
    private static let firstInterval = Duration.seconds(30)
    private static let longestInterval = Duration.seconds(600)

    /// Notes that the relay refused a connection while `open` others were open.
    mutating func refused(open: Int, now: Timestamp) {
        if let value, open >= value {
            // The limit is known already: the try for one more connection failed.
            interval = min(interval * 2, Self.longestInterval)
            triesMoreAt = now + interval
        } else {
            candidate = open
        }
    }

    /// Notes that the relay accepted a message. The relay works, so a refused connection was one too many.
    ///
    /// - Parameter connecting: how many connections are being opened. The number is certain only if this is 0.
    /// - Returns: the limit, if it was just learned or lowered.
    mutating func accepted(open: Int, connecting: Int, now: Timestamp) -> Int? {
        guard candidate != nil, connecting == 0 else { return nil }
        candidate = nil
        let learned = max(1, open)
        if let value, value <= learned { return nil }
        value = learned
        interval = Self.firstInterval
        triesMoreAt = now + interval
        return learned
    }

    /// Notes the number of open connections.
    mutating func opened(_ open: Int, now: Timestamp) {
        guard let value, open > value else { return }
        self.value = open
        interval = Self.firstInterval
        triesMoreAt = now + interval
    }

    /// The relay is down, so that its refused connections prove no limit.
    mutating func forget() { self = ConnectionLimit() }

    /// Whether another connection may be opened.
    func permitsAnother(open: Int, now: Timestamp) -> Bool {
        guard let value else { return true }
        // A clock that was set back doesn't make the wait longer.
        let triesMore = triesMoreAt.map { $0 <= now || $0 > now + interval } ?? true
        return open < (triesMore ? value + 1 : value)
    }
}
