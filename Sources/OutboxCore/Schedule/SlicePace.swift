// How much of a long work to do at once, and how long to leave the database to others then. Pure.

/// The pace of a work that goes on in slices, each of which holds the write lock: the size follows what the last slices took.
package struct SlicePace: Sendable, Hashable {
    /// How long a slice ought to hold the write lock, its commit included.
    package static let aim = Duration.milliseconds(10)
    /// After so long a slice ends, whatever it has done by then; what remains of the limit is for the commit.
    package static let budget = Duration.milliseconds(8)
    /// The most rows of a slice.
    package static let largest = 2000

    private static let shortestPause = Duration.milliseconds(50)
    /// How much longer others have the lock than we do.
    private static let shareOfOthers = 4

    /// The rows of the next slice.
    package private(set) var rows = 50
    /// How long to leave the lock to others before it.
    package private(set) var pause = Self.shortestPause

    /// Begins with small slices.
    package init() {}

    /// A slice of so many rows held the lock for so long.
    ///
    /// A slow slice halves the next one at least; a quick one lets it grow by a quarter, unless there were not so many rows.
    package mutating func note(rows done: Int, held: Duration) {
        pause = max(Self.shortestPause, held * Self.shareOfOthers)
        if held > Self.aim {
            rows = max(1, min(rows, done) / 2)
        } else if held < Self.aim / 2, done >= rows {
            rows = min(Self.largest, rows + max(1, rows / 4))
        }
    }
}
