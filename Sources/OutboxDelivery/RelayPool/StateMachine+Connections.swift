// What the relay pool knows of the lanes' connections: how many a relay takes, and which ones it keeps waiting. Pure: no
// clock, no waiting, no I/O.

import OutboxCore
import OutboxStore
import SMTPTransport

extension RelayPool.StateMachine {
    /// A lane that has shown no sign of life for so long doesn't prove that the relay lives.
    private static let lifeSpan = Duration.seconds(10)
    /// A lane that has been connecting for longer doesn't either.
    private static let connectingSpan = Duration.seconds(2)

    /// Whether the relay takes one more connection, as far as it has shown.
    func permitsConnection(_ relay: Int, now: Timestamp) -> Bool {
        guard relays[relay].limit.value != nil else { return true }
        let open = relays[relay].connections.count + connecting(relay)
        return relays[relay].limit.permitsAnother(open: open, now: now)
    }

    /// How many lanes are opening a connection.
    func connecting(_ relay: Int) -> Int {
        served.values.count { $0.relay == relay && !relays[relay].connections.contains($0.lane.number) }
    }

    /// A relay that has kept a message waiting for its last answer for longer than it may take for any other answer, and has
    /// accepted nothing since, is late: new messages go elsewhere.
    mutating func noticeSilence(now: Timestamp, _ actions: inout Actions) {
        for service in served.values {
            let (pooled, limit) = (relays[service.relay], relays[service.relay].configuration.replyTimeout)
            guard pooled.health.isUp, let dotAt = service.dotAt, dotAt + limit <= now,
                pooled.evidence.lastAcceptance < service.order
            else { continue }
            let trouble = RelayTrouble(
                fault: .relay,
                reason: .timedOut,
                stage: .finalDot,
                detail: "the answer to a mail's final dot is missing for \(limit.components.seconds) s",
                reply: nil
            )
            handle(.suspected(trouble), relay: service.relay, now: now, &actions)
        }
    }

    /// Whether a connection failed although the relay works: it accepted something meanwhile; or it refused the connection,
    /// while another lane was in a conversation with it or just about to be.
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

    /// A lane that can't connect while others are in a conversation with the relay costs no message anything, and the
    /// relay is not blamed. It waits longer each time, so that it doesn't spend messages' time.
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
