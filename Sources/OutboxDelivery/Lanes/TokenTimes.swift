// Notices claims whose token has lost too much of its time before the mail could leave. Never touches the store.

import OutboxCore
import OutboxStore
import Synchronization

/// With `valid_for` a token's time counts from the claim, and a claim may wait for a lane or for a slow relay. Such a
/// claim goes back to the store, and the next claim begins the time anew.
///
/// Behind a relay that is always slow, a message would never leave. So after the first return half of the time may pass.
final class TokenTimes: Sendable {
    /// At first a token may lose a tenth of its time, and always this much.
    private static let smallestLoss = Duration.seconds(10)

    private let returned = Mutex<Set<Int64>>([])

    /// Whether the claim should go back to the store.
    func isStale(_ claim: Claim, at now: Timestamp) -> Bool {
        let message = claim.message
        guard let span = message.validFor, !message.isExpiryFixed else { return false }
        let hasReturned = returned.withLock { $0.contains(message.id) }
        return now.timeSince(claim.claimedAt) > (hasReturned ? span / 2 : max(Self.smallestLoss, span / 10))
    }

    /// Notes that the claim goes back.
    func goesBack(_ claim: Claim) { returned.withLock { _ = $0.insert(claim.message.id) } }

    /// Notes that an attempt of the message ended.
    func ended(_ claim: Claim) {
        if claim.message.validFor != nil { returned.withLock { _ = $0.remove(claim.message.id) } }
    }
}
