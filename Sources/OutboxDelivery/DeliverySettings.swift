// The settings of delivery as plain values. Never reads a file.

package import OutboxCore

/// The settings of the delivery services; the configuration file fills them.
package struct DeliverySettings: Sendable {
    /// The address for MAIL FROM of a message. It may contain the envelope id, so that a report can be matched to the
    /// message.
    package var envelopeSender: @Sendable (_ envelopeID: String) -> String
    /// Whether that address contains the envelope id, so that reports arrive and find their message.
    package var receivesReports: Bool
    /// When to try again.
    package var schedule: RetrySchedule
    /// Conditions other than time that hold or stop a message.
    package var rules: DeliveryRules
    /// The service's intervals, timeouts and retention.
    package var times: ServiceTimes
    /// How long outcomes are collected before they are committed together.
    package var gathering: Duration
    /// How long a permanent refusal waits for the relay to accept another message before it becomes final. The time is
    /// longer than a burst of messages takes, and short compared with a person's patience.
    package var refusalHolding: Duration
    /// Time limit of an inspection of the outbox's tables for damage.
    package var inspectionLimit: Duration

    /// Creates settings.
    package init(
        envelopeSender: @escaping @Sendable (_ envelopeID: String) -> String,
        receivesReports: Bool = false,
        schedule: RetrySchedule = RetrySchedule(),
        rules: DeliveryRules = DeliveryRules(),
        times: ServiceTimes = ServiceTimes(),
        gathering: Duration = .milliseconds(10),
        refusalHolding: Duration = .seconds(2),
        inspectionLimit: Duration = .seconds(30)
    ) {
        self.envelopeSender = envelopeSender
        self.receivesReports = receivesReports
        self.schedule = schedule
        self.rules = rules
        self.rules.giveUpAfter = schedule.giveUpAfter
        self.times = times
        self.gathering = gathering
        self.refusalHolding = refusalHolding
        self.inspectionLimit = inspectionLimit
    }
}

/// One moment, read from both clocks.
struct Moment {
    /// The stored clock, which may be set.
    let now: Timestamp
    /// Since the machine's boot.
    let uptime: Duration
}

/// Time and randomness for delivery, so that tests can choose both.
package struct DeliveryEnvironment: Sendable {
    /// The current time on the stored clock.
    package var now: @Sendable () -> Timestamp
    /// The time since the machine's boot, suspension included. Unlike `now`, it can't be set.
    package var uptime: @Sendable () -> Duration
    /// Waits for a span of time; throws `CancellationError` when its task is cancelled.
    package var sleep: @Sendable (Duration) async throws -> Void
    /// Draws a number from 0 up to but not including 1, for the jitter.
    package var chance: @Sendable () -> Double

    /// Creates an environment.
    package init(
        now: @escaping @Sendable () -> Timestamp,
        uptime: @escaping @Sendable () -> Duration,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        chance: @escaping @Sendable () -> Double
    ) {
        self.now = now
        self.uptime = uptime
        self.sleep = sleep
        self.chance = chance
    }
}

extension DeliveryEnvironment {
    /// Reads both clocks in one call, because a delay between two separate readings would look like a clock step.
    func moment() -> Moment {
        while true {
            let before = uptime()
            let moment = Moment(now: now(), uptime: uptime())
            if moment.uptime - before < .milliseconds(100) { return moment }
        }
    }
}
