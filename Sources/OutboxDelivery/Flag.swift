// A yes or no that several threads share. Wakes nobody.

import Synchronization

/// A shared truth value.
final class Flag: Sendable {
    private let flag = Mutex(false)

    /// The value as it is now.
    var value: Bool {
        get { flag.withLock(\.self) }
        set { flag.withLock { $0 = newValue } }
    }
}
