// The service's own times, with their defaults. Pure.

/// The service's periods for leases, polling, retention and shutdown.
package struct ServiceTimes: Sendable, Hashable {
    /// How long a claim on a message lasts unless a living daemon renews it. 10 seconds to 24 hours. After a
    /// crash, messages are tried again after this time and a third of it, half of it at most.
    package var lease: Duration = .seconds(60)
    /// How often the database is polled when no notification has announced a change; 10 ms to 1 hour.
    package var pollInterval: Duration = .seconds(1)
    /// How long final messages are kept; 1 hour to 3650 days, and at least `guidance.window`. `nil` means for ever.
    package var retention: Duration? = .seconds(30 * 86_400)
    /// How long messages that are being sent may take to finish when the service stops; 0 to 10 minutes.
    package var shutdownGrace: Duration = .seconds(20)

    /// Creates the default times.
    package init() {}
}
