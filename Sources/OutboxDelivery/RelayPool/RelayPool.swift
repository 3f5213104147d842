// Hands claims to the lanes of the right relay, and learns from their results: carries out the decisions of its state
// machine. Never touches the store.

import OutboxCore
import OutboxStore
import Synchronization

/// The only component that knows the state of every relay and which lanes are idle.
///
/// A claim goes to the first relay in the configuration's order that is up. A relay that is down gets one message after
/// its pause, to test whether the relay works again. If no relay is up, waiting claims return to the store, and only
/// probes are claimed: a message in the outbox can expire, be superseded and be counted as delayed.
final class RelayPool: Sendable {
    private struct State {
        var machine: StateMachine
        /// The continuations of the lanes that wait for a claim.
        var waiting: [LaneID: CheckedContinuation<Claim?, Never>] = [:]
    }

    private let configuration: CurrentConfiguration
    private let environment: DeliveryEnvironment
    private let clock: SharedClockWatch
    private let recorder: OutcomeRecorder
    private let log: DeliveryLog
    private let onRoom: @Sendable () -> Void
    private let state: Guarded<State>
    /// Whether any claim with a lane must not be handed over. Lanes ask twice a message, and hardly ever is one.
    private let hasVoid = Atomic(false)
    /// When to check the time next, in uptime.
    private let alarm = Mutex<(at: Duration, task: Task<Void, Never>)?>(nil)

    /// - Parameters:
    ///   - known: the relays as an earlier process stored them: a relay's certificate is known before it is asked.
    ///   - onRoom: called when there is room for more claims.
    init(
        configuration: CurrentConfiguration,
        environment: DeliveryEnvironment,
        clock: SharedClockWatch,
        recorder: OutcomeRecorder,
        log: DeliveryLog,
        known: [RelayStatus] = [],
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
            tls: Dictionary(known.map { ($0.name, $0.tls) }, uniquingKeysWith: { first, _ in first }),
            now: environment.now()
        )
        state = Guarded(State(machine: machine))
    }

    // MARK: For the dispatcher

    /// How many claims to request from the store; `onRoom` is called when there is room again.
    var room: Int { state.withLock { $0.machine.roomForBatch(now: environment.now()) } }

    /// How many claims of this priority to request although the queue is full, because the waiting claims are less
    /// urgent. The number is that of the lanes, so that the next free lane takes such a claim.
    func roomForUrgent(priority: Int) -> Int { state.withLock { $0.machine.roomForUrgent(priority: priority) } }

    /// How many claims are with a lane or in the queue.
    var underWay: Int { state.withLock { $0.machine.underWay } }

    /// The number of lanes of the relay with the most lanes.
    var laneCount: Int { state.withLock { $0.machine.depth.lanes } }

    /// The current status of every relay.
    var statuses: [RelayStatus] { state.withLock { $0.machine.statuses(now: environment.now()) } }

    /// Adds claims.
    ///
    /// - Returns: the claims that the pool did not accept because it is closed.
    func add(_ claims: [Claim]) -> [Claim] {
        var refused: [Claim] = []
        happens { machine, present in
            let result = machine.add(claims, at: present)
            refused = result.refused
            return result.actions
        }
        return refused
    }

    /// Withdraws claims that were superseded or cancelled, if they still wait for a lane. A lane that holds such a
    /// claim doesn't send it, unless the transmission of its content has begun.
    func withdraw(_ ids: [Int64], as outcome: Completion.Outcome) {
        guard !ids.isEmpty else { return }
        happens { $0.withdraw(ids, as: outcome, at: $1) }
    }

    /// Takes over new rates and a new retry schedule.
    func limitsChanged() {
        let value = configuration.value
        happens { $0.use(value.relays, schedule: value.settings.schedule, at: $1) }
    }

    /// Stops handing out claims and releases every waiting lane.
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

    /// Records the rejections that wait for other results. Call only during shutdown, after all lanes have stopped.
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
                precondition(former == nil, "a lane can't wait twice")
                return state.machine.awaitsClaim(lane, at: present)
            }
        }
    }

    /// Records the result of a transmission.
    func ended(_ result: TransmissionResult, of claim: Claim, relay: Int) {
        var mayBeRepeated = false
        if case .failed = result { mayBeRepeated = true }
        happens(needsChance: mayBeRepeated) { $0.ended(result, of: claim, relay: relay, at: $1) }
    }

    /// Records that a claim ended before any relay was asked.
    func endedUnsent(_ completion: Completion, relay: Int) {
        happens { $0.endedUnsent(completion, relay: relay, at: $1) }
    }

    /// Records that a lane's connection was opened.
    func connectionOpened(_ lane: LaneID, for claim: Claim) {
        happens { $0.connectionOpened(lane, message: claim.message.id, at: $1) }
    }

    /// Records how a new connection to a relay is protected.
    func connectionSecured(_ tls: TLSSession?, relay: Int) {
        happens { $0.connectionSecured(tls, relay: relay, at: $1) }
    }

    /// Records how many mails a relay takes over one connection of this lane; `nil` if no limit is known.
    func mailsLimited(to limit: Int?, on lane: LaneID) { happens { $0.mailsLimited(to: limit, on: lane, at: $1) } }

    /// Records that a lane has no connection. If it had one before, another lane may open one.
    func connectionClosed(_ lane: LaneID) { happens { $0.connectionClosed(lane, at: $1) } }

    /// Whether a lane may go on waiting for the answer to RCPT although other claims may need the lane.
    func mayWait(for claim: Claim) -> Bool {
        state.withLock { $0.machine.mayWait(for: claim, at: environment.now()) }
    }

    /// Notes that values of a message were made harmless.
    func variablesChanged(_ variables: [String], of claim: Claim) {
        log.variablesChanged(variables, ofKind: claim.message.kind)
    }

    /// Notes that a relay refused the parameters that request reports, and accepted the mail without them.
    func reportsRefused(_ failure: TransmissionFailure, relay: Int) {
        log.reportsRefused(configuration.value.relays[relay], failure)
    }

    /// Records that a whole message was handed over, and only the answer to the final dot is missing.
    func awaitsAcceptance(of claim: Claim) { happens { $0.awaitsAcceptance(of: claim.message.id, at: $1) } }

    /// Records that a lane uses the relay's new configuration. A paused relay is then probed at once.
    func reconfigured(_ lane: LaneID) { happens { $0.reconfigured(lane, at: $1) } }

    /// Why a claim must not be handed over any more; `nil` if it may be handed over.
    func voidOutcome(of claim: Claim) -> Completion.Outcome? {
        guard hasVoid.load(ordering: .acquiring) else { return nil }
        return state.withLock { $0.machine.voidOutcome(of: claim) }
    }

    /// Decides what follows for a mail that could not be composed.
    func composition(_ failure: TransmissionFailure, of claim: Claim) -> Completion {
        state.withLock { state in
            state.machine.composition(failure, of: claim, at: present(environment.moment(), needsChance: true))
        }
    }

    // MARK: Carrying out

    /// Reads the clocks inside the lock: a thread that read them earlier and entered later would look like a clock that
    /// was set back.
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

    /// Hands outcomes to the recorder inside the lock, so that they keep the order of the decisions. An older relay
    /// status must not replace a newer one, and clearing a refusal must not come before the refusal.
    private func carryOut(
        needsChance: Bool = false,
        _ event: (inout State, StateMachine.Present) -> StateMachine.Actions
    ) {
        let (actions, served, moment) = state.withLock { state in
            let moment = environment.moment()
            let actions = event(&state, present(moment, needsChance: needsChance))
            hasVoid.store(!state.machine.void.isEmpty, ordering: .releasing)
            let served = actions.assignments.map { lane, claim in
                guard let continuation = state.waiting.removeValue(forKey: lane) else {
                    preconditionFailure("only a waiting lane gets a claim")
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
        for (relay, tls) in actions.endingCertificates {
            log.certificateEnds(configuration.value.relays[relay], tls, now: moment.now)
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
