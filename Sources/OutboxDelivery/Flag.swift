// A Boolean that several threads share. Wakes no waiter.

import Synchronization

/// A shared Boolean.
final class Flag: Sendable {
    private let flag = Mutex(false)

    /// The current value.
    var value: Bool {
        get { flag.withLock(\.self) }
        set { flag.withLock { $0 = newValue } }
    }
}
