// Converts durations to the whole milliseconds that faults are written in and event loops count by.

import NIOCore

extension Duration {
    /// The duration in milliseconds, fractions cut off.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }

    /// The same duration as SwiftNIO counts it.
    var timeAmount: TimeAmount {
        let (seconds, attoseconds) = components
        return .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
