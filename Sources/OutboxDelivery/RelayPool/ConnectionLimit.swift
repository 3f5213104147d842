// How many connections a relay takes, learned from those that it refuses while it serves others. Pure.

import OutboxCore

/// A relay's limit on connections, as far as it has shown.
struct ConnectionLimit {
    /// How many connections it takes at most; `nil` where it has refused none beside others.
    private(set) var value: Int?
    /// How many were open when it refused one; `nil` unless that is still to be confirmed.
    private var candidate: Int?
    /// When one more than the limit is tried; `nil` where there is no limit.
    private(set) var triesMoreAt: Timestamp?
    private var interval = Self.firstInterval

    /// After this time one more connection than the limit is tried: limits of the moment pass. Each refused try doubles it,
    /// and a connection that is taken begins with it anew.
    private static let firstInterval = Duration.seconds(30)
    private static let longestInterval = Duration.seconds(600)

    /// It refused a connection, while so many others were open.
    mutating func refused(open: Int, now: Timestamp) {
        if let value, open >= value {
            // Known already: the try for one more failed.
            interval = min(interval * 2, Self.longestInterval)
            triesMoreAt = now + interval
        } else {
            candidate = open
        }
    }

    /// It accepted a message, so it works: a refused connection was one too many.
    ///
    /// - Parameter connecting: how many connections are being opened. Only when there are none is the number certain.
    /// - Returns: the limit, where it became known or smaller just now.
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

    /// So many connections are open now.
    mutating func opened(_ open: Int, now: Timestamp) {
        guard let value, open > value else { return }
        self.value = open
        interval = Self.firstInterval
        triesMoreAt = now + interval
    }

    /// The relay is down: the connections that it refused tell nothing of a limit.
    mutating func forget() { self = ConnectionLimit() }

    /// Whether one more may be opened.
    func permitsAnother(open: Int, now: Timestamp) -> Bool {
        guard let value else { return true }
        // A clock that was set back makes nobody wait longer.
        let triesMore = triesMoreAt.map { $0 <= now || $0 > now + interval } ?? true
        return open < (triesMore ? value + 1 : value)
    }
}
