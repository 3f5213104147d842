// A value behind a lock of the C library. For the two places that all lanes pass several times a message.

import Glibc

/// Gives one thread at a time access to a value.
///
/// In place of `Mutex`, which on Linux hands the lock to the thread that waited (futex(2), FUTEX_LOCK_PI): nobody gets it
/// until the kernel has scheduled that thread. With ten lanes on two processors this took 23 % of all processor time.
/// Here a thread that runs may take a lock that was just released, and waits a moment for it before it sleeps.
final class Guarded<Value: Sendable>: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    /// Only touched while the lock is held.
    private var value: Value

    /// Creates a guarded value.
    init(_ value: Value) {
        self.value = value
        lock = .allocate(capacity: 1)
        var attributes = pthread_mutexattr_t()
        pthread_mutexattr_init(&attributes)
        defer { pthread_mutexattr_destroy(&attributes) }
        pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
        let code = pthread_mutex_init(lock, &attributes)
        precondition(code == 0, "pthread_mutex_init(3) ended with \(code)")
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// Calls the closure with exclusive access to the value.
    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value)
    }
}
