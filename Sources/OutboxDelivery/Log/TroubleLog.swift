// Decides how often a lasting trouble is logged, and how long to wait before the next attempt. Holds no clock and
// writes nothing.

/// The troubles that several tasks have with one resource, from the first failure until all tasks succeed again.
///
/// | failures | logged | pause until the next attempt |
/// |---|---|---|
/// | the first, or the first with a new text | at once | 1 s after a task's first failure |
/// | further failures | 1 min after the last line, then after 2, 4, 8 … 60 min | 2, 4, 8 … 60 s |
/// | all tasks succeeded | once: the duration and the number of failures | |
struct TroubleLog<Task: Hashable & Sendable>: Sendable {
    /// What to do after a failure.
    struct Failure: Sendable, Equatable {
        /// Whether to log the failure.
        let isSaid: Bool
        /// The number of failed attempts since the trouble began, including this one.
        let failures: Int
        /// How long to wait before the next attempt.
        let pause: Duration
    }

    /// A trouble that has ended.
    struct Recovery: Sendable, Equatable {
        /// The duration of the trouble.
        let after: Duration
        /// The number of failed attempts.
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
    /// Texts that differ each time, for example by a number, must not make every failure a new trouble.
    private static var wordsKept: Int { 8 }

    /// Notes that a task failed.
    ///
    /// - Parameters:
    ///   - words: the error text; another text counts as another trouble and is logged as well.
    ///   - now: the time since any fixed moment, by a clock that can't be set.
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

    /// Notes that a task succeeded.
    ///
    /// - Returns: the trouble that ended, if no task fails any more.
    mutating func succeeded(_ task: Task, now: Duration) -> Recovery? {
        guard spell?.failing.removeValue(forKey: task) != nil, let spell, spell.failing.isEmpty else { return nil }
        self.spell = nil
        return Recovery(after: now - spell.began, failures: spell.failures)
    }

    private static func pause(after failures: Int) -> Duration {
        min(shortestPause * (1 << min(failures - 1, 6)), longestPause)
    }
}
