// Counts what is under way, up to a limit.

import Synchronization

/// A number of places.
final class Counter: Sendable {
    private let limit: Int
    private let count = Mutex(0)

    /// A counter with this number of places.
    init(limit: Int) { self.limit = limit }

    /// Takes a place; false if none is free.
    func enter() -> Bool {
        count.withLock { count in
            guard count < limit else { return false }
            count += 1
            return true
        }
    }

    /// Gives the place back.
    func leave() { count.withLock { $0 -= 1 } }
}
