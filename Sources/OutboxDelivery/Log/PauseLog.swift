// Decides which pauses of a relay are said, where they come again and again. Holds no clock and writes nothing.

import OutboxCore

/// The pauses of one relay, and the times when it is suspected.
///
/// | a pause | said |
/// |---|---|
/// | the first, one for another reason, or one that begins a minute or more after the end of the last | at once |
/// | further ones | 1 min after the last time, then 2, 4, 8 … 60 min, with how many there were meanwhile |
///
/// The end of a pause is said where its beginning was. A relay that limits a rate pauses for a second each time: told one by
/// one, its pauses would hide everything else.
struct PauseLog: Sendable {
    private var reason: FailureReason?
    private var isSaid = false
    private var unsaid = 0
    private var endedAt: Duration?
    private var saysAgain = Duration.zero
    private var distance = Self.firstDistance

    private static let firstDistance = Duration.seconds(60)
    private static let longestDistance = Duration.seconds(3600)

    /// A pause begins.
    ///
    /// - Parameter now: the time since any fixed moment, by a clock that nobody sets.
    /// - Returns: how many pauses were not said since the last one that was; `nil` where this one isn't either.
    mutating func begins(for reason: FailureReason, now: Duration) -> Int? {
        let recurs = reason == self.reason && endedAt.map { now < $0 + Self.firstDistance } ?? false
        self.reason = reason
        if recurs, now < saysAgain {
            unsaid += 1
            isSaid = false
            return nil
        }
        distance = recurs ? min(distance * 2, Self.longestDistance) : Self.firstDistance
        saysAgain = now + distance
        isSaid = true
        defer { unsaid = 0 }
        return unsaid
    }

    /// The pause ends.
    ///
    /// - Returns: whether this is said.
    mutating func ends(now: Duration) -> Bool {
        endedAt = now
        return isSaid
    }
}
