// When a person who waits is told to do something else than wait. Never knows a message, never words the advice.

/// After `patience` without the mail a person is told to look in Junk and to request it again; after `resends` such requests
/// within `window`, to contact support. The row of `outbox_guidance`.
package struct Guidance: Sendable, Hashable {
    /// How long to wait for a mail before looking in Junk and asking again; 10 seconds to 1 hour.
    package var patience: Duration
    /// How many times to ask again before contacting support; 0 to 10, where 0 means support at once.
    package var resends: Int
    /// Within which time those count; 1 minute to 7 days, at least `patience`.
    package var window: Duration

    /// Makes it; the defaults are those of the product's help page.
    package init(patience: Duration = .seconds(300), resends: Int = 1, window: Duration = .seconds(3600)) {
        self.patience = patience
        self.resends = resends
        self.window = window
    }
}
