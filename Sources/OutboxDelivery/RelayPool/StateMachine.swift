// What the relay desk knows, and to whom it gives the next claim. Pure: no clock, no waiting, no I/O.

import OutboxCore
import OutboxStore
import SMTPTransport

/// The queue, and each relay's health, limits and idle lanes.
struct DeskState {
    /// A lane that waits for a claim.
    struct Taker {
        let continuation: CheckedContinuation<Claim?, Never>
        /// Its number among the relay's lanes.
        let lane: Int
        /// It failed to connect while others succeed: it waits a moment before it tries again.
        let restsUntil: Timestamp?
    }

    /// A claim that is with a lane.
    struct Service {
        let relay: Int
        let lane: Int
        let domain: String
        /// The place of its beginning among all events.
        let order: Int
        let startedAt: Timestamp
        /// When its connection was opened, or its last dot handed over: it shows that the relay lives.
        var lifeAt: Timestamp
        /// Since when the final dot is unanswered.
        var dotAt: Timestamp?
    }

    /// One relay.
    struct Seat {
        var relay: DeliveryRelay
        var health = RelayHealth()
        var evidence: RelayEvidence
        var bucket: TokenBucket?
        var takers: [Taker] = []
        var docket: RefusalDocket
        /// The messages that probe it.
        var probes: Set<Int64> = []
        /// The lanes whose connection is open.
        var connections: Set<Int> = []
        var limit = ConnectionLimit()
        /// How many connections in a row failed while the relay took messages over others.
        var lonelyFailures = 0
        /// How many connections the relay has refused since one was last opened.
        var refusedConnections = 0
        /// The lanes that failed to connect, and until when each rests.
        var rests: [Int: Timestamp] = [:]
        /// When a suspected relay gets a message next although another one is up.
        var trialAt: Timestamp?
    }

    var judge: Judge
    let capacity: Int
    var seats: [Seat]
    var queue = ClaimQueue()
    var evidence = MessageEvidence()
    /// The messages that are with a lane.
    var served: [Int64: Service] = [:]
    /// Numbers the events: what came before what is told by it, whatever the clock does.
    var order = 0
    /// What became of messages while they were with a lane: nothing of them may be handed over any more.
    private var void: [Int64: Completion.Outcome] = [:]
    private(set) var isClosed = false

    /// So many probes may be under way at once.
    private static let probesAtOnce = 3
    /// How often a suspected relay gets a message although another one is up.
    static let trialInterval = Duration.seconds(10)

    init(relays: [DeliveryRelay], judge: Judge, refusalHolding: Duration, now: Timestamp) {
        precondition(!relays.isEmpty, "the settings have a relay")
        self.judge = judge
        seats = relays.map { relay in
            Seat(
                relay: relay,
                evidence: RelayEvidence(suspectAfter: relay.suspectAfter),
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
    ///
    /// - Returns: what was known of its work.
    @discardableResult
    mutating func returned(_ claim: Claim) -> Service? {
        if !void.isEmpty { void[claim.message.id] = nil }
        return served.removeValue(forKey: claim.message.id)
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
        for id in ids {
            evidence.forget(id)
            if served[id] != nil { void[id] = outcome }
        }
    }

    /// The relay to hand messages to, by its place: one that is up, else one that is only suspected.
    var preferred: Int? {
        seats.indices.first { seats[$0].health.isUp } ?? seats.indices.first { seats[$0].health.takesMessages }
    }

    // MARK: Room

    /// How many more claims there is room for.
    func room(now: Timestamp) -> Int {
        if isClosed { return 0 }
        if let preferred {
            // What a slow relay gets in two seconds: the rest waits in the outbox, where it can be superseded.
            let atItsRate = seats[preferred].relay.rate.map { max(1, Int($0 * 2)) } ?? capacity
            return max(0, min(capacity, atItsRate) - queue.count)
        }
        return max(0, dueProbes(now: now) - queue.count)
    }

    private func dueProbes(now: Timestamp) -> Int { seats.count { isDueForProbe($0, now: now) } }

    private func isDueForProbe(_ seat: Seat, now: Timestamp) -> Bool {
        seat.probes.count < Self.probesAtOnce && seat.health.isDueForProbe(at: now)
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
            // While a better relay takes messages, nobody asks after this one.
            if index < preferred ?? seats.count { consider(seats[index].health.probesAt(now)) }
            // One that should have been released already must not be forgotten.
            consider(seats[index].docket.nextRelease(now).map { max($0, now + .milliseconds(1)) })
            guard !queue.isEmpty else { continue }
            consider(seats[index].bucket?.nextToken(now: now))
            if seats[index].health.state == .suspected { consider(seats[index].trialAt) }
            for taker in seats[index].takers { consider(taker.restsUntil) }
        }
        for service in served.values {
            consider(service.dotAt.map { $0 + seats[service.relay].relay.relay.replyTimeout })
            if !queue.isEmpty { consider(service.startedAt + Self.patienceWithNewDomain) }
        }
        return next
    }

    func statuses(now: Timestamp) -> [RelayStatus] {
        seats.indices.map { seats[$0].relay.status(seats[$0].health, position: $0 + 1, now: now) }
    }

    // MARK: Assigning

    mutating func add(_ claims: [Claim], now: Timestamp, _ effects: inout RelayDesk.Effects) {
        queue.append(claims)
        sendAside(now: now, &effects)
        assign(now: now, &effects)
    }

    mutating func addTaker(_ continuation: CheckedContinuation<Claim?, Never>, relay: Int, lane: Int) {
        let rest = seats[relay].rests.removeValue(forKey: lane)
        seats[relay].takers.append(Taker(continuation: continuation, lane: lane, restsUntil: rest))
    }

    /// The next claim for a lane that has just become idle, if there is one for its relay.
    mutating func takeAtOnce(relay: Int, lane: Int, now: Timestamp) -> Claim? {
        guard !queue.isEmpty, preferred == relay, seats[relay].rests[lane] == nil,
            !seats[..<relay].indices.contains(where: { index in
                (isDueForProbe(seats[index], now: now) || isDueForTrial(seats[index], now: now))
                    && hasTaker(index, now: now)
            }),
            seats[relay].connections.contains(lane) || permitsConnection(relay, now: now),
            let place = queue.firstPlace(where: { fits($0, relay, now: now) }),
            seats[relay].bucket?.take(now: now) ?? true
        else { return nil }
        let claim = queue.take(at: place)
        serve(claim, relay: relay, lane: lane, now: now)
        return claim
    }

    /// Gives claims to idle lanes, as long as there are both.
    mutating func assign(now: Timestamp, _ effects: inout RelayDesk.Effects) {
        // A relay that is slowed to its rate keeps no other one waiting.
        var slowed: Set<Int> = []
        while !queue.isEmpty, let (relay, place, isProbe) = relayForNext(besides: slowed, now: now) {
            guard seats[relay].bucket?.take(now: now) ?? true else {
                slowed.insert(relay)
                continue
            }
            guard let taker = takeTaker(relay: relay, now: now) else { break }
            let claim = queue.take(at: place)
            if isProbe {
                handle(.probed, relay: relay, now: now, &effects)
                seats[relay].probes.insert(claim.message.id)
            }
            if seats[relay].health.state == .suspected { seats[relay].trialAt = now + Self.trialInterval }
            serve(claim, relay: relay, lane: taker.lane, now: now)
            effects.served.append((taker.continuation, claim))
        }
        giveBackIfNoneIsUp(now: now, &effects)
    }

    private mutating func serve(_ claim: Claim, relay: Int, lane: Int, now: Timestamp) {
        order += 1
        served[claim.message.id] = Service(
            relay: relay,
            lane: lane,
            domain: claim.domain,
            order: order,
            startedAt: now,
            lifeAt: now
        )
    }

    /// - Returns: a relay that has an idle lane, the place of the claim that it may be given, and whether as a probe.
    private func relayForNext(besides slowed: Set<Int>, now: Timestamp) -> (relay: Int, place: Int, isProbe: Bool)? {
        let preferred = preferred
        for index in seats.indices where !slowed.contains(index) && hasTaker(index, now: now) {
            let seat = seats[index]
            // While a better relay takes messages, a paused one isn't probed; and no message is sent past the preferred
            // one because it is busy or slowed: preference, not balance. Only what it has failed goes further.
            let isProbe = isDueForProbe(seat, now: now) && index < preferred ?? seats.count
            guard isProbe || seat.health.takesMessages else { continue }
            if let place = queue.firstPlace(where: { fits($0, index, now: now) }) { return (index, place, isProbe) }
        }
        return nil
    }

    /// Whether a claim may be given to the relay now, as far as the claim is concerned.
    private func fits(_ claim: Claim, _ relay: Int, now: Timestamp) -> Bool {
        let seat = seats[relay]
        guard seat.health.takesMessages else { return true }
        guard hasLaneFor(claim.domain, relay) else { return false }
        let isMarked = evidence.isMarked(claim.message.id, relay: relay)
        guard let preferred, preferred != relay else { return !isForAnother(claim, than: relay) }
        if isMarked { return false }
        if relay < preferred, isDueForTrial(seat, now: now) { return true }
        if evidence.isMarked(claim.message.id, relay: preferred) { return true }
        // A suspected relay helps out where the preferred one has no idle lane.
        return seat.health.state == .suspected && !hasTaker(preferred, now: now)
    }

    /// Whether the relay has failed the message and another one takes messages that has not.
    func isForAnother(_ claim: Claim, than relay: Int) -> Bool {
        evidence.isMarked(claim.message.id, relay: relay)
            && seats.indices.contains { other in
                other != relay && seats[other].health.takesMessages
                    && !evidence.isMarked(claim.message.id, relay: other)
            }
    }

    private func isDueForTrial(_ seat: Seat, now: Timestamp) -> Bool {
        guard seat.health.state == .suspected else { return false }
        return seat.trialAt.map { $0 <= now || $0 > now + Self.trialInterval } ?? true
    }

    private func hasTaker(_ relay: Int, now: Timestamp) -> Bool {
        let permitsAnother = permitsConnection(relay, now: now)
        return seats[relay].takers.contains { taker in
            taker.isRested(at: now) && (permitsAnother || seats[relay].connections.contains(taker.lane))
        }
    }

    /// The lane that was idle last, because its connection is the most likely one to be open.
    private mutating func takeTaker(relay: Int, now: Timestamp) -> Taker? {
        let permitsAnother = permitsConnection(relay, now: now)
        let (takers, open) = (seats[relay].takers, seats[relay].connections)
        let index =
            takers.lastIndex { $0.isRested(at: now) && open.contains($0.lane) }
            ?? takers.lastIndex { $0.isRested(at: now) && permitsAnother }
        return index.map { seats[relay].takers.remove(at: $0) }
    }

    private mutating func giveBackIfNoneIsUp(now: Timestamp, _ effects: inout RelayDesk.Effects) {
        guard !queue.isEmpty, preferred == nil else { return }
        // A claim that can be a probe as soon as a lane is idle stays.
        guard queue.count > dueProbes(now: now) else { return }
        effects.completions += queue.takeAll().map { claim in
            Completion(claim: claim, outcome: .returnedUnsent(until: nil), relay: nil, finishedAt: now)
        }
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
