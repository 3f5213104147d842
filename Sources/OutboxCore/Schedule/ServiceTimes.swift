// The service's own times, with their defaults. Pure.

/// How long the service holds, looks, keeps and waits.
package struct ServiceTimes: Sendable, Hashable {
    /// How long a claim on a message lasts unless it is renewed, which a living daemon does: so long after a crash its
    /// messages are tried again; 10 seconds to 24 hours.
    package var lease: Duration = .seconds(60)
    /// How often the database is looked at when nothing has announced a change; 10 ms to 1 hour.
    package var pollInterval: Duration = .seconds(1)
    /// How long final messages stay; 1 hour to 3650 days, and at least `guidance.window`. `nil`: for ever.
    package var retention: Duration? = .seconds(30 * 86_400)
    /// How long messages that are being sent may take to finish when the service stops; 0 to 10 minutes.
    package var shutdownGrace: Duration = .seconds(20)

    /// The defaults.
    package init() {}
}
