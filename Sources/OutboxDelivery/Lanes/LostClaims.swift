// When another daemon's claims count as lost. Pure: the present comes in as an argument.

import OutboxCore
import OutboxStore

/// Claims of other daemons whose lease ran out, and since when they have been seen so.
///
/// A daemon that lives renews its leases three times a lease, but it can't while another program holds the write lock. So
/// claims are lost only if they stay as they are while the lock is free for a third of a lease.
struct LostClaims {
    private var seen: [ExpiredClaim: Duration] = [:]
    private let patience: Duration

    /// How long the look itself may take: a look that waited longer waited for the write lock.
    static let longestLook = Duration.milliseconds(500)

    init(lease: Duration) { patience = lease / 3 }

    /// How often to look while something may be lost.
    var interval: Duration { max(patience / 4, .milliseconds(10)) }

    /// - Parameters:
    ///   - expired: what a look that took the write lock found.
    ///   - took: how long that look took.
    ///   - uptime: when it ended.
    /// - Returns: the claims that are lost.
    mutating func look(_ expired: [ExpiredClaim], took: Duration, uptime: Duration) -> [ExpiredClaim] {
        if took > Self.longestLook { seen = [:] }
        seen = Dictionary(uniqueKeysWithValues: Set(expired).map { ($0, seen[$0] ?? uptime) })
        return seen.filter { uptime - $0.value >= patience }.keys.sorted { $0.sequence < $1.sequence }
    }
}
