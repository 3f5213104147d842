// What the relay pool keeps of one relay, of a lane, and of a claim that a lane has. Decides nothing.

import OutboxCore
import OutboxStore
import SMTPTransport

/// A lane of a relay in the pool.
struct LaneID: Hashable, Sendable {
    /// The relay's place in the configuration's order, from 0.
    let relay: Int
    /// Its number among the relay's lanes, from 1.
    let number: Int
}

/// One relay of the pool.
struct PooledRelay {
    /// A lane that waits for a claim.
    struct IdleLane {
        /// Its number among the relay's lanes.
        let number: Int
        /// It failed to connect while others succeed: it waits a moment before it tries again.
        let backsOffUntil: Timestamp?
    }

    var relay: DeliveryRelay
    var health = RelayHealth()
    var evidence: RelayEvidence
    var bucket: TokenBucket?
    /// The lanes that wait for a claim; the one that was idle last stands last.
    var idleLanes: [IdleLane] = []
    var heldRejections: HeldRejections
    /// The messages that probe it.
    var probes: Set<Int64> = []
    /// The numbers of the lanes whose connection is open.
    var connections: Set<Int> = []
    var limit = ConnectionLimit()
    /// How many connections in a row failed while the relay took messages over others.
    var failuresWhileUp = 0
    /// How many connections the relay has refused since one was last opened.
    var refusedConnections = 0
    /// The lanes that failed to connect, and until when each backs off.
    var backoffs: [Int: Timestamp] = [:]
    /// When a suspected relay gets a message next although another one is up.
    var trialAt: Timestamp?
    /// The message that it got so last.
    var trial: Int64?
    /// Of the claims that it accepted, the place of the latest beginning among all events.
    var newestAccepted = 0
    /// The message whose recipient it refused because of a quota or a rate, where it has accepted nothing since.
    var quotaStatedFor: Int64?

    /// What the configuration says of it.
    var configuration: RelayConfiguration { relay.configuration }
    /// Its name in the configuration.
    var name: String { configuration.name }

    /// How it is, as it is written down.
    ///
    /// - Parameter position: its place in the configuration's order, from 1.
    func status(position: Int, now: Timestamp) -> RelayStatus {
        relay.status(health, position: position, now: now)
    }
}

extension PooledRelay.IdleLane {
    /// A clock that was set back makes no lane back off for longer.
    func isReady(at now: Timestamp) -> Bool {
        backsOffUntil.map { $0 <= now || $0 > now + RelayHealth.longestPause } ?? true
    }
}

/// A claim that a lane has.
struct ServedClaim {
    let lane: LaneID
    let domain: String
    /// The place of its beginning among all events.
    let order: Int
    let startedAt: Timestamp
    /// When its connection was opened, or its final dot handed over: it shows that the relay lives.
    var lifeAt: Timestamp
    /// Since when the final dot is unanswered.
    var dotAt: Timestamp?
    /// It was told to wait for its recipient no longer, because others wait.
    var isCutShort = false

    /// The relay's place in the configuration's order, from 0.
    var relay: Int { lane.relay }
}
