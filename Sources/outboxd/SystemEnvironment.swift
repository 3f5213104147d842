// The machine's time and randomness, for delivery. Nothing else reads a clock.

import Foundation
import OutboxCore
import OutboxDelivery

extension DeliveryEnvironment {
    /// The system's clocks and random numbers.
    static let system = DeliveryEnvironment(
        now: { Timestamp(milliseconds: Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))) },
        sleep: { try await Task.sleep(for: $0) },
        random: { SystemRandomNumberGenerator() }
    )
}
