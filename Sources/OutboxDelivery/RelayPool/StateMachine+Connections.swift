// Tracks the lanes' connections for the relay pool: how many a relay accepts, and which ones it keeps waiting. Pure: no
// clock, no waiting, no I/O.

import OutboxCore
import OutboxStore
import SMTPTransport

extension RelayPool.StateMachine {
    /// A lane proves that the relay lives only if its last sign of life is more recent than this.
    private static let lifeSpan = Duration.seconds(10)
    /// A lane that has been connecting for longer than this doesn't prove it either.
    private static let connectingSpan = Duration.seconds(2)

    /// Whether the relay accepts one more connection, as far as it has shown.
    func permitsConnection(_ relay: Int, now: Timestamp) -> Bool {
        guard relays[relay].limit.value != nil else { return true }
        let open = relays[relay].connections.count + connecting(relay)
        return relays[relay].limit.permitsAnother(open: open, now: now)
    }

    /// A new connection to a relay has this protection: records a change, and reports a certificate that ends soon.
    mutating func connectionSecured(_ tls: TLSSession?, relay: Int, at present: Present) -> Actions {
        var actions = Actions()
        if relays[relay].tls != tls {
            relays[relay].tls = tls
            actions.statuses.append(relays[relay].status(position: relay + 1, now: present.now))
        }
        if let tls, let end = tls.certificateExpiresAt, TLSSession.endsSoon(end, now: present.now),
            relays[relay].reportedEnd != end
        {
            relays[relay].reportedEnd = end
            actions.endingCertificates.append((relay, tls))
        }
        return actions
    }

    /// A lane knows how many mails its relay takes over one connection, or that no limit is known: records a change.
    mutating func mailsLimited(to limit: Int?, on lane: LaneID, at present: Present) -> Actions {
        var actions = Actions()
        let earlier = relays[lane.relay].mailsPerConnection
        relays[lane.relay].mailLimits[lane.number] = limit
        if relays[lane.relay].mailsPerConnection != earlier {
            actions.statuses.append(relays[lane.relay].status(position: lane.relay + 1, now: present.now))
        }
        return actions
    }

    /// How many lanes are opening a connection.
    func connecting(_ relay: Int) -> Int {
        served.values.count { $0.relay == relay && !relays[relay].connections.contains($0.lane.number) }
    }

    /// Marks a relay as late if it has kept a message waiting for the final answer for longer than any other answer may
    /// take, and has accepted nothing since. New messages then go to another relay.
    mutating func noticeSilence(now: Timestamp, _ actions: inout Actions) {
        for service in served.values {
            let (pooled, limit) = (relays[service.relay], relays[service.relay].configuration.longestReplyTimeout)
            guard pooled.health.isUp, let dotAt = service.dotAt, dotAt + limit <= now,
                pooled.evidence.lastAcceptance < service.order
            else { continue }
            let trouble = RelayTrouble(
                fault: .relay,
                reason: .timedOut,
                stage: .finalDot,
                detail: "the relay has not answered a final dot for \(limit.components.seconds) s",
                reply: nil
            )
            handle(.suspected(trouble), relay: service.relay, now: now, &actions)
        }
    }

    /// Whether a connection failed although the relay works: the relay accepted a message meanwhile, or it refused the
    /// connection while another lane was in a conversation with it or about to begin one.
    func isWorkingElsewhere(_ attempt: FailedAttempt, relay: Int, lane: LaneID?, now: Timestamp) -> Bool {
        let pooled = relays[relay]
        guard pooled.health.takesMessages, pooled.refusedConnections < pooled.configuration.connections else {
            return false
        }
        if pooled.evidence.lastAcceptance > attempt.began { return true }
        return attempt.isRefusedConnection
            && served.values.contains { service in
                guard service.relay == relay, service.lane != lane else { return false }
                let span = pooled.connections.contains(service.lane.number) ? Self.lifeSpan : Self.connectingSpan
                return (service.lifeAt...service.lifeAt + span).contains(now)
            }
    }

    /// Keeps a lane back that can't connect while others are in a conversation with the relay. The attempt doesn't
    /// count, and the relay is not blamed. The pause grows each time, so that the lane doesn't waste the messages' time.
    mutating func keepLaneBack(
        _ attempt: FailedAttempt,
        relay: Int,
        lane: LaneID?,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        relays[relay].refusedConnections += 1
        if attempt.isRefusedConnection {
            relays[relay].limit.refused(open: relays[relay].connections.count, now: now)
        }
        let doublings = min(relays[relay].failuresWhileUp / max(1, relays[relay].configuration.connections), 4)
        relays[relay].failuresWhileUp += 1
        let pause = min(RelayHealth.shortestPause * (1 << doublings), RelayHealth.longestPause)
        if let lane { relays[relay].backoffs[lane.number] = now + pause }
        let judged = attempt.judged(counts: false)
        actions.completions.append(
            planner.again(judged, attempt.claim, after: .zero, relay: relays[relay].name, now: now)
        )
    }
}
