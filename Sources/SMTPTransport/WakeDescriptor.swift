// A descriptor that ends a wait in poll(2) from outside. Knows nothing of what is waited for.

import CCurl
import Glibc

/// An eventfd(2): readable from ``signal()`` on, until ``clear()``. Any thread may use it.
final class WakeDescriptor: Sendable {
    let descriptor: Int32

    /// `nil` where the process may have no more descriptors.
    init?() {
        descriptor = ccurl_eventfd()
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    /// Ends every wait on it.
    func signal() {
        var one: UInt64 = 1
        // It fails only where it is readable already.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Makes it silent again.
    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}
