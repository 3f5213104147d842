// What the relay desk knows of the lanes' connections: how many a relay takes, and which ones it keeps waiting. Pure: no
// clock, no waiting, no I/O.

import OutboxCore
import OutboxStore
import SMTPTransport

extension DeskState {
    /// A lane that has shown no sign of life for so long doesn't prove that the relay lives.
    private static let lifeSpan = Duration.seconds(10)
    /// A lane that has been connecting for longer doesn't either.
    private static let connectingSpan = Duration.seconds(2)

    /// Whether the relay takes one more connection, as far as it has shown.
    func permitsConnection(_ relay: Int, now: Timestamp) -> Bool {
        guard seats[relay].limit.value != nil else { return true }
        let open = seats[relay].connections.count + connecting(relay)
        return seats[relay].limit.permitsAnother(open: open, now: now)
    }

    /// How many lanes are opening a connection.
    func connecting(_ relay: Int) -> Int {
        served.values.count { $0.relay == relay && !seats[relay].connections.contains($0.lane) }
    }

    /// A lane's connection was opened for a message.
    mutating func connectionOpened(relay: Int, lane: Int, message: Int64, now: Timestamp) {
        seats[relay].connections.insert(lane)
        seats[relay].refusedConnections = 0
        seats[relay].limit.opened(seats[relay].connections.count, now: now)
        served[message]?.lifeAt = now
    }

    /// A lane has no connection.
    ///
    /// - Returns: whether it had one.
    mutating func connectionClosed(relay: Int, lane: Int) -> Bool {
        seats[relay].connections.remove(lane) != nil
    }

    /// A lane goes by another configuration from now on, over a new connection; a relay that is paused is probed at once.
    mutating func reconfigured(relay: Int, lane: Int, now: Timestamp, _ effects: inout RelayDesk.Effects) {
        seats[relay].connections.remove(lane)
        handle(.reconfigured, relay: relay, now: now, &effects)
        assign(now: now, &effects)
    }

    /// A lane handed a final dot over: only the answer is missing.
    mutating func awaitsAcceptance(_ message: Int64, now: Timestamp) {
        served[message]?.lifeAt = now
        served[message]?.dotAt = now
    }

    /// A relay that has kept a message waiting for its last answer for longer than it may take for any other answer, and has
    /// accepted nothing since, is late: new messages go elsewhere.
    mutating func noticeSilence(now: Timestamp, _ effects: inout RelayDesk.Effects) {
        for service in served.values {
            let (seat, limit) = (seats[service.relay], seats[service.relay].relay.relay.replyTimeout)
            guard seat.health.isUp, let dotAt = service.dotAt, dotAt + limit <= now,
                seat.evidence.lastAcceptance < service.order
            else { continue }
            let trouble = RelayTrouble(
                scope: .relay,
                reason: .timedOut,
                stage: .finalDot,
                detail: "the answer to a mail's final dot is missing for \(limit.components.seconds) s",
                reply: nil
            )
            handle(.suspected(trouble), relay: service.relay, now: now, &effects)
        }
    }

    /// Whether a connection failed although the relay works: it accepted something meanwhile; or it refused the connection,
    /// while another lane was in a conversation with it or just about to be.
    func isWorkingElsewhere(_ attempt: FailedAttempt, relay: Int, lane: Int?, now: Timestamp) -> Bool {
        let seat = seats[relay]
        guard seat.health.takesMessages, seat.refusedConnections < seat.relay.connections else { return false }
        if seat.evidence.lastAcceptance > attempt.began { return true }
        return attempt.isRefusedConnection
            && served.values.contains { service in
                guard service.relay == relay, service.lane != lane else { return false }
                let span = seat.connections.contains(service.lane) ? Self.lifeSpan : Self.connectingSpan
                return (service.lifeAt...service.lifeAt + span).contains(now)
            }
    }

    /// A lane that can't connect while others are in a conversation with the relay costs no message anything, and the
    /// relay is not blamed. It waits longer each time, so that it doesn't spend messages' time.
    mutating func keepLaneBack(
        _ attempt: FailedAttempt,
        relay: Int,
        lane: Int?,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        seats[relay].refusedConnections += 1
        if attempt.isRefusedConnection {
            seats[relay].limit.refused(open: seats[relay].connections.count, now: now)
        }
        let doublings = min(seats[relay].lonelyFailures / max(1, seats[relay].relay.connections), 4)
        seats[relay].lonelyFailures += 1
        let pause = min(RelayHealth.shortestPause * (1 << doublings), RelayHealth.longestPause)
        if let lane { seats[relay].rests[lane] = now + pause }
        let judged = attempt.judged(isUsedUp: false)
        effects.completions.append(
            judge.again(judged, attempt.claim, after: .zero, relay: seats[relay].relay.relay.name, now: now)
        )
    }
}
