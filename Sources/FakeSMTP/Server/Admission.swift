// Limits how many connections a server serves at once. Never answers or closes a connection.

import Synchronization

/// Counts the served connections, up to a limit.
final class Admission: Sendable {
    private let limit: Int?
    private let served = Mutex(0)

    /// - Parameter limit: `nil` for no limit.
    init(limit: Int?) { self.limit = limit }

    /// Whether another connection is served. If true, the connection must call `leave()` at its end.
    func enter() -> Bool {
        guard let limit else { return true }
        return served.withLock { served in
            guard served < limit else { return false }
            served += 1
            return true
        }
    }

    func leave() {
        guard limit != nil else { return }
        served.withLock { $0 -= 1 }
    }
}
