// The size of the next slice of a long task, and the pause before it, in which others can use the database. Pure.

/// The pace of a task in slices, each of which holds the write lock. The slice size follows the duration of the last
/// slices.
package struct SlicePace: Sendable, Hashable {
    /// How long a slice should hold the write lock, its commit included.
    package static let aim = Duration.milliseconds(5)
    /// A slice ends after this time, even if it is not complete; the rest of the limit is for the commit.
    package static let budget = Duration.milliseconds(4)
    /// The maximum number of rows in a slice.
    package static let largest = 2000

    private static let shortestPause = Duration.milliseconds(50)
    /// How much longer other connections have the lock than we do.
    private static let shareOfOthers = 4

    /// The number of rows in the next slice.
    package private(set) var rows = 50
    /// How long to leave the lock to others before the next slice.
    package private(set) var pause = Self.shortestPause

    /// Creates a pace that begins with small slices.
    package init() {}

    /// Records how long a slice of this many rows held the lock.
    ///
    /// A slow slice at least halves the next one. A quick one lets it grow by a quarter, unless fewer rows than planned
    /// existed.
    package mutating func note(rows done: Int, held: Duration) {
        pause = max(Self.shortestPause, held * Self.shareOfOthers)
        if held > Self.aim {
            rows = max(1, min(rows, done) / 2)
        } else if held < Self.aim / 2, done >= rows {
            rows = min(Self.largest, rows + max(1, rows / 4))
        }
    }
}
