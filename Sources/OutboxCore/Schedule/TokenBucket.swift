// Limits the number of messages per second. Pure: the time is an argument.

/// A token bucket: at most `rate` per second on average, and a burst of one second's worth, but at least one.
package struct TokenBucket: Hashable, Sendable {
    private let rate: Double
    private let size: Double
    private var level: Double
    private var filledAt: Timestamp

    /// Creates a full bucket.
    ///
    /// - Parameter rate: tokens per second, above 0.
    package init(rate: Double, now: Timestamp) {
        precondition(rate > 0, "a rate is above 0")
        self.rate = rate
        size = max(1, rate)
        level = size
        filledAt = now
    }

    /// When a token can be taken: now, or later.
    package mutating func nextToken(now: Timestamp) -> Timestamp {
        fill(now)
        if level >= 1 { return now }
        return now + .milliseconds(max(1, Int64(((1 - level) / rate * 1000).rounded(.up))))
    }

    /// Takes a token, if there is one.
    package mutating func take(now: Timestamp) -> Bool {
        fill(now)
        guard level >= 1 else { return false }
        level -= 1
        return true
    }

    /// A clock that went back adds no tokens.
    private mutating func fill(_ now: Timestamp) {
        let elapsed = Double(max(0, now.milliseconds - filledAt.milliseconds)) / 1000
        level = min(size, level + elapsed * rate)
        filledAt = now
    }
}
