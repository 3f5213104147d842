// How delivery behaves, as plain values. Never reads a file.

package import OutboxCore

/// The knobs of the delivery services; the configuration file fills them.
package struct DeliverySettings: Sendable {
    /// The address for MAIL FROM, given the message's envelope id, which it may contain so that a report finds it.
    package var envelopeSender: @Sendable (_ envelopeID: String) -> String
    /// When to try again.
    package var schedule: RetrySchedule
    /// Conditions beside its time that hold or stop a message.
    package var rules: DeliveryRules
    /// How long the service holds, looks, keeps and waits.
    package var times: ServiceTimes
    /// How long outcomes are gathered before they are committed together.
    package var gathering: Duration
    /// How long a permanent refusal waits for the relay to accept something else before it is final: longer than a burst
    /// takes, short beside a person's patience.
    package var refusalHolding: Duration
    /// How long a look for damage in the outbox's tables may take.
    package var inspectionLimit: Duration

    /// How many claimed messages may wait for a lane, for each lane: enough to bridge a commit.
    static let claimsPerLane = 16

    /// Makes settings.
    package init(
        envelopeSender: @escaping @Sendable (_ envelopeID: String) -> String,
        schedule: RetrySchedule = RetrySchedule(),
        rules: DeliveryRules = DeliveryRules(),
        times: ServiceTimes = ServiceTimes(),
        gathering: Duration = .milliseconds(10),
        refusalHolding: Duration = .seconds(2),
        inspectionLimit: Duration = .seconds(30)
    ) {
        self.envelopeSender = envelopeSender
        self.schedule = schedule
        self.rules = rules
        self.rules.giveUpAfter = schedule.giveUpAfter
        self.times = times
        self.gathering = gathering
        self.refusalHolding = refusalHolding
        self.inspectionLimit = inspectionLimit
    }
}

/// The same moment by both clocks.
struct Moment {
    /// By the clock that is stored, which may be set.
    let now: Timestamp
    /// Since the machine's boot.
    let uptime: Duration
}

/// Time and chance, as delivery uses them, so that tests can choose both.
package struct DeliveryEnvironment: Sendable {
    /// The present, as it is stored.
    package var now: @Sendable () -> Timestamp
    /// The time since the machine's boot, suspension included. Unlike `now`, nobody sets it.
    package var uptime: @Sendable () -> Duration
    /// Waits for a span of time; throws `CancellationError` when its task is cancelled.
    package var sleep: @Sendable (Duration) async throws -> Void
    /// Draws a number from 0 up to but not including 1, for the jitter.
    package var chance: @Sendable () -> Double

    /// Makes an environment.
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
    /// Both clocks at one moment: a thread that was held up between two readings would take the delay for a step.
    func moment() -> Moment {
        while true {
            let before = uptime()
            let moment = Moment(now: now(), uptime: uptime())
            if moment.uptime - before < .milliseconds(100) { return moment }
        }
    }
}
