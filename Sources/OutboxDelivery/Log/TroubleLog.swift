// Decides how often a trouble that lasts is said, and how long to wait for its end. Holds no clock and writes nothing.

/// The troubles that several tasks have with one thing, from the first failure until all of them work again.
///
/// | failures | said | pause until the next try |
/// |---|---|---|
/// | the first, or one with new words | at once | 1 s after a task's first failure |
/// | further ones | 1 min after the last time, then 2, 4, 8 … 60 min | 2, 4, 8 … 60 s |
/// | all tasks succeeded | once: for how long, and how many failed | |
struct TroubleLog<Task: Hashable & Sendable>: Sendable {
    /// What follows from a failure.
    struct Failure: Sendable, Equatable {
        /// Whether an operator is told.
        let isSaid: Bool
        /// How many attempts failed since it began, this one included.
        let failures: Int
        /// How long to wait before the next try.
        let pause: Duration
    }

    /// What is over.
    struct Recovery: Sendable, Equatable {
        /// How long it lasted.
        let after: Duration
        /// How many attempts failed.
        let failures: Int
    }

    private struct Spell {
        let began: Duration
        var failures = 0
        /// Consecutive failures of each task that has not succeeded since.
        var failing: [Task: Int] = [:]
        var said: Set<String> = []
        var saysAgain: Duration
        var distance: Duration
    }

    private var spell: Spell?

    private static var shortestPause: Duration { .seconds(1) }
    private static var longestPause: Duration { .seconds(60) }
    private static var firstDistance: Duration { .seconds(60) }
    private static var longestDistance: Duration { .seconds(3600) }
    /// Words that differ each time, such as a number in them, must not make every failure a new one.
    private static var wordsKept: Int { 8 }

    /// A task failed.
    ///
    /// - Parameters:
    ///   - words: what was wrong; other words are another trouble, which is said as well.
    ///   - now: the time since any fixed moment, by a clock that nobody sets.
    mutating func failed(_ task: Task, words: String, now: Duration) -> Failure {
        var spell = spell ?? Spell(began: now, saysAgain: now, distance: Self.firstDistance)
        defer { self.spell = spell }
        spell.failures += 1
        let consecutive = spell.failing[task, default: 0] + 1
        spell.failing[task] = consecutive
        let isNew = spell.said.count < Self.wordsKept && spell.said.insert(words).inserted
        let isSaid = isNew || now >= spell.saysAgain
        if isSaid {
            if spell.failures > 1, !isNew { spell.distance = min(spell.distance * 2, Self.longestDistance) }
            spell.saysAgain = now + spell.distance
        }
        return Failure(isSaid: isSaid, failures: spell.failures, pause: Self.pause(after: consecutive))
    }

    /// A task succeeded.
    ///
    /// - Returns: what is over, where no task fails any more.
    mutating func succeeded(_ task: Task, now: Duration) -> Recovery? {
        guard spell?.failing.removeValue(forKey: task) != nil, let spell, spell.failing.isEmpty else { return nil }
        self.spell = nil
        return Recovery(after: now - spell.began, failures: spell.failures)
    }

    private static func pause(after failures: Int) -> Duration {
        min(shortestPause * (1 << min(failures - 1, 6)), longestPause)
    }
}
