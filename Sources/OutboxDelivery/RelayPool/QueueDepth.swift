// Decides how many claims may wait in the pool's queue. Knows neither the claims nor the lanes.

import OutboxCore

/// How many claims may wait: enough to bridge the store's transactions, and no more. A claim that waits counts as
/// interrupted if the process dies.
///
/// If the relays accept mail quickly, the lanes empty the usual queue within a few transactions and wait for the store. Then
/// twice as many claims may wait. At the slowest pace that counts as quick, these are a third of a second's work.
struct QueueDepth {
    private static let usualPerLane = 16
    private static let deepPerLane = 32
    /// The pace is quick if a quarter of the usual queue is accepted within this time.
    private static let quickTime = Duration.milliseconds(40)
    /// How long a quick pace is remembered: longer than any pause for the store, and not longer than a burst.
    private static let memory = Duration.seconds(1)

    let lanes: Int
    private var acceptances = 0
    private var countsFrom: Timestamp?
    private var quickAt: Timestamp?

    init(lanes: Int) { self.lanes = lanes }

    /// How many claims may wait at an ordinary pace.
    var usual: Int { lanes * Self.usualPerLane }

    /// How many claims may wait now.
    func limit(at now: Timestamp) -> Int {
        guard let quickAt, quickAt <= now, now < quickAt + Self.memory else { return usual }
        return lanes * Self.deepPerLane
    }

    /// How many of `limit` places must be free for a request to the store: half of them, or a third of a deep queue, which
    /// is more. Each request is a transaction; a transaction for every few claims would cost more than the messages do.
    func isWorthRequest(_ room: Int, of limit: Int) -> Bool { room > limit / (limit > usual ? 3 : 2) }

    /// A mail was accepted.
    mutating func accepted(at now: Timestamp) {
        acceptances += 1
        guard acceptances > usual / 4 else {
            countsFrom = countsFrom ?? now
            return
        }
        // The first acceptance only begins the time.
        if let countsFrom, countsFrom <= now, now <= countsFrom + Self.quickTime { quickAt = now }
        (acceptances, countsFrom) = (1, now)
    }
}
