// The state that the relay pool keeps of one relay, of a lane, and of a lane's claim. Decides nothing.

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
        /// The lane's number among the relay's lanes.
        let number: Int
        /// Set if the lane failed to connect while others succeed: the lane waits until then before the next try.
        let backsOffUntil: Timestamp?
    }

    var relay: DeliveryRelay
    var health = RelayHealth()
    var evidence: RelayEvidence
    var bucket: TokenBucket?
    /// The lanes that wait for a claim, the most recently idle lane last.
    var idleLanes: [IdleLane] = []
    var heldRejections: HeldRejections
    /// The messages that are under way as probes of the relay.
    var probes: Set<Int64> = []
    /// The numbers of the lanes whose connection is open.
    var connections: Set<Int> = []
    var limit = ConnectionLimit()
    /// How many connections failed in a row while the relay accepted messages over others.
    var failuresWhileUp = 0
    /// How many connections the relay has refused since the last one was opened.
    var refusedConnections = 0
    /// The lanes that failed to connect, and until when each backs off.
    var backoffs: [Int: Timestamp] = [:]
    /// When a suspected relay gets its next trial message, although another relay is up.
    var trialAt: Timestamp?
    /// The last trial message.
    var trial: Int64?
    /// The latest event number at which an accepted claim began.
    var newestAccepted = 0
    /// The message whose recipient the relay refused because of a quota or a rate, if it has accepted nothing since.
    var quotaStatedFor: Int64?

    /// The protection of the connection that was opened last.
    var tls: TLSSession?
    /// The relay's own limit of mails on one connection, for each lane that knows one. Lanes learn it separately.
    var mailLimits: [Int: Int] = [:]
    /// The end of the certificate that was reported to end soon.
    var reportedEnd: Timestamp?

    /// The relay is suspected only because of words about us in its replies to one or two messages. It may accept other
    /// messages, so the attempt of a message that fails alone counts as usual.
    var isSuspectedForWords: Bool {
        health.state == .suspected && health.trouble?.reason.isAboutUs == true && !evidence.hasFailedInARow
    }

    /// The relay's settings.
    var configuration: RelayConfiguration { relay.configuration }
    /// Its name in the configuration.
    var name: String { configuration.name }

    /// How many mails the relay takes over one connection, as it says or has shown; `nil` if no lane knows a limit.
    var mailsPerConnection: Int? { mailLimits.values.min() }

    /// The relay's status as a row to store.
    ///
    /// - Parameter position: its place in the configuration's order, from 1.
    func status(position: Int, now: Timestamp) -> RelayStatus {
        relay.status(health, tls: tls, mailsPerConnection: mailsPerConnection, position: position, now: now)
    }
}

extension PooledRelay.IdleLane {
    /// A clock that was set back doesn't make a lane back off for longer.
    func isReady(at now: Timestamp) -> Bool {
        backsOffUntil.map { $0 <= now || $0 > now + RelayHealth.longestPause } ?? true
    }
}

/// A claim that a lane is serving.
struct ServedClaim {
    let lane: LaneID
    let domain: String
    /// The event number of its beginning.
    let order: Int
    let startedAt: Timestamp
    /// When the transaction could begin: the start, or the moment when a connection was opened for the claim. How long a
    /// relay takes to greet says nothing about a recipient.
    var openedAt: Timestamp
    /// When its connection was opened, or its final dot sent: the last sign of life of the relay.
    var lifeAt: Timestamp
    /// When the final dot was sent, if it is still unanswered.
    var dotAt: Timestamp?
    /// The lane was told to stop waiting for the recipient, because other claims wait.
    var isCutShort = false

    /// The relay's place in the configuration's order, from 0.
    var relay: Int { lane.relay }

    /// Notes that the final dot was sent.
    mutating func sentDot(at now: Timestamp) {
        lifeAt = now
        dotAt = now
    }
}
