// Shared by the tests of the relay pool's state machine: claims, pools, replies, and short forms of events.

import InternetMessage
import OutboxCore
import OutboxStore
import SMTPTransport
import Testing

@testable import OutboxDelivery

/// A suite whose tests give events to a state machine.
protocol StateMachineFixture {}

extension StateMachineFixture {
    var now: Timestamp { Timestamp(milliseconds: 1_800_000_000_000) }

    func claim(
        _ id: Int64,
        _ address: String = "ann@example.com",
        uncertainAttempts: Int = 0,
        priority: Int = 0
    ) -> Claim {
        Claim(
            message: Message(
                id: id,
                kind: "verify-email",
                recipient: address,
                token: Token("t"),
                envelopeID: "e",
                requestedAt: now
            ),
            sequence: id,
            address: address,
            priority: priority,
            attempt: uncertainAttempts + 1,
            attempts: uncertainAttempts + 1,
            uncertainAttempts: uncertainAttempts,
            claimedAt: now
        )
    }

    func planner() -> RetryPlanner {
        RetryPlanner(schedule: RetrySchedule(jitter: 0))
    }

    func pool(relays count: Int = 1, connections: Int = 2) -> RelayPool.StateMachine {
        let relays = (0..<count).map { number -> DeliveryRelay in
            var configuration = RelayConfiguration(name: "relay\(number)", url: "smtp://127.0.0.1:1")
            configuration.connections = connections
            return DeliveryRelay(SMTPRelay(configuration))
        }
        return RelayPool.StateMachine(
            relays: relays,
            schedule: RetrySchedule(jitter: 0),
            holding: .seconds(2),
            now: now
        )
    }

    func take(_ pool: inout RelayPool.StateMachine, _ lane: Int, of relay: Int = 0, at now: Timestamp? = nil)
        -> Claim?
    {
        pool.takeAtOnce(LaneID(relay: relay, number: lane), at: .init(now: now ?? self.now)).claim
    }

    func failure(_ reply: String, at stage: SMTPStage) throws -> TransmissionResult {
        let reply = try #require(SMTPReply(lines: [reply]))
        return .failed(TransmissionFailure(stage: stage, cause: .reply(reply), detail: reply.description))
    }

    func lane(_ number: Int, of relay: Int = 0) -> LaneID { LaneID(relay: relay, number: number) }

    func assigned(_ actions: RelayPool.StateMachine.Actions) -> [LaneID: Int64?] {
        Dictionary(uniqueKeysWithValues: actions.assignments.map { ($0.lane, $0.claim?.message.id) })
    }

    var ok: TransmissionResult { .accepted(SMTPReply(code: 250, text: "Ok")) }
}
