// The delays between the attempts of one message, as the configuration file gives them.
// Never draws a random number and never looks at a clock.

/// When a deferred message is tried again.
package struct RetrySettings: Sendable, Equatable {
    /// The delay after the first attempt, after the second and so on; the last one repeats. 1 to 100 delays of
    /// 10 milliseconds to 24 hours.
    ///
    /// The first twelve delays of the default take 290 seconds, less than the five minutes that a person waits:
    ///
    /// | attempts | delay after each |
    /// |---|---|
    /// | 1, 2, 3, 4 | 5 s, 10 s, 15 s, 20 s |
    /// | 5 to 12 | 30 s |
    /// | 13, 14, 15, 16 | 1 min, 2 min, 5 min, 10 min |
    /// | 17 and later | 15 min |
    package var delays: [Duration] =
        [5, 10, 15, 20, 30, 30, 30, 30, 30, 30, 30, 30, 60, 120, 300, 600, 900].map { .seconds($0) }
    /// The part of each delay by which it varies at random in either direction; 0 to 0.5.
    package var jitter = 0.2

    /// The default schedule.
    package init() {}
}
