// Decides how many claims may wait for a lane. Knows neither the claims nor the lanes.

import OutboxCore

/// How many claims may wait for a lane: enough to bridge the store's transactions, and no more. A claim that waits here is
/// one of those that count as interrupted if the process dies.
///
/// A relay that accepts mail so quickly that the lanes empty the usual queue within a few transactions gets a deeper one.
/// Otherwise the lanes would wait for the store. The deeper queue is still a matter of ``quickTime``.
struct QueueDepth {
    private static let usualPerLane = 16
    private static let quickPerLane = 32
    /// The pool is quick if it accepts a quarter of the usual queue within this time of adding claims.
    private static let quickTime = Duration.milliseconds(40)

    let lanes: Int
    private var acceptances = 0
    private var addedAt: Timestamp?
    private var isQuick = false

    init(lanes: Int) { self.lanes = lanes }

    private var usual: Int { lanes * Self.usualPerLane }

    /// How many claims may wait.
    var limit: Int { isQuick ? lanes * Self.quickPerLane : usual }

    /// How many of `limit` places must be free for a request to the store: half of them, or a third of a deep queue, which
    /// is more. Each request is a transaction; a transaction for every few claims would cost more than the messages do.
    func isWorthRequest(_ room: Int, of limit: Int) -> Bool { room > limit / (isQuick ? 3 : 2) }

    /// A mail was accepted.
    mutating func accepted() { acceptances += 1 }

    /// Claims were added to the queue.
    mutating func added(at now: Timestamp) {
        let elapsed = addedAt.map { now.timeSince($0) } ?? .seconds(3600)
        isQuick = acceptances >= usual / 4 && elapsed >= .zero && elapsed <= Self.quickTime
        acceptances = 0
        addedAt = now
    }
}
