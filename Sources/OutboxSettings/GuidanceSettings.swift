// What people who wait for a mail are told, and when.
// Never knows a message, never words the advice.

/// After `patience` without the mail a person is told to look in Junk and to request it again; after `resends` such
/// requests within `window`, to contact support.
package struct GuidanceSettings: Sendable, Equatable {
    /// How long to wait for the mail; 10 seconds to 1 hour.
    package var patience: Duration = .seconds(5 * 60)
    /// How many times a person is told to request the mail again; 0 to 10, where 0 means support at once.
    package var resends = 1
    /// The time within which requests count; 1 minute to 7 days, at least `patience`.
    package var window: Duration = .seconds(60 * 60)

    /// The defaults.
    package init() {}
}
