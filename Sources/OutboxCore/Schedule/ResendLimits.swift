// How often mails of one kind may be sent to one address. Pure: history and time are arguments.

/// Prevents a flood of a stranger's inbox through the product's form. A limit delays a mail; it never drops it.
package struct ResendLimits: Hashable, Sendable {
    /// The minimum interval between mails of one kind to one address; 0 to 1 hour in the configuration file.
    package var minimumInterval: Duration
    /// The maximum number of them within an hour; 1 to 1,000.
    package var perHour: Int

    /// The highest `perHour`: older entries of the history never matter.
    package static let mostPerHour = 1000

    private static let hour = Duration.seconds(3600)

    /// Creates limits; the defaults are those of the configuration file.
    package init(minimumInterval: Duration = .seconds(60), perHour: Int = 6) {
        precondition(perHour >= 1, "a limit delays, it never drops")
        self.minimumInterval = minimumInterval
        self.perHour = perHour
    }

    /// How far back the history matters.
    package var memory: Duration { max(minimumInterval, Self.hour) }

    /// When the next mail may be sent.
    ///
    /// The hourly limit yields to the token's own deadline, because a token that is never mailed would be a dropped
    /// mail. Superseding keeps this from becoming a way around the limit: only the newest of many tokens remains.
    /// - Parameters:
    ///   - sent: when earlier mails of the kind were sent to the address, in any order.
    ///   - now: the present.
    ///   - deadline: the mail is not sent after this time.
    /// - Returns: `nil` where the mail may be sent at once.
    package func nextMoment(sent: [Timestamp], now: Timestamp, deadline: Timestamp) -> Timestamp? {
        let newestFirst = sent.sorted(by: >)
        var moment = now
        if let last = newestFirst.first { moment = max(moment, last + minimumInterval) }
        if newestFirst.count >= perHour { moment = max(moment, newestFirst[perHour - 1] + Self.hour) }
        moment = min(moment, deadline - RetrySchedule.lastAttemptMargin)
        return moment > now ? moment : nil
    }
}
