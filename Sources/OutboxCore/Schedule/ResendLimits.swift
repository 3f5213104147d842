// How often one address may be sent one kind of mail. Pure: history and present come in as arguments.

/// Keeps anybody from using the product's form to flood a stranger's inbox: a limit delays a mail, it never drops it.
package struct ResendLimits: Hashable, Sendable {
    /// Mails of one kind to one address are at least so far apart; 0 to 1 hour in the configuration file.
    package var minimumInterval: Duration
    /// At most so many of them within an hour; 1 to 1,000.
    package var perHour: Int

    /// The highest `perHour`: no history longer than this decides anything.
    package static let mostPerHour = 1000

    private static let hour = Duration.seconds(3600)

    /// Makes limits; the defaults are those of the configuration file.
    package init(minimumInterval: Duration = .seconds(60), perHour: Int = 6) {
        precondition(perHour >= 1, "a limit delays, it never drops")
        self.minimumInterval = minimumInterval
        self.perHour = perHour
    }

    /// How far back the history matters.
    package var memory: Duration { max(minimumInterval, Self.hour) }

    /// When the next mail may go.
    ///
    /// The limit of an hour gives way to the token's own deadline, because a token that is never mailed would be a mail
    /// that was dropped. Superseding keeps that from being a way around the limit: of many tokens one is left.
    /// - Parameters:
    ///   - sent: when earlier mails of the kind were sent to the address, in any order.
    ///   - now: the present.
    ///   - deadline: after this moment the mail is not sent any more.
    /// - Returns: `nil` where it may go at once.
    package func nextMoment(sent: [Timestamp], now: Timestamp, deadline: Timestamp) -> Timestamp? {
        let newestFirst = sent.sorted(by: >)
        var moment = now
        if let last = newestFirst.first { moment = max(moment, last + minimumInterval) }
        if newestFirst.count >= perHour { moment = max(moment, newestFirst[perHour - 1] + Self.hour) }
        moment = min(moment, deadline - RetrySchedule.lastAttemptMargin)
        return moment > now ? moment : nil
    }
}
