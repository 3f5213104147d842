// Hands claims to the lanes of the relay that should have them, and learns from what became of each. Never touches
// the store.

import OutboxCore
import OutboxStore
import Synchronization

/// The one place that knows how every relay is and which lanes are idle.
///
/// A claim goes to the first relay in the configuration's order that is up. A relay that is down gets one message when
/// its pause is over, to find out whether it works again. With no relay up, what waits is given back to the store, and
/// nothing but a probe is claimed: a message in the outbox can expire, be superseded and be counted as delayed.
final class RelayDesk: Sendable {
    /// What to do once the lock is released.
    struct Effects {
        var served: [(taker: CheckedContinuation<Claim?, Never>, claim: Claim?)] = []
        var completions: [Completion] = []
        var statuses: [RelayStatus] = []
        var changes: [(relay: Int, change: RelayHealth.Change)] = []
        /// Relays that showed how many connections they take.
        var limits: [(relay: Int, connections: Int)] = []
        /// Messages whose refusals turned out to be the relay's fault after they had been recorded.
        var acquitted: [Int64] = []
        var wakesDispatcher = false
        /// The next moment at which time alone changes something.
        var nextMoment: Timestamp?

        var hasRecords: Bool { !completions.isEmpty || !statuses.isEmpty || !acquitted.isEmpty }
    }

    private let configuration: CurrentConfiguration
    private let environment: DeliveryEnvironment
    private let clock: SharedClockWatch
    private let recorder: OutcomeRecorder
    private let log: DeliveryLog
    private let onRoom: @Sendable () -> Void
    private let state: Mutex<DeskState>
    private let alarm = Mutex<(at: Timestamp, task: Task<Void, Never>)?>(nil)

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
        state = Mutex(
            DeskState(
                relays: relays,
                judge: Judge(schedule: settings.schedule, random: environment.random),
                refusalHolding: settings.refusalHolding,
                now: environment.now()
            )
        )
    }

    /// How many claims to ask the store for; the desk tells when there is room again.
    var room: Int { state.withLock { $0.roomForBatch(now: environment.now()) } }

    /// Every relay as it is now.
    var statuses: [RelayStatus] { state.withLock { $0.statuses(now: environment.now()) } }

    /// Adds claims.
    ///
    /// - Returns: the claims that were not taken over, because the desk is closed.
    func add(_ claims: [Claim]) -> [Claim] {
        var refused: [Claim] = []
        change { state, effects, now in
            guard !state.isClosed else {
                refused = claims
                return
            }
            state.add(claims, now: now, &effects)
        }
        return refused
    }

    /// The next claim for a lane of the relay, if one waits for it.
    func takeAtOnce(relay: Int, lane: Int) -> Claim? {
        var claim: Claim?
        let effects = mutate { state, _, now in claim = state.takeAtOnce(relay: relay, lane: lane, now: now) }
        if effects.wakesDispatcher { onRoom() }
        return claim
    }

    /// Waits for the next claim for a lane of the relay; `nil` once the desk is closed.
    func take(relay: Int, lane: Int) async -> Claim? {
        await withCheckedContinuation { taker in
            let effects = mutate { state, effects, now in
                guard !state.isClosed else {
                    effects.served.append((taker, nil))
                    return
                }
                state.addTaker(taker, relay: relay, lane: lane)
                state.assign(now: now, &effects)
            }
            carryOut(effects)
        }
    }

    /// Takes in how handing a claim to a relay ended.
    func report(_ result: TransmissionResult, of claim: Claim, relay: Int, startedAt: Timestamp) {
        change { state, effects, now in
            state.report(result, of: claim, relay: relay, startedAt: startedAt, now: now, &effects)
            state.assign(now: now, &effects)
        }
    }

    /// Takes in that a lane's connection was opened.
    func connectionOpened(relay: Int, lane: Int, for claim: Claim) {
        _ = mutate { state, _, now in
            state.connectionOpened(relay: relay, lane: lane, message: claim.message.id, now: now)
        }
    }

    /// Takes in that a lane has no connection; where it had one, another lane may open one.
    func connectionClosed(relay: Int, lane: Int) {
        let wasOpen = state.withLock { $0.connectionClosed(relay: relay, lane: lane) }
        if wasOpen { change { state, effects, now in state.assign(now: now, &effects) } }
    }

    /// Takes in that the whole of a message was handed over: only the answer to the final dot is missing.
    func awaitsAcceptance(of claim: Claim) {
        // No lane is idle because of it: all that changes is when to look next.
        let effects = mutate { state, _, now in state.awaitsAcceptance(claim.message.id, now: now) }
        if let next = effects.nextMoment { setAlarm(for: next) }
    }

    /// Takes in that no relay was asked, because the claim came to an end before.
    func reportUnsent(_ completion: Completion, relay: Int) {
        change { state, effects, now in
            state.returned(completion.claim)
            effects.completions.append(completion)
            state.handle(.probeReturned, relay: relay, onlyIfProbedBy: completion.claim, now: now, &effects)
            state.assign(now: now, &effects)
        }
    }

    /// What follows from a mail that could not be made.
    func composition(_ failure: TransmissionFailure, of claim: Claim) -> Completion {
        state.withLock { $0.judge.composition(failure, claim, now: environment.now()) }
    }

    /// Takes claims back that a newer message or the application made void, if they still wait for a lane. A lane that has
    /// one hands nothing of it over, unless it has begun to.
    func withdraw(_ ids: [Int64], as outcome: Completion.Outcome) {
        guard !ids.isEmpty else { return }
        change { state, effects, now in state.withdraw(ids, as: outcome, now: now, &effects) }
    }

    /// What became of a claim while a lane had it; `nil` where it may be handed over.
    func voidOutcome(of claim: Claim) -> Completion.Outcome? { state.withLock { $0.voidOutcome(of: claim) } }

    /// How many claims are with a lane or wait for one.
    var underWay: Int { state.withLock(\.underWay) }

    /// How many lanes the largest relay has.
    var laneCount: Int { state.withLock { $0.capacity / DeliverySettings.claimsPerLane } }

    /// How many claims of a priority to ask the store for although there is no room, because what waits for a lane is less
    /// urgent: as many as there are lanes, so that the next one that is free takes one.
    func roomForUrgent(priority: Int) -> Int { state.withLock { $0.roomForUrgent(priority: priority) } }

    /// Rates and the schedule of retries were read anew.
    func limitsChanged() {
        let value = configuration.value
        change { state, _, now in state.use(value.relays, schedule: value.settings.schedule, now: now) }
    }

    /// A lane took over what was read anew of its relay, which is probed at once where it is paused.
    func reconfigured(relay: Int, lane: Int) {
        change { state, effects, now in
            state.reconfigured(relay: relay, lane: lane, now: now, &effects)
            effects.wakesDispatcher = true
        }
    }

    /// Hands out nothing more, and lets every lane that waits go.
    ///
    /// - Returns: the claims that no lane took.
    func close() -> [Claim] {
        var claims: [Claim] = []
        change { state, effects, _ in claims = state.close(&effects) }
        alarm.withLock { $0?.task.cancel() }
        return claims
    }

    /// Records the refusals that wait for others. For the end, when no lane works any more.
    func releaseRefusals() {
        change { state, effects, _ in
            for index in state.seats.indices { effects.completions += state.seats[index].docket.confirm() }
        }
    }

    private func mutate(_ body: (inout DeskState, inout Effects, Timestamp) -> Void) -> Effects {
        let moment = environment.moment()
        let now = moment.now
        return state.withLock { state in
            var effects = Effects()
            let hadRoom = state.roomForBatch(now: now) > 0
            state.judge.expiryHold = clock.expiryHold(at: moment)
            body(&state, &effects, now)
            if !hadRoom && state.roomForBatch(now: now) > 0 { effects.wakesDispatcher = true }
            effects.nextMoment = state.nextMoment(after: now)
            return effects
        }
    }

    private func change(_ body: (inout DeskState, inout Effects, Timestamp) -> Void) {
        carryOut(mutate(body))
    }

    /// Hands over to the recorder first: a probe that was served before its relay's status is on the way could report
    /// a newer one that the older one would then replace.
    private func carryOut(_ effects: Effects) {
        if effects.hasRecords {
            recorder.record(effects.completions, relays: effects.statuses, acquitted: effects.acquitted)
        }
        for (taker, claim) in effects.served { taker.resume(returning: claim) }
        for (relay, connections) in effects.limits {
            log.connectionLimitLearned(configuration.value.relays[relay], connections: connections)
        }
        for (relay, change) in effects.changes { log.relayChanged(configuration.value.relays[relay], change) }
        if effects.wakesDispatcher { onRoom() }
        if let next = effects.nextMoment { setAlarm(for: next) }
    }

    private func setAlarm(for next: Timestamp) {
        alarm.withLock { alarm in
            if let alarm, alarm.at <= next { return }
            alarm?.task.cancel()
            let task = Task { [environment] in
                do { try await environment.sleep(max(next.timeSince(environment.now()), .milliseconds(1))) } catch {
                    return
                }
                ring(next)
            }
            alarm = (next, task)
        }
    }

    private func ring(_ at: Timestamp) {
        alarm.withLock { alarm in
            if alarm?.at == at { alarm = nil }
        }
        change { state, effects, now in
            for index in state.seats.indices {
                effects.completions += state.seats[index].docket.release(at: now)
            }
            state.noticeSilence(now: now, &effects)
            state.sendAside(now: now, &effects)
            state.assign(now: now, &effects)
            if state.roomForBatch(now: now) > 0 { effects.wakesDispatcher = true }
        }
    }
}
