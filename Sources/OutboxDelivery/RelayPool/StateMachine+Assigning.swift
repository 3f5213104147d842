// Decides which lane gets the next claim, and how many claims the relay pool has room for. Pure: no clock, no waiting,
// no I/O.

import OutboxCore
import OutboxStore

extension RelayPool.StateMachine {
    /// How many probes may be under way at once.
    private static let probesAtOnce = 3
    /// How often a suspected relay gets a message although another relay is up.
    private static let trialInterval = Duration.seconds(10)

    // MARK: Room

    /// How many more claims fit.
    func room(now: Timestamp) -> Int {
        if isClosed { return 0 }
        if let preferred { return max(0, queueLimit(preferred, now: now) - queue.count) }
        return max(0, dueProbes(now: now) - queue.count)
    }

    /// How many claims may wait for the relay's lanes: for a relay with a rate, as many as it takes in two seconds, and
    /// at least 8. Three of the waiting claims may be for a silent domain, for a slow domain and for another relay; the
    /// other places stay for claims that can be sent at once. All other messages wait in the outbox, where a newer
    /// message can supersede them.
    func usualQueueLimit(_ relay: Int) -> Int {
        min(depth.usual, relays[relay].configuration.rate.map { max(8, Int($0 * 2)) } ?? depth.usual)
    }

    /// The same, or more while mails are accepted quickly: never for a relay with a rate, which says how quick it is.
    private func queueLimit(_ relay: Int, now: Timestamp) -> Int {
        relays[relay].configuration.rate == nil ? depth.limit(at: now) : usualQueueLimit(relay)
    }

    private func dueProbes(now: Timestamp) -> Int { relays.count { isDueForProbe($0, now: now) } }

    private func isDueForProbe(_ pooled: PooledRelay, now: Timestamp) -> Bool {
        pooled.probes.count < Self.probesAtOnce && pooled.health.isDueForProbe(at: now)
    }

    /// How many more claims to request from the store: 0 until a request is worth its transaction.
    func roomForBatch(now: Timestamp) -> Int {
        let room = room(now: now)
        return depth.isWorthRequest(room, of: room + queue.count) ? room : 0
    }

    /// How many urgent claims fit in addition to the waiting claims, if all of these are less urgent.
    func roomForUrgent(priority: Int) -> Int {
        guard !isClosed, preferred != nil, let lowest = queue.lowestPriority, lowest < priority else { return 0 }
        return max(0, depth.lanes - queue.count(fromPriority: priority))
    }

    // MARK: Assigning

    /// The next claim for a lane that has just become idle, if a claim waits for its relay.
    mutating func claimAtOnce(_ lane: LaneID, now: Timestamp, _ actions: inout Actions) -> Claim? {
        let relay = lane.relay
        guard !queue.isEmpty, preferred == relay, relays[relay].backoffs[lane.number] == nil,
            !isAnotherToBeAsked(before: relay, now: now),
            relays[relay].connections.contains(lane.number) || permitsConnection(relay, now: now),
            let place = firstPlace(for: relay, now: now),
            relays[relay].bucket?.take(now: now) ?? true
        else { return nil }
        let claim = take(at: place, &actions)
        serve(claim, by: lane, now: now)
        return claim
    }

    /// Gives claims to idle lanes as long as there are both.
    mutating func assign(now: Timestamp, _ actions: inout Actions) {
        // A relay that is slowed to its rate doesn't keep another relay waiting.
        var slowed: Set<Int> = []
        while !queue.isEmpty, let (relay, place, isProbe) = relayForNext(besides: slowed, now: now) {
            guard relays[relay].bucket?.take(now: now) ?? true else {
                slowed.insert(relay)
                continue
            }
            guard let idle = takeIdleLane(relay: relay, now: now) else { break }
            let claim = take(at: place, &actions)
            if isProbe {
                handle(.probed, relay: relay, now: now, &actions)
                relays[relay].probes.insert(claim.message.id)
            }
            if relays[relay].health.state == .suspected {
                relays[relay].trialAt = now + Self.trialInterval
                relays[relay].trial = claim.message.id
            }
            let lane = LaneID(relay: relay, number: idle.number)
            serve(claim, by: lane, now: now)
            actions.assignments.append((lane, claim))
        }
        giveBackIfNoneIsUp(now: now, &actions)
    }

    /// Takes a claim out of the queue. After the last of the urgent ones there is room for further urgent ones.
    private mutating func take(at place: Int, _ actions: inout Actions) -> Claim {
        let claim = queue.take(at: place)
        if let lowest = queue.lowestPriority, lowest < claim.priority,
            queue.count(fromPriority: claim.priority) == 0
        {
            actions.wakesDispatcher = true
        }
        return claim
    }

    private mutating func serve(_ claim: Claim, by lane: LaneID, now: Timestamp) {
        order += 1
        served[claim.message.id] = ServedClaim(
            lane: lane,
            domain: claim.domain,
            order: order,
            startedAt: now,
            openedAt: now,
            lifeAt: now
        )
    }

    /// Whether a relay with an idle lane is due for a probe or a trial, and should get the next claim first.
    private func isAnotherToBeAsked(before relay: Int, now: Timestamp) -> Bool {
        let firstUp = firstUp
        return relays.indices.contains { index in
            (index < firstUp && isDueForProbe(relays[index], now: now)
                || index < relay && isDueForTrial(index, now: now))
                && hasIdleLane(index, now: now)
        }
    }

    /// - Returns: a relay with an idle lane, the queue index of a claim for it, and whether the claim is a probe.
    private func relayForNext(besides slowed: Set<Int>, now: Timestamp) -> (relay: Int, place: Int, isProbe: Bool)? {
        let firstUp = firstUp
        // Probes come first: a suspected relay that accepts every claim must not keep a relay waiting that may be
        // healthy.
        for wantsProbe in [true, false] {
            for index in relays.indices where !slowed.contains(index) && hasIdleLane(index, now: now) {
                // While a better relay is up, a paused relay isn't probed. A busy or slowed preferred relay keeps its
                // messages: the order is a preference, not load balancing. Only messages that it has failed go to
                // another relay.
                let isProbe = index < firstUp && isDueForProbe(relays[index], now: now)
                guard wantsProbe ? isProbe : relays[index].health.takesMessages else { continue }
                if let place = firstPlace(for: index, now: now) { return (index, place, isProbe) }
            }
        }
        return nil
    }

    /// The index of the first claim that the relay may get now, judged by the claims alone.
    private func firstPlace(for relay: Int, now: Timestamp) -> Int? {
        guard relays[relay].health.takesMessages else {
            // A probe should test the relay, so it must not be for a recipient whose domain keeps relays waiting.
            let others = [relay, preferred ?? relay]
            return queue.firstPlace { claim in
                !evidence.isMarked(claim.message.id, relay: relay)
                    && !others.contains { relays[$0].evidence.isSilent(claim.domain) }
            } ?? queue.firstPlace { _ in true }
        }
        var shares = laneShares(relay, now: now)
        var withoutLane: Set<String> = []
        let preferred = preferred ?? relay
        let takesAny = relay < preferred && isDueForTrial(relay, now: now)
        // A suspected relay takes mail where the preferred relay has no idle lane, unless it doesn't answer at all.
        let helpsOut =
            relays[relay].health.state == .suspected && relays[relay].health.trouble?.reason != .timedOut
            && !hasIdleLane(preferred, now: now)
        return queue.firstPlace { claim in
            let domain = claim.domain
            guard !withoutLane.contains(domain), shares.hasLane(for: domain) else {
                withoutLane.insert(domain)
                return false
            }
            if preferred == relay { return !isForAnother(claim, than: relay) }
            if evidence.isMarked(claim.message.id, relay: relay) { return false }
            return takesAny || helpsOut || evidence.isMarked(claim.message.id, relay: preferred)
        }
    }

    /// Whether the relay has failed the message and another relay is available that has not.
    func isForAnother(_ claim: Claim, than relay: Int) -> Bool {
        evidence.isMarked(claim.message.id, relay: relay)
            && relays.indices.contains { other in
                other != relay && relays[other].health.takesMessages
                    && !evidence.isMarked(claim.message.id, relay: other)
            }
    }

    private func isDueForTrial(_ relay: Int, now: Timestamp) -> Bool {
        let pooled = relays[relay]
        // One at a time, because a trial may wait for minutes.
        guard pooled.health.state == .suspected, pooled.trial.map({ served[$0]?.relay != relay }) ?? true else {
            return false
        }
        return pooled.trialAt.map { $0 <= now || $0 > now + Self.trialInterval } ?? true
    }

    private func hasIdleLane(_ relay: Int, now: Timestamp) -> Bool {
        let permitsAnother = permitsConnection(relay, now: now)
        return relays[relay].idleLanes.contains { idle in
            idle.isReady(at: now) && (permitsAnother || relays[relay].connections.contains(idle.number))
        }
    }

    /// The most recently idle lane, because its connection is the most likely one to be open.
    private mutating func takeIdleLane(relay: Int, now: Timestamp) -> PooledRelay.IdleLane? {
        let permitsAnother = permitsConnection(relay, now: now)
        let (idleLanes, open) = (relays[relay].idleLanes, relays[relay].connections)
        let index =
            idleLanes.lastIndex { $0.isReady(at: now) && open.contains($0.number) }
            ?? idleLanes.lastIndex { $0.isReady(at: now) && permitsAnother }
        return index.map { relays[relay].idleLanes.remove(at: $0) }
    }

    private mutating func giveBackIfNoneIsUp(now: Timestamp, _ actions: inout Actions) {
        guard !queue.isEmpty, preferred == nil else { return }
        // A claim that can be a probe as soon as a lane is idle stays in the queue.
        guard queue.count > dueProbes(now: now) else { return }
        actions.completions += queue.takeAll().map { claim in
            Completion(claim: claim, outcome: .returnedUnsent(until: nil), relay: nil, finishedAt: now)
        }
    }
}
