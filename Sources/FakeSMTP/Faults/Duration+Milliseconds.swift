// Converts durations to whole milliseconds, the unit of faults and event loops.

import NIOCore

extension Duration {
    /// The duration in milliseconds, fractions cut off.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }

    /// The same duration as SwiftNIO's type.
    var timeAmount: TimeAmount {
        let (seconds, attoseconds) = components
        return .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
