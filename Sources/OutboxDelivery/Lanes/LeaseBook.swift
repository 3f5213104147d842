// Knows how long this process may act on its claims. Never touches the store.

import OutboxCore
import OutboxStore
import Synchronization

/// Lanes read the lease here before they hand content over. The lease keeper writes it.
///
/// All times are uptime: on the stored clock, a lease would end early or late when somebody sets that clock.
final class LeaseBook: Sendable {
    private let renewedUntil = Mutex(Duration.zero)

    /// Notes that a transaction renewed all claims of this process; `end` is one lease after that transaction began.
    func renewed(until end: Duration) { renewedUntil.withLock { $0 = max($0, end) } }

    /// Whether it is certain that no other process has taken the claim over.
    func isGood(_ claim: Claim, at uptime: Duration) -> Bool {
        uptime < max(claim.leaseEnds, renewedUntil.withLock { $0 })
    }
}
