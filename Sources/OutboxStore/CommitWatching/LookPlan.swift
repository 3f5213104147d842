// Decides when to read the commit counter. Never reads it, and never asks a clock.

/// The moments of the looks, as a value.
///
/// The commit of a write becomes visible up to one fsync later. So after a write the counter is read at once, and again
/// with growing gaps until it changes. After a change the next look waits for ``gathering`` or ``gatheringInBacklog``, so
/// that an application with any number of commits causes a bounded number of looks.
struct LookPlan {
    /// The gap after a look that found a commit.
    static let gathering = Duration.milliseconds(5)
    /// The same while more messages are due than can be sent. Most commits are this program's own then, and even an urgent
    /// message waits for a lane.
    static let gatheringInBacklog = Duration.milliseconds(25)
    /// Milliseconds after a write at which to look while the counter stands still. The gaps are small, so that a commit
    /// is seen with at most a quarter of its delay added.
    static let afterWrite = [0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256]
    /// Milliseconds after a look that found a commit at which to look even without a notification: another write may
    /// have preceded the request for the next notification.
    static let afterCommit = [5, 15, 50, 150, 300]

    /// When to look next.
    private(set) var next: ContinuousClock.Instant
    /// Whether the next write must be reported. Until then, one report says as much as the hundreds that would follow.
    private(set) var watchesAgain = true

    private let pollInterval: Duration
    private var series: Series?
    private var earliest: ContinuousClock.Instant

    /// Looks that belong together; each has a place in `offsets`.
    private struct Series {
        let begin: ContinuousClock.Instant
        let offsets: [Int]
        var place = 0
        let followsWrite: Bool

        var next: ContinuousClock.Instant { begin + .milliseconds(offsets[place]) }
    }

    /// Looks at once.
    init(pollInterval: Duration, now: ContinuousClock.Instant) {
        self.pollInterval = pollInterval
        next = now
        earliest = now
    }

    /// A file was written to.
    mutating func written(at now: ContinuousClock.Instant) {
        watchesAgain = false
        // A write within a series belongs to the commit that the series waits for, or to the next one. If it began the
        // series anew each time, one long transaction would cause looks without end.
        if let series, series.followsWrite, now < series.begin + Self.gathering { return }
        begin(Series(begin: now, offsets: Self.afterWrite, followsWrite: true), at: now)
    }

    /// The counter was read.
    mutating func looked(at now: ContinuousClock.Instant, foundCommit: Bool, hasBacklog: Bool = false) {
        watchesAgain = true
        if foundCommit {
            earliest = now + (hasBacklog ? Self.gatheringInBacklog : Self.gathering)
            begin(Series(begin: now, offsets: Self.afterCommit, followsWrite: false), at: now)
        } else if var series, series.place + 1 < series.offsets.count {
            series.place += 1
            begin(series, at: now)
        } else {
            series = nil
            next = now + pollInterval
        }
    }

    /// The counter could not be read.
    mutating func failed(at now: ContinuousClock.Instant) {
        watchesAgain = true
        series = nil
        earliest = now + pollInterval
        next = earliest
    }

    private mutating func begin(_ series: Series, at now: ContinuousClock.Instant) {
        self.series = series
        next = max(series.next, earliest, now)
    }
}
