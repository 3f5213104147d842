// Hands claims to the lanes of the relay that should have them, and learns from what became of each: carries out what its
// state machine decides. Never touches the store.

import OutboxCore
import OutboxStore
import Synchronization

/// The one place that knows how every relay is and which lanes are idle.
///
/// A claim goes to the first relay in the configuration's order that is up. A relay that is down gets one message when
/// its pause is over, to find out whether it works again. With no relay up, what waits is given back to the store, and
/// nothing but a probe is claimed: a message in the outbox can expire, be superseded and be counted as delayed.
final class RelayPool: Sendable {
    private struct State {
        var machine: StateMachine
        /// How a lane that waits for a claim is told of it.
        var waiting: [LaneID: CheckedContinuation<Claim?, Never>] = [:]
    }

    private let configuration: CurrentConfiguration
    private let environment: DeliveryEnvironment
    private let clock: SharedClockWatch
    private let recorder: OutcomeRecorder
    private let log: DeliveryLog
    private let onRoom: @Sendable () -> Void
    private let state: Mutex<State>
    /// When to look next, by the clock that nobody sets.
    private let alarm = Mutex<(at: Duration, task: Task<Void, Never>)?>(nil)

    /// - Parameters:
    ///   - onRoom: called when there is room for more claims than before.
    init(
        configuration: CurrentConfiguration,
        environment: DeliveryEnvironment,
        clock: SharedClockWatch,
        recorder: OutcomeRecorder,
        log: DeliveryLog,
        onRoom: @escaping @Sendable () -> Void
    ) {
        self.configuration = configuration
        let (relays, settings) = (configuration.value.relays, configuration.value.settings)
        self.environment = environment
        self.clock = clock
        self.recorder = recorder
        self.log = log
        self.onRoom = onRoom
        let machine = StateMachine(
            relays: relays,
            schedule: settings.schedule,
            holding: settings.refusalHolding,
            now: environment.now()
        )
        state = Mutex(State(machine: machine))
    }

    // MARK: For the dispatcher

    /// How many claims to ask the store for; the pool tells when there is room again.
    var room: Int { state.withLock { $0.machine.roomForBatch(now: environment.now()) } }

    /// How many claims of a priority to ask the store for although there is no room, because what waits for a lane is less
    /// urgent: as many as there are lanes, so that the next one that is free takes one.
    func roomForUrgent(priority: Int) -> Int { state.withLock { $0.machine.roomForUrgent(priority: priority) } }

    /// How many claims are with a lane or wait for one.
    var underWay: Int { state.withLock { $0.machine.underWay } }

    /// How many lanes the largest relay has.
    var laneCount: Int { state.withLock { $0.machine.capacity / DeliverySettings.claimsPerLane } }

    /// Every relay as it is now.
    var statuses: [RelayStatus] { state.withLock { $0.machine.statuses(now: environment.now()) } }

    /// Adds claims.
    ///
    /// - Returns: the claims that were not taken over, because the pool is closed.
    func add(_ claims: [Claim]) -> [Claim] {
        var refused: [Claim] = []
        happens { machine, present in
            let result = machine.add(claims, at: present)
            refused = result.refused
            return result.actions
        }
        return refused
    }

    /// Takes claims back that a newer message or the application made void, if they still wait for a lane. A lane that has
    /// one hands nothing of it over, unless it has begun to.
    func withdraw(_ ids: [Int64], as outcome: Completion.Outcome) {
        guard !ids.isEmpty else { return }
        happens { $0.withdraw(ids, as: outcome, at: $1) }
    }

    /// Rates and the schedule of retries were read anew.
    func limitsChanged() {
        let value = configuration.value
        happens { $0.use(value.relays, schedule: value.settings.schedule, at: $1) }
    }

    /// Hands out nothing more, and lets every lane that waits go.
    ///
    /// - Returns: the claims that no lane took.
    func close() -> [Claim] {
        var claims: [Claim] = []
        happens { machine, present in
            let result = machine.close(at: present)
            claims = result.returned
            return result.actions
        }
        alarm.withLock { $0?.task.cancel() }
        return claims
    }

    /// Records the rejections that wait for others. For the end, when no lane works any more.
    func releaseRejections() { happens { $0.releaseRejections(at: $1) } }

    // MARK: For a lane

    /// The next claim for a lane, if one waits for its relay.
    func takeAtOnce(_ lane: LaneID) -> Claim? {
        let (claim, actions, moment) = state.withLock { state in
            let moment = environment.moment()
            let (claim, actions) = state.machine.takeAtOnce(lane, at: present(moment))
            return (claim, actions, moment)
        }
        if actions.wakesDispatcher { onRoom() }
        if let next = actions.nextMoment { setAlarm(for: next, seenAt: moment) }
        return claim
    }

    /// Waits for the next claim for a lane; `nil` once the pool is closed.
    func take(_ lane: LaneID) async -> Claim? {
        await withCheckedContinuation { continuation in
            carryOut { state, present in
                let former = state.waiting.updateValue(continuation, forKey: lane)
                precondition(former == nil, "a lane waits once")
                return state.machine.awaitsClaim(lane, at: present)
            }
        }
    }

    /// Takes in how handing a claim to a relay ended.
    func ended(_ result: TransmissionResult, of claim: Claim, relay: Int) {
        var mayBeRepeated = false
        if case .failed = result { mayBeRepeated = true }
        happens(needsChance: mayBeRepeated) { $0.ended(result, of: claim, relay: relay, at: $1) }
    }

    /// Takes in that no relay was asked, because the claim came to an end before.
    func endedUnsent(_ completion: Completion, relay: Int) {
        happens { $0.endedUnsent(completion, relay: relay, at: $1) }
    }

    /// Takes in that a lane's connection was opened.
    func connectionOpened(_ lane: LaneID, for claim: Claim) {
        happens { $0.connectionOpened(lane, message: claim.message.id, at: $1) }
    }

    /// Takes in that a lane has no connection; where it had one, another lane may open one.
    func connectionClosed(_ lane: LaneID) { happens { $0.connectionClosed(lane, at: $1) } }

    /// Whether a lane may go on waiting for the answer to RCPT, although others may need the lane.
    func mayWait(for claim: Claim) -> Bool {
        state.withLock { $0.machine.mayWait(for: claim, at: environment.now()) }
    }

    /// Takes in that the whole of a message was handed over: only the answer to the final dot is missing.
    func awaitsAcceptance(of claim: Claim) { happens { $0.awaitsAcceptance(of: claim.message.id, at: $1) } }

    /// A lane took over what was read anew of its relay, which is probed at once where it is paused.
    func reconfigured(_ lane: LaneID) { happens { $0.reconfigured(lane, at: $1) } }

    /// What became of a claim while a lane had it; `nil` where it may be handed over.
    func voidOutcome(of claim: Claim) -> Completion.Outcome? { state.withLock { $0.machine.voidOutcome(of: claim) } }

    /// What follows from a mail that could not be made.
    func composition(_ failure: TransmissionFailure, of claim: Claim) -> Completion {
        state.withLock { state in
            state.machine.composition(failure, of: claim, at: present(environment.moment(), needsChance: true))
        }
    }

    // MARK: Carrying out

    /// Asked for inside the lock: a thread that read the clocks earlier and came in later would look like a clock that was
    /// set back.
    private func present(_ moment: Moment, needsChance: Bool = false) -> StateMachine.Present {
        var present = StateMachine.Present(now: moment.now, expiryHold: clock.expiryHold(at: moment))
        if needsChance { present.chance = environment.chance() }
        return present
    }

    private func happens(
        needsChance: Bool = false,
        _ event: (inout StateMachine, StateMachine.Present) -> StateMachine.Actions
    ) {
        carryOut(needsChance: needsChance) { event(&$0.machine, $1) }
    }

    /// What is to be recorded is handed over inside the lock, so that it comes in the order in which it was decided: a relay's
    /// older status must not replace the newer one, nor an acquittal come before what it acquits of.
    private func carryOut(
        needsChance: Bool = false,
        _ event: (inout State, StateMachine.Present) -> StateMachine.Actions
    ) {
        let (actions, served, moment) = state.withLock { state in
            let moment = environment.moment()
            let actions = event(&state, present(moment, needsChance: needsChance))
            let served = actions.assignments.map { lane, claim in
                guard let continuation = state.waiting.removeValue(forKey: lane) else {
                    preconditionFailure("only a lane that waits is given a claim")
                }
                return (continuation: continuation, claim: claim)
            }
            if actions.hasRecords {
                recorder.record(actions.completions, relays: actions.statuses, cleared: actions.cleared)
            }
            for (relay, change) in actions.changes { log.relayChanged(configuration.value.relays[relay], change) }
            return (actions, served, moment)
        }
        for (continuation, claim) in served { continuation.resume(returning: claim) }
        for (relay, connections) in actions.limits {
            log.connectionLimitLearned(configuration.value.relays[relay], connections: connections)
        }
        if actions.wakesDispatcher { onRoom() }
        if let next = actions.nextMoment { setAlarm(for: next, seenAt: moment) }
    }

    private func setAlarm(for next: Timestamp, seenAt moment: Moment) {
        let distance = max(next.timeSince(moment.now), .milliseconds(1))
        let at = moment.uptime + distance
        alarm.withLock { alarm in
            if let alarm, alarm.at <= at { return }
            alarm?.task.cancel()
            let task = Task { [environment] in
                do { try await environment.sleep(distance) } catch { return }
                ring(at)
            }
            alarm = (at, task)
        }
    }

    private func ring(_ at: Duration) {
        alarm.withLock { alarm in
            if alarm?.at == at { alarm = nil }
        }
        happens { $0.timePassed(at: $1) }
    }
}

extension RelayPool.StateMachine.Actions {
    fileprivate var hasRecords: Bool { !completions.isEmpty || !statuses.isEmpty || !cleared.isEmpty }
}
