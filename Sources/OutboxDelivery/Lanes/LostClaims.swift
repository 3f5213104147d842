// Decides when another daemon's claims count as lost. Pure: the present is an argument.

import OutboxCore
import OutboxStore

/// Expired claims of other daemons, each with the time since when it has been seen unchanged.
///
/// A live daemon renews its claims three times per lease, but can't while another program holds the write lock. So
/// claims are lost only if they stay unchanged for a third of a lease during which the lock is free.
struct LostClaims {
    private var seen: [ExpiredClaim: Duration] = [:]
    private let patience: Duration

    /// How long a check may take: a check that took longer waited for the write lock.
    static let longestLook = Duration.milliseconds(500)

    init(lease: Duration) { patience = lease / 3 }

    /// How often to check while a claim may be lost.
    var interval: Duration { max(patience / 4, .milliseconds(10)) }

    /// - Parameters:
    ///   - expired: the claims found by a check that took the write lock.
    ///   - took: the duration of the check.
    ///   - uptime: when the check ended.
    /// - Returns: the lost claims.
    mutating func look(_ expired: [ExpiredClaim], took: Duration, uptime: Duration) -> [ExpiredClaim] {
        if took > Self.longestLook { seen = [:] }
        seen = Dictionary(uniqueKeysWithValues: Set(expired).map { ($0, seen[$0] ?? uptime) })
        return seen.filter { uptime - $0.value >= patience }.keys.sorted { $0.sequence < $1.sequence }
    }
}
