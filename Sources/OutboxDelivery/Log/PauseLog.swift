// Decides which of a relay's recurring pauses are logged. Holds no clock and writes nothing.

import OutboxCore

/// The pauses of one relay for one reason, including the times when it is suspected for that reason.
///
/// | pause | logged |
/// |---|---|
/// | the first, or the first after a minute or more without a pause | at once |
/// | further pauses | 1 min after the last line, then after 2, 4, 8 … 60 min, with the number of pauses meanwhile |
/// | a pause that was not logged, and lasts for a minute | after that minute |
///
/// The end of a pause is logged if its beginning was. A relay that limits a rate pauses for a second each time; one
/// line for each pause would hide everything else.
struct PauseLog: Sendable {
    private var isSaid = false
    private var unsaid = 0
    private var beganAt = Duration.zero
    private var endedAt: Duration?
    private var saysAgain = Duration.zero
    private var distance = Self.firstDistance

    private static let firstDistance = Duration.seconds(60)
    private static let longestDistance = Duration.seconds(3600)

    /// Notes that a pause begins.
    ///
    /// - Parameter now: the time since any fixed moment, by a clock that can't be set.
    /// - Returns: the number of unlogged pauses since the last logged one; `nil` if this pause isn't logged either.
    mutating func begins(now: Duration) -> Int? {
        let recurs = endedAt.map { now < $0 + Self.firstDistance } ?? false
        beganAt = now
        if recurs, now < saysAgain {
            unsaid += 1
            isSaid = false
            return nil
        }
        if !recurs { unsaid = 0 }
        distance = recurs ? min(distance * 2, Self.longestDistance) : Self.firstDistance
        return say(now: now)
    }

    /// Notes that the pause goes on.
    ///
    /// - Returns: the same number if the pause should be logged now; otherwise `nil`.
    mutating func lasts(now: Duration) -> Int? {
        guard !isSaid, now >= beganAt + Self.firstDistance else { return nil }
        unsaid -= 1
        return say(now: now)
    }

    /// Notes that the pause ends.
    ///
    /// - Returns: whether to log the end.
    mutating func ends(now: Duration) -> Bool {
        endedAt = now
        return isSaid
    }

    private mutating func say(now: Duration) -> Int {
        saysAgain = now + distance
        isSaid = true
        defer { unsaid = 0 }
        return unsaid
    }
}
