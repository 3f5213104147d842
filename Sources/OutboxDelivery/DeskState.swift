// What the relay desk knows, and its decisions. Pure: no clock, no waiting, no I/O.

import OutboxCore
import OutboxStore
import SMTPTransport

/// The queue, and each relay's health, limits and idle lanes.
struct DeskState {
    /// A lane that waits for a claim.
    struct Taker {
        let continuation: CheckedContinuation<Claim?, Never>
        /// It failed to connect while others succeed: it waits a moment before it tries again.
        let restsUntil: Timestamp?
    }

    /// One relay.
    struct Seat {
        var relay: DeliveryRelay
        var health: RelayHealth
        var bucket: TokenBucket?
        var takers: [Taker] = []
        var docket: RefusalDocket
        /// The message that probes it.
        var probe: Int64?
        /// How many connections in a row failed while the relay took messages over others.
        var lonelyFailures = 0
        var restsUntil: Timestamp?
    }

    var judge: Judge
    let capacity: Int
    var seats: [Seat]
    var queue = ClaimQueue()
    /// The messages that are with a lane.
    private var served: Set<Int64> = []
    /// What became of messages while they were with a lane: nothing of them may be handed over any more.
    private var void: [Int64: Completion.Outcome] = [:]
    private(set) var isClosed = false

    /// A message that failed with its relay comes back this much after the relay's pause, so that another one probes it:
    /// a message that breaks the relay must not be the only one that is ever tried.
    private static let afterPause = Duration.milliseconds(250)

    init(relays: [DeliveryRelay], judge: Judge, refusalHolding: Duration, now: Timestamp) {
        precondition(!relays.isEmpty, "the settings have a relay")
        self.judge = judge
        seats = relays.map { relay in
            Seat(
                relay: relay,
                health: RelayHealth(suspectAfter: relay.suspectAfter),
                bucket: relay.rate.map { TokenBucket(rate: $0, now: now) },
                docket: RefusalDocket(holding: refusalHolding)
            )
        }
        capacity = (relays.map(\.connections).max() ?? 1) * DeliverySettings.claimsPerLane
    }

    /// Goes by these from now on; a bucket is made anew, so full, only for another rate.
    mutating func use(_ relays: [DeliveryRelay], schedule: RetrySchedule, now: Timestamp) {
        judge.schedule = schedule
        for (index, relay) in relays.enumerated() {
            if relay.rate != seats[index].relay.rate {
                seats[index].bucket = relay.rate.map { TokenBucket(rate: $0, now: now) }
            }
            seats[index].relay = relay
        }
    }

    /// How many claims are with a lane or wait for one.
    var underWay: Int { queue.count + served.count }

    /// A lane has said what became of its claim.
    mutating func returned(_ claim: Claim) {
        served.remove(claim.message.id)
        if !void.isEmpty { void[claim.message.id] = nil }
    }

    /// What a lane must not hand over any more; `nil` where it may.
    func voidOutcome(of claim: Claim) -> Completion.Outcome? { void[claim.message.id] }

    /// Takes claims back that became void, and marks those that are with a lane.
    mutating func withdraw(
        _ ids: [Int64],
        as outcome: Completion.Outcome,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        effects.completions += queue.take(messages: Set(ids)).map { claim in
            Completion(claim: claim, outcome: outcome, relay: nil, finishedAt: now)
        }
        for id in ids where served.contains(id) { void[id] = outcome }
    }

    /// The relay to hand messages to, by its place.
    private var preferred: Int? { seats.indices.first { seats[$0].health.isUp } }

    // MARK: Room

    /// How many more claims there is room for.
    func room(now: Timestamp) -> Int {
        if isClosed { return 0 }
        if let preferred {
            // What a slow relay gets in two seconds: the rest waits in the outbox, where it can be superseded.
            let atItsRate = seats[preferred].relay.rate.map { max(1, Int($0 * 2)) } ?? capacity
            return max(0, min(capacity, atItsRate) - queue.count)
        }
        let probes = seats.count { $0.health.isDueForProbe(at: now) }
        return max(0, probes - queue.count)
    }

    /// How many more claims to ask the store for: none until at least half of what may wait is gone. A claim is a
    /// transaction; one for every few claims that lanes take would cost more than the messages do.
    func roomForBatch(now: Timestamp) -> Int {
        let room = room(now: now)
        return room > (room + queue.count) / 2 ? room : 0
    }

    /// How many urgent claims there is room for beside what waits, all of which is less urgent.
    func roomForUrgent(priority: Int) -> Int {
        guard !isClosed, preferred != nil, let lowest = queue.lowestPriority, lowest < priority else { return 0 }
        return max(0, capacity / DeliverySettings.claimsPerLane - queue.count(fromPriority: priority))
    }

    /// The next moment at which time alone changes something.
    mutating func nextMoment(after now: Timestamp) -> Timestamp? {
        if isClosed { return nil }
        var next: Timestamp?
        func consider(_ moment: Timestamp?) {
            guard let moment, moment > now else { return }
            next = min(next ?? moment, moment)
        }
        let preferred = preferred
        for index in seats.indices {
            // While a better relay is up, nobody asks after this one.
            if index < preferred ?? seats.count { consider(seats[index].health.probesAt(now)) }
            // One that should have been released already must not be forgotten.
            consider(seats[index].docket.nextRelease(now).map { max($0, now + .milliseconds(1)) })
            if index == preferred, !queue.isEmpty {
                consider(seats[index].bucket?.nextToken(now: now))
                for taker in seats[index].takers { consider(taker.restsUntil) }
            }
        }
        return next
    }

    func statuses(now: Timestamp) -> [RelayStatus] {
        seats.indices.map { seats[$0].relay.status(seats[$0].health, position: $0 + 1, now: now) }
    }

    // MARK: Assigning

    mutating func addTaker(_ continuation: CheckedContinuation<Claim?, Never>, relay: Int, now: Timestamp) {
        let rest = seats[relay].restsUntil
        seats[relay].restsUntil = nil
        seats[relay].takers.append(Taker(continuation: continuation, restsUntil: rest))
    }

    /// The next claim for a lane that has just become idle, if there is one for its relay.
    mutating func takeAtOnce(relay: Int, now: Timestamp) -> Claim? {
        guard !queue.isEmpty, seats[relay].restsUntil == nil, preferred == relay,
            !seats[..<relay].contains(where: { $0.health.isDueForProbe(at: now) }),
            seats[relay].bucket?.take(now: now) ?? true, let claim = queue.takeFirst()
        else { return nil }
        served.insert(claim.message.id)
        return claim
    }

    /// Gives claims to idle lanes, as long as there are both.
    mutating func assign(now: Timestamp, _ effects: inout RelayDesk.Effects) {
        while !queue.isEmpty, let relay = relayForNext(now: now, &effects) {
            guard let taker = takeTaker(relay: relay, now: now), let claim = queue.takeFirst() else { return }
            if seats[relay].health.state == .probing, seats[relay].probe == nil {
                seats[relay].probe = claim.message.id
            }
            served.insert(claim.message.id)
            effects.served.append((taker.continuation, claim))
        }
        giveBackIfNoneIsUp(now: now, &effects)
    }

    /// - Returns: a relay that has an idle lane and may be given the next claim.
    private mutating func relayForNext(now: Timestamp, _ effects: inout RelayDesk.Effects) -> Int? {
        for index in seats.indices {
            let hasTaker = seats[index].takers.contains { $0.isRested(at: now) }
            if seats[index].health.isUp {
                // Preference, not balance: a busy or slowed relay is waited for.
                guard hasTaker, seats[index].bucket?.take(now: now) ?? true else { return nil }
                return index
            }
            if hasTaker, seats[index].health.isDueForProbe(at: now) {
                handle(.probed, relay: index, now: now, &effects)
                return index
            }
        }
        return nil
    }

    /// The lane that was idle last, because its connection is the most likely one to be open.
    private mutating func takeTaker(relay: Int, now: Timestamp) -> Taker? {
        guard let index = seats[relay].takers.lastIndex(where: { $0.isRested(at: now) }) else { return nil }
        return seats[relay].takers.remove(at: index)
    }

    private mutating func giveBackIfNoneIsUp(now: Timestamp, _ effects: inout RelayDesk.Effects) {
        guard !queue.isEmpty, preferred == nil else { return }
        // A claim that can be a probe as soon as a lane is idle stays.
        let probes = seats.count { $0.health.isDueForProbe(at: now) }
        guard queue.count > probes else { return }
        effects.completions += queue.takeAll().map { claim in
            Completion(claim: claim, outcome: .returnedUnsent, relay: nil, finishedAt: now)
        }
    }

    // MARK: Learning

    mutating func report(
        _ result: TransmissionResult,
        of claim: Claim,
        relay: Int,
        startedAt: Timestamp,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        let name = seats[relay].relay.relay.name
        let wasProbe = seats[relay].probe == claim.message.id
        if wasProbe { seats[relay].probe = nil }
        switch result {
        case .accepted(let reply):
            seats[relay].lonelyFailures = 0
            handle(.accepted, relay: relay, now: now, &effects)
            effects.completions += seats[relay].docket.confirm()
            effects.completions.append(
                Completion(claim: claim, outcome: .accepted(reply), relay: name, finishedAt: now)
            )
        case .withheld:
            preconditionFailure("the lane knows why it withheld the content, and reports that")
        case .failed(let failure):
            let verdict = FailurePolicy.verdict(for: failure)
            let attempt = FailedAttempt(claim: claim, failure: failure, verdict: verdict, startedAt: startedAt)
            if failure.fault == .interrupted {
                if wasProbe { handle(.probeReturned, relay: relay, now: now, &effects) }
                let judged = attempt.judged(isUsedUp: failure.isUncertain)
                let delay: Duration? = failure.isUncertain ? nil : .zero
                effects.completions.append(judge.again(judged, claim, after: delay, relay: name, now: now))
            } else if verdict.scope == .relay || verdict.scope == .configuration {
                blame(relay, attempt, now: now, &effects)
            } else {
                learnFromRefusal(attempt, relay: relay, now: now, &effects)
            }
        }
    }

    /// The relay or the configuration failed the attempt.
    private mutating func blame(
        _ relay: Int,
        _ attempt: FailedAttempt,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        let name = seats[relay].relay.relay.name
        let isExonerated = seats[relay].health.isExonerated(sinceAttemptBegan: attempt.startedAt, now: now)
        handle(.failed(attempt.trouble, startedAt: attempt.startedAt), relay: relay, now: now, &effects)
        // A message that breaks the conversation while others pass pays for it itself.
        let isUsedUp = attempt.failure.isUncertain || isExonerated && attempt.failure.stage.isWithinTransaction
        let judged = attempt.judged(isUsedUp: isUsedUp)
        var delay: Duration?
        if !isUsedUp {
            if isExonerated {
                delay = rest(relay, now: now)
            } else {
                seats[relay].lonelyFailures = 0
                delay = preferred != nil ? .zero : untilNextProbe(now: now) + Self.afterPause
            }
        }
        effects.completions.append(judge.again(judged, attempt.claim, after: delay, relay: name, now: now))
    }

    /// The relay answered, and refused the recipient or the message.
    private mutating func learnFromRefusal(
        _ attempt: FailedAttempt,
        relay: Int,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        let name = seats[relay].relay.relay.name
        seats[relay].lonelyFailures = 0
        let judged = attempt.judged(isUsedUp: true)
        switch attempt.verdict.disposition {
        case .again:
            handle(.answered, relay: relay, now: now, &effects)
            let isUrgent = seats[relay].health.isCatchingUp(at: now)
            let delay = attempt.verdict.retryAfter ?? (isUrgent ? RelayHealth.catchingUpDelay : nil)
            effects.completions.append(judge.again(judged, attempt.claim, after: delay, relay: name, now: now))
        case .final:
            handle(.refusedForGood, relay: relay, now: now, &effects)
            let refusal = Completion(
                claim: attempt.claim,
                outcome: .rejected(judged),
                relay: name,
                finishedAt: now
            )
            guard seats[relay].health.isSuspect else {
                seats[relay].docket.hold(refusal, now: now)
                return
            }
            let (held, released) = seats[relay].docket.acquit()
            effects.acquitted += released
            effects.completions += (held + [refusal]).map { acquitted($0, now: now) }
        }
    }

    /// A refusal by a relay that refuses everybody: the message stays open.
    private func acquitted(_ completion: Completion, now: Timestamp) -> Completion {
        guard let judged = completion.outcome.judgement else { preconditionFailure("a refusal is a failure") }
        let verdict = Verdict(.relay, .again, .refusesEverybody)
        return judge.again(
            JudgedFailure(failure: judged.failure, verdict: verdict, isUsedUp: true),
            completion.claim,
            relay: completion.relay,
            now: now
        )
    }

    /// A lane that can't connect while others can waits longer each time, so that it doesn't spend messages' time.
    private mutating func rest(_ relay: Int, now: Timestamp) -> Duration {
        let doublings = min(seats[relay].lonelyFailures / max(1, seats[relay].relay.connections), 4)
        seats[relay].lonelyFailures += 1
        let pause = min(RelayHealth.shortestPause * (1 << doublings), RelayHealth.longestPause)
        seats[relay].restsUntil = now + pause
        return .zero
    }

    private func untilNextProbe(now: Timestamp) -> Duration {
        let moments = seats.compactMap { $0.health.probesAt(now) }
        return max(moments.min()?.timeSince(now) ?? RelayHealth.longestPause, .zero)
    }

    mutating func handle(
        _ event: RelayEvent,
        relay: Int,
        onlyIfProbedBy claim: Claim? = nil,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        if let claim {
            guard seats[relay].probe == claim.message.id else { return }
            seats[relay].probe = nil
        }
        let before = seats[relay].health.state
        let change = seats[relay].health.handle(event, now: now)
        if seats[relay].health.state != before {
            effects.statuses.append(seats[relay].relay.status(seats[relay].health, position: relay + 1, now: now))
            if seats[relay].health.isUp { effects.wakesDispatcher = true }
        }
        if change != .none { effects.changes.append((relay, change)) }
    }

    // MARK: Closing

    /// - Returns: the claims that no lane took.
    mutating func close(_ effects: inout RelayDesk.Effects) -> [Claim] {
        isClosed = true
        for index in seats.indices {
            effects.served += seats[index].takers.map { ($0.continuation, nil) }
            seats[index].takers = []
        }
        return queue.takeAll()
    }
}

extension DeskState.Taker {
    /// A clock that was set back makes no lane rest longer.
    func isRested(at now: Timestamp) -> Bool {
        restsUntil.map { $0 <= now || $0 > now + RelayHealth.longestPause } ?? true
    }
}

/// An attempt that failed, with what is known of it.
private struct FailedAttempt {
    let claim: Claim
    let failure: TransmissionFailure
    let verdict: Verdict
    let startedAt: Timestamp

    var trouble: RelayTrouble {
        RelayTrouble(
            scope: verdict.scope,
            reason: verdict.reason,
            stage: failure.stage,
            detail: failure.detail,
            reply: failure.reply
        )
    }

    func judged(isUsedUp: Bool) -> JudgedFailure {
        JudgedFailure(failure: failure, verdict: verdict, isUsedUp: isUsedUp)
    }
}
