// Provides the machine's time and randomness to delivery. No other code reads a clock.

import Foundation
import Glibc
import OutboxCore
import OutboxDelivery

extension DeliveryEnvironment {
    /// The system's clocks and random numbers.
    static let system = DeliveryEnvironment(
        now: { Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))) },
        uptime: {
            var time = timespec()
            // This can't fail: the clock exists since Linux 2.6.39 (clock_gettime(2)).
            clock_gettime(CLOCK_BOOTTIME, &time)
            return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        },
        sleep: { try await Task.sleep(for: $0) },
        chance: { Double.random(in: 0..<1) }
    )
}
