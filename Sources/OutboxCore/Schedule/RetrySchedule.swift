// When the next attempt is due. Pure: randomness and time are arguments.

/// The delays between the attempts of one message, designed for a person who waits five minutes.
///
/// With the default list, jitter aside:
///
/// | attempt | 1 | 2 | 3 | 4 | 5 | 6 | 7 | … | 13 | 14 | 15 | 16 | 17 | 18 | 19 … |
/// |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
/// | seconds after the request | 0 | 5 | 15 | 30 | 50 | 80 | 110 | +30 | 290 | 350 | 470 | 770 | 1370 | 2270 | +900 |
///
/// RFC 5321 §4.5.4.1 asks for 30 minutes between attempts at another site's server but allows other strategies. This is
/// our own relay, and a late token is worth little.
package struct RetrySchedule: Hashable, Sendable {
    /// The delay after the first attempt, after the second, and so on; the last one repeats. Never empty.
    /// In the configuration file 1 to 100 delays of 10 milliseconds to 24 hours.
    package var delays: [Duration]
    /// How far a delay may deviate from the listed one: 0.2 is ±20 %. Keeps messages that failed together from being
    /// retried together.
    package var jitter: Double
    /// How long a message without `expires_at` is tried, from its request or its `not_before` on, whichever is later.
    package var giveUpAfter: Duration

    /// The last attempt before the deadline is made this long before it, so that the mail is still useful when it is
    /// opened.
    package static let lastAttemptMargin = Duration.seconds(2)

    /// How long a message is tried by default.
    package static let defaultGiveUpAfter = Duration.seconds(24 * 3600)

    /// The default list of delays: 5, 10, 15, 20 s, then 30 s until five minutes have passed, then 1 to 15 minutes.
    package static let defaultDelays: [Duration] =
        [.seconds(5), .seconds(10), .seconds(15), .seconds(20)]
        + Array(repeating: .seconds(30), count: 8)
        + [.seconds(60), .seconds(120), .seconds(300), .seconds(600), .seconds(900)]

    /// - Parameters:
    ///   - delays: at least one.
    ///   - jitter: from 0 to below 1.
    ///   - giveUpAfter: for messages that have no `expires_at`.
    package init(
        delays: [Duration] = Self.defaultDelays,
        jitter: Double = 0.2,
        giveUpAfter: Duration = Self.defaultGiveUpAfter
    ) {
        precondition(!delays.isEmpty && (0..<1).contains(jitter), "a schedule has a delay, and jitter below 1")
        self.delays = delays
        self.jitter = jitter
        self.giveUpAfter = giveUpAfter
    }

    /// The longest delay that the schedule can draw.
    package var longestDelay: Duration { (delays.max() ?? .zero) * (1 + jitter) }

    /// The message is no longer sent after this time.
    ///
    /// A message that has to wait for its `not_before` is tried as long as any other, counted from `not_before`.
    /// Counted from its request, it would expire before it may be sent.
    package func deadline(of message: Message) -> Timestamp {
        if let deadline = message.deadline { return deadline }
        return message.awaitedFrom + giveUpAfter
    }

    /// When to try again after the given attempt has failed.
    ///
    /// The last attempt is moved forward to just before the deadline instead of being skipped.
    /// - Parameters:
    ///   - attempt: the number of attempts used up, from 1.
    ///   - retryAfter: the delay that the other side asked for, which replaces the listed one.
    ///   - now: when it failed.
    ///   - deadline: no attempt is made after this time.
    ///   - chance: the position within the jitter's range, from 0 up to but not including 1.
    /// - Returns: `nil` where the deadline leaves no time for another attempt.
    package func nextAttempt(
        after attempt: Int,
        retryAfter: Duration? = nil,
        now: Timestamp,
        deadline: Timestamp,
        chance: Double
    ) -> Timestamp? {
        precondition(attempt >= 1, "attempts are numbered from 1")
        let listed = delays[min(attempt, delays.count) - 1]
        let next = now + (retryAfter ?? listed * (1 - jitter + 2 * jitter * chance))
        let latest = deadline - Self.lastAttemptMargin
        if next <= latest { return next }
        return latest > now ? latest : nil
    }
}
