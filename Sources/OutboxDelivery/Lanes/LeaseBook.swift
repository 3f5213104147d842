// Until when this process may act on its claims. Never touches the store.

import OutboxCore
import OutboxStore
import Synchronization

/// What lanes ask before they hand content over, and the keeper of leases writes.
///
/// All times are uptime: a lease on the clock that is stored would end or go on when somebody sets that clock.
final class LeaseBook: Sendable {
    private let renewedUntil = Mutex(Duration.zero)

    /// All claims of this process were renewed by a transaction that began a lease before this moment.
    func renewed(until end: Duration) { renewedUntil.withLock { $0 = max($0, end) } }

    /// Whether no other process can have taken the claim over.
    func isGood(_ claim: Claim, at uptime: Duration) -> Bool {
        uptime < max(claim.leaseEnds, renewedUntil.withLock { $0 })
    }
}
