// When a waiting person is told to do something other than wait. Never knows a message, never words the advice.

/// After `patience` without the mail, a person is told to check the junk folder and to request the mail again; after
/// `resends` such requests within `window`, to contact support. The row of `outbox_guidance`.
package struct Guidance: Sendable, Hashable {
    /// How long to wait for a mail before checking the junk folder and requesting again; 10 seconds to 1 hour.
    package var patience: Duration
    /// How many times to request again before contacting support; 0 to 10, where 0 means support at once.
    package var resends: Int
    /// How long a request counts; 1 minute to 7 days, at least `patience`.
    package var window: Duration

    /// Creates guidance; the defaults are those of the product's help page.
    package init(patience: Duration = .seconds(300), resends: Int = 1, window: Duration = .seconds(3600)) {
        self.patience = patience
        self.resends = resends
        self.window = window
    }
}
