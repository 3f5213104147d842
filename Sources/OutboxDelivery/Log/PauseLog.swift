// Decides which pauses of a relay are said, where they come again and again. Holds no clock and writes nothing.

import OutboxCore

/// The pauses of one relay for one reason, and the times when it is suspected for it.
///
/// | a pause | said |
/// |---|---|
/// | the first, or one that begins a minute or more after the end of the last | at once |
/// | further ones | 1 min after the last time, then 2, 4, 8 … 60 min, with how many there were meanwhile |
/// | one that was not said, and lasts for a minute | then |
///
/// The end of a pause is said where its beginning was. A relay that limits a rate pauses for a second each time: told one by
/// one, its pauses would hide everything else.
struct PauseLog: Sendable {
    private var isSaid = false
    private var unsaid = 0
    private var beganAt = Duration.zero
    private var endedAt: Duration?
    private var saysAgain = Duration.zero
    private var distance = Self.firstDistance

    private static let firstDistance = Duration.seconds(60)
    private static let longestDistance = Duration.seconds(3600)

    /// A pause begins.
    ///
    /// - Parameter now: the time since any fixed moment, by a clock that nobody sets.
    /// - Returns: how many pauses were not said since the last one that was; `nil` where this one isn't either.
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

    /// The pause goes on.
    ///
    /// - Returns: the same, where it is to be said only now.
    mutating func lasts(now: Duration) -> Int? {
        guard !isSaid, now >= beganAt + Self.firstDistance else { return nil }
        unsaid -= 1
        return say(now: now)
    }

    /// The pause ends.
    ///
    /// - Returns: whether this is said.
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
