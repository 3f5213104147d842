// A value behind a lock of the C library. For the two places that all lanes pass several times a message.

import Foundation

/// Gives one thread at a time access to a value.
///
/// In place of `Mutex`, which on Linux hands the lock to the thread that waited (futex(2), FUTEX_LOCK_PI): nobody gets it
/// until the kernel has scheduled that thread. With ten lanes on two processors this took 23 % of all processor time.
/// Here a thread that runs may take a lock that was just released.
final class Guarded<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    /// Only touched while the lock is held.
    private var value: Value

    /// Creates a guarded value.
    init(_ value: Value) { self.value = value }

    /// Calls the closure with exclusive access to the value.
    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
