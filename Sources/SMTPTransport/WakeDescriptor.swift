// A descriptor that ends a wait in poll(2) from outside. Doesn't know the purpose of the wait.

import CCurl
import Glibc

/// An eventfd(2) that is readable from ``signal()`` until ``clear()``. Any thread may use it.
final class WakeDescriptor: Sendable {
    let descriptor: Int32

    /// Returns `nil` where the process can't open more descriptors.
    init?() {
        descriptor = ccurl_eventfd()
        if descriptor < 0 { return nil }
    }

    deinit { close(descriptor) }

    /// Ends every wait on the descriptor.
    func signal() {
        var one: UInt64 = 1
        // The write fails only where the descriptor is already readable.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Clears the signal.
    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}
