// The knowledge of the relay pool, and the consequences of each event. Pure: no clock, no waiting, no randomness, no
// I/O; all effects are returned as actions.

import OutboxCore
import OutboxStore
import SMTPTransport

extension RelayPool {
    /// The queue, the evidence, and each relay's health, limits and idle lanes.
    ///
    /// Each method that stands for an event takes the present as an argument, and returns the resulting actions.
    struct StateMachine {
        /// The inputs of one event that the state machine can't know by itself.
        struct Present {
            /// The stored clock.
            let now: Timestamp
            /// How much longer no message expires, because the clock was set forward; `nil` where messages expire as
            /// usual.
            var expiryHold: Duration?
            /// The position of a next attempt within the jitter's range, from 0 up to but not including 1.
            var chance = 0.5
        }

        /// The actions of the pool after an event, in this order.
        struct Actions {
            /// Outcomes to record.
            var completions: [Completion] = []
            /// Relays whose status changed, to record.
            var statuses: [RelayStatus] = []
            /// Messages whose refusals turned out to be the relay's fault after they had been recorded.
            var cleared: [Int64] = []
            /// Idle lanes, each with its next claim; `nil` tells the lane to end.
            var assignments: [(lane: LaneID, claim: Claim?)] = []
            /// Relays whose connection limit was learned.
            var limits: [(relay: Int, connections: Int)] = []
            /// Changes of relays to report to the operator.
            var changes: [(relay: Int, change: RelayHealth.Change)] = []
            /// Relays whose certificate ends soon, to report to the operator once for each certificate.
            var endingCertificates: [(relay: Int, tls: TLSSession)] = []
            /// Whether there may be room for more claims than before.
            var wakesDispatcher = false
            /// The next time at which something changes without an event.
            var nextMoment: Timestamp?
        }

        var planner: RetryPlanner
        /// In the configuration's order, the most preferred relay first.
        var relays: [PooledRelay]
        var queue = ClaimQueue()
        var depth: QueueDepth
        var evidence = MessageEvidence()
        /// The claims that lanes hold, by message id.
        var served: [Int64: ServedClaim] = [:]
        /// The number of the last event. Orders events independently of the clock.
        var order = 0
        /// Messages that must not be handed over any more although a lane holds them, with the reason.
        private(set) var void: [Int64: Completion.Outcome] = [:]
        private(set) var isClosed = false

        /// - Parameters:
        ///   - holding: how long a rejection waits for other results.
        ///   - tls: the last known protection of the relays' connections, by their names.
        init(
            relays: [DeliveryRelay],
            schedule: RetrySchedule,
            holding: Duration,
            tls: [String: TLSSession?] = [:],
            now: Timestamp
        ) {
            precondition(!relays.isEmpty, "the settings have a relay")
            planner = RetryPlanner(schedule: schedule)
            self.relays = relays.map { relay in
                PooledRelay(
                    relay: relay,
                    evidence: RelayEvidence(suspectAfter: relay.configuration.suspectAfter),
                    bucket: relay.configuration.rate.map { TokenBucket(rate: $0, now: now) },
                    heldRejections: HeldRejections(holding: holding),
                    tls: tls[relay.name] ?? nil
                )
            }
            depth = QueueDepth(lanes: relays.map(\.configuration.connections).max() ?? 1)
        }
    }
}

// MARK: State

extension RelayPool.StateMachine {
    /// How many claims are with a lane or in the queue.
    var underWay: Int { queue.count + served.count }

    /// Why a lane must not hand the claim over any more; `nil` if it may.
    func voidOutcome(of claim: Claim) -> Completion.Outcome? { void[claim.message.id] }

    /// The index of the relay that gets messages: the first one that is up, else the first one that is only suspected.
    var preferred: Int? {
        relays.indices.first { relays[$0].health.isUp } ?? relays.indices.first { relays[$0].health.takesMessages }
    }

    /// The index of the first relay that is up. The relays before it are probed, even while a suspected one takes
    /// messages.
    var firstUp: Int { relays.indices.first { relays[$0].health.isUp } ?? relays.count }

    /// The current status of every relay.
    func statuses(now: Timestamp) -> [RelayStatus] {
        relays.indices.map { relays[$0].status(position: $0 + 1, now: now) }
    }
}

// MARK: Events from the dispatcher

extension RelayPool.StateMachine {
    /// Adds claims.
    ///
    /// - Returns: the claims that were not accepted because the pool is closed.
    mutating func add(_ claims: [Claim], at present: Present) -> (refused: [Claim], actions: Actions) {
        guard !isClosed else { return (claims, Actions()) }
        let actions = act(at: present) { machine, actions in
            machine.queue.append(claims)
            machine.assign(now: present.now, &actions)
            machine.sendAside(now: present.now, &actions)
        }
        return ([], actions)
    }

    /// Withdraws messages that were superseded or cancelled: claims in the queue are returned, and claims with a lane
    /// are marked.
    mutating func withdraw(_ ids: [Int64], as outcome: Completion.Outcome, at present: Present) -> Actions {
        act(at: present) { machine, actions in
            actions.completions += machine.queue.take(messages: Set(ids)).map { claim in
                Completion(claim: claim, outcome: outcome, relay: nil, finishedAt: present.now)
            }
            for id in ids {
                machine.evidence.forget(id)
                if machine.served[id] != nil { machine.void[id] = outcome }
            }
        }
    }

    /// Takes over a new configuration. A token bucket is replaced, and so refilled, only if its rate changes.
    mutating func use(_ newer: [DeliveryRelay], schedule: RetrySchedule, at present: Present) -> Actions {
        act(at: present) { machine, _ in
            machine.planner.schedule = schedule
            for (index, relay) in newer.enumerated() {
                if relay.configuration.rate != machine.relays[index].configuration.rate {
                    machine.relays[index].bucket = relay.configuration.rate.map {
                        TokenBucket(rate: $0, now: present.now)
                    }
                }
                if relay.configuration.url != machine.relays[index].configuration.url {
                    // The new host has shown nothing yet.
                    machine.relays[index].limit = ConnectionLimit()
                    machine.relays[index].evidence = RelayEvidence(suspectAfter: relay.configuration.suspectAfter)
                }
                machine.relays[index].relay = relay
            }
        }
    }

    /// Stops handing out claims: every waiting lane is told to end.
    ///
    /// - Returns: the claims that no lane took.
    mutating func close(at present: Present) -> (returned: [Claim], actions: Actions) {
        isClosed = true
        let actions = act(at: present) { machine, actions in
            for relay in machine.relays.indices {
                actions.assignments += machine.relays[relay].idleLanes.map { idle in
                    (LaneID(relay: relay, number: idle.number), nil)
                }
                machine.relays[relay].idleLanes = []
            }
        }
        return (queue.takeAll(), actions)
    }

    /// All lanes have stopped: records the rejections that wait for other results.
    mutating func releaseRejections(at present: Present) -> Actions {
        act(at: present) { machine, actions in
            for relay in machine.relays.indices {
                actions.completions += machine.relays[relay].heldRejections.confirm()
            }
        }
    }
}

// MARK: Events from a lane

extension RelayPool.StateMachine {
    /// A lane has become idle, and takes the next claim for its relay, if there is one.
    mutating func takeAtOnce(_ lane: LaneID, at present: Present) -> (claim: Claim?, actions: Actions) {
        var claim: Claim?
        let actions = act(at: present) { machine, actions in
            claim = machine.claimAtOnce(lane, now: present.now, &actions)
        }
        return (claim, actions)
    }

    /// A lane has become idle and waits for a claim.
    mutating func awaitsClaim(_ lane: LaneID, at present: Present) -> Actions {
        act(at: present) { machine, actions in
            guard !machine.isClosed else { return actions.assignments.append((lane, nil)) }
            let backoff = machine.relays[lane.relay].backoffs.removeValue(forKey: lane.number)
            machine.relays[lane.relay].idleLanes.append(.init(number: lane.number, backsOffUntil: backoff))
            machine.assign(now: present.now, &actions)
        }
    }

    /// A lane has finished a transmission with this result.
    mutating func ended(_ result: TransmissionResult, of claim: Claim, relay: Int, at present: Present) -> Actions {
        act(at: present) { machine, actions in
            machine.learn(from: result, of: claim, relay: relay, now: present.now, &actions)
            machine.assign(now: present.now, &actions)
        }
    }

    /// A lane has ended a claim without asking its relay.
    mutating func endedUnsent(_ completion: Completion, relay: Int, at present: Present) -> Actions {
        act(at: present) { machine, actions in
            let claim = completion.claim
            machine.returned(claim)
            actions.completions.append(completion)
            if machine.relays[relay].probes.remove(claim.message.id) != nil {
                machine.handle(.probeReturned, relay: relay, now: present.now, &actions)
            }
            machine.assign(now: present.now, &actions)
        }
    }

    /// Decides what follows for a mail that could not be composed.
    mutating func composition(
        _ failure: TransmissionFailure,
        of claim: Claim,
        at present: Present
    ) -> Completion {
        planner.expiryHold = present.expiryHold
        planner.chance = present.chance
        return planner.composition(failure, claim, now: present.now)
    }

    /// A lane's connection was opened for a message.
    mutating func connectionOpened(_ lane: LaneID, message: Int64, at present: Present) -> Actions {
        act(at: present) { machine, _ in
            machine.relays[lane.relay].connections.insert(lane.number)
            machine.relays[lane.relay].refusedConnections = 0
            machine.relays[lane.relay].limit.opened(machine.relays[lane.relay].connections.count, now: present.now)
            machine.served[message]?.lifeAt = present.now
            machine.served[message]?.openedAt = present.now
        }
    }

    /// A lane has no connection. If it had one before, another lane may open one.
    mutating func connectionClosed(_ lane: LaneID, at present: Present) -> Actions {
        guard relays[lane.relay].connections.remove(lane.number) != nil else { return Actions() }
        return act(at: present) { machine, actions in machine.assign(now: present.now, &actions) }
    }

    /// A lane has sent a final dot, and only the answer is missing.
    mutating func awaitsAcceptance(of message: Int64, at present: Present) -> Actions {
        act(at: present) { machine, _ in machine.served[message]?.sentDot(at: present.now) }
    }

    /// A lane uses its relay's new configuration from now on, over a new connection. A paused relay is probed at once.
    mutating func reconfigured(_ lane: LaneID, at present: Present) -> Actions {
        act(at: present) { machine, actions in
            machine.relays[lane.relay].connections.remove(lane.number)
            machine.handle(.reconfigured, relay: lane.relay, now: present.now, &actions)
            machine.assign(now: present.now, &actions)
            actions.wakesDispatcher = true
        }
    }
}

// MARK: Time

extension RelayPool.StateMachine {
    /// The time of `nextMoment` has come.
    mutating func timePassed(at present: Present) -> Actions {
        let now = present.now
        return act(at: present) { machine, actions in
            for relay in machine.relays.indices {
                actions.completions += machine.relays[relay].heldRejections.release(at: now)
            }
            machine.noticeSilence(now: now, &actions)
            machine.assign(now: now, &actions)
            machine.sendAside(now: now, &actions)
            if machine.roomForBatch(now: now) > 0 { actions.wakesDispatcher = true }
        }
    }

    /// The next time at which something changes without an event.
    mutating func nextMoment(after now: Timestamp) -> Timestamp? {
        if isClosed { return nil }
        var next: Timestamp?
        func consider(_ moment: Timestamp?) {
            guard let moment, now < moment else { return }
            if let earlier = next, earlier < moment { return }
            next = moment
        }
        let firstUp = firstUp
        for index in relays.indices {
            // While a better relay is up, this one isn't probed.
            if index < firstUp { consider(relays[index].health.probesAt(now)) }
            // A rejection whose release is overdue must not be forgotten.
            consider(relays[index].heldRejections.nextRelease(now).map { max($0, now + .milliseconds(1)) })
            let longestTimeout = relays[index].configuration.longestReplyTimeout
            for claim in served.values where claim.relay == index { consider(claim.dotAt.map { $0 + longestTimeout }) }
            guard !queue.isEmpty else { continue }
            consider(relays[index].bucket?.nextToken(now: now))
            if relays[index].health.state == .suspected { consider(relays[index].trialAt) }
            for idle in relays[index].idleLanes { consider(idle.backsOffUntil) }
            if !relays[index].idleLanes.isEmpty { consider(relays[index].limit.triesMoreAt) }
        }
        if !queue.isEmpty { for claim in served.values { consider(claim.startedAt + LaneShares.patience) } }
        return next
    }

    /// Carries an event out, and reports the changes that any event may cause: room for claims, and the next moment.
    private mutating func act(
        at present: Present,
        _ body: (inout RelayPool.StateMachine, inout Actions) -> Void
    ) -> Actions {
        var actions = Actions()
        let hadRoom = roomForBatch(now: present.now) > 0
        planner.expiryHold = present.expiryHold
        planner.chance = present.chance
        body(&self, &actions)
        if !hadRoom && roomForBatch(now: present.now) > 0 { actions.wakesDispatcher = true }
        actions.nextMoment = nextMoment(after: present.now)
        return actions
    }
}

// MARK: Common steps of events

extension RelayPool.StateMachine {
    /// Removes the claim that a lane has finished.
    ///
    /// - Returns: the claim as it was served.
    @discardableResult
    mutating func returned(_ claim: Claim) -> ServedClaim? {
        if !void.isEmpty { void[claim.message.id] = nil }
        return served.removeValue(forKey: claim.message.id)
    }

    /// Applies an event to a relay's health, and reports the relay if it changed.
    mutating func handle(_ event: RelayEvent, relay: Int, now: Timestamp, _ actions: inout Actions) {
        let before = relays[relay].health
        let change = relays[relay].health.handle(event, now: now)
        if relays[relay].health.state != before.state || relays[relay].health.trouble != before.trouble {
            actions.statuses.append(relays[relay].status(position: relay + 1, now: now))
            if relays[relay].health.takesMessages { actions.wakesDispatcher = true }
        }
        if change != .none { actions.changes.append((relay, change)) }
    }
}
