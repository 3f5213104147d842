// Learns from the results of attempts, and decides what follows for the message and the relay. Pure: no clock, no
// waiting, no I/O. Never judges a reply (see FailurePolicy).

import InternetMessage
import OutboxCore
import OutboxStore
import SMTPTransport

extension RelayPool.StateMachine {
    /// A message that failed together with its relay returns this long after the relay's pause, so that another message
    /// is the probe: a message that breaks the relay must not be the only one that is ever tried.
    private static let afterPause = Duration.milliseconds(250)
    /// If a relay permanently refuses a message twice, at least this far apart, the refusal is final, even if no other
    /// message was sent.
    private static let refusalSpan = Duration.seconds(60)
    /// A relay counts as working before a message's first failure if its last acceptance was at most this long before.
    private static let recently = Duration.seconds(3600)
    /// After this many failures alone, at a relay that worked before, the attempts of the message count.
    private static let failuresAlone = 3
    /// The longest retry interval of a message that failed within the transaction, and whose attempt doesn't count.
    private static let longestUnproven = Duration.seconds(120)

    /// Records the result of a transmission.
    mutating func learn(
        from result: TransmissionResult,
        of claim: Claim,
        relay: Int,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        order += 1
        let service = returned(claim)
        let name = relays[relay].name
        let wasProbe = relays[relay].probes.remove(claim.message.id) != nil
        switch result {
        case .accepted(let reply):
            relays[relay].newestAccepted = max(relays[relay].newestAccepted, service?.order ?? 0)
            learnFromAcceptance(claim, began: service?.openedAt, relay: relay, now: now, &actions)
            actions.completions.append(
                Completion(claim: claim, outcome: .accepted(reply), relay: name, finishedAt: now)
            )
        case .withheld:
            preconditionFailure("the lane knows why it withheld the content, and reports that")
        case .failed(let failure):
            learnOfDomain(claim.domain, failure, began: service?.openedAt ?? now, relay: relay, now: now, &actions)
            let verdict = FailurePolicy.verdict(for: failure)
            let attempt = FailedAttempt(
                claim: claim,
                failure: failure,
                verdict: verdict,
                began: service?.order ?? order,
                isCutShort: failure.cause == .timedOut && service?.isCutShort ?? false
            )
            if failure.cause == .interrupted {
                if wasProbe { handle(.probeReturned, relay: relay, now: now, &actions) }
                let judged = attempt.judged(counts: failure.isUncertain)
                let delay: Duration? = failure.isUncertain ? nil : .zero
                actions.completions.append(planner.again(judged, claim, after: delay, relay: name, now: now))
            } else if attempt.isCutShort {
                // The attempt doesn't count, neither for the message nor against the relay. It is noted, so that another relay gets the
                // message, retries come more slowly, and a later failure of the same message counts.
                evidence.addFailure(of: claim.message.id, relay: relay, order: order, now: now, counts: false)
                actions.completions.append(withoutPaying(attempt, relay: relay, now: now))
            } else if !attempt.isRelays {
                learnFromRefusal(attempt, relay: relay, now: now, &actions)
            } else if attempt.needsEvidence || isSaidOfRecipient(attempt, relay: relay) {
                learnFromFailure(attempt, relay: relay, wasProbe: wasProbe, now: now, &actions)
            } else if attempt.failure.stage.isBeforeSession, verdict.fault == .relay,
                isWorkingElsewhere(attempt, relay: relay, lane: service?.lane, now: now)
            {
                keepLaneBack(attempt, relay: relay, lane: service?.lane, now: now, &actions)
            } else {
                blame(relay, attempt, now: now, &actions)
            }
        }
        if actions.completions.last?.outcome.isFinal == true { evidence.forget(claim.message.id) }
    }

    /// How long a domain keeps lanes does not depend on who is at fault.
    private mutating func learnOfDomain(
        _ domain: String,
        _ failure: TransmissionFailure,
        began: Timestamp,
        relay: Int,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        guard failure.stage.isAboutMessage else { return }
        if failure.reply != nil {
            relays[relay].evidence.answered(domain: domain, began: began, at: now)
        } else if failure.cause == .timedOut {
            relays[relay].evidence.timedOut(domain: domain, began: began)
            sendAside(now: now, &actions)
        }
    }

    // MARK: Acceptance

    private mutating func learnFromAcceptance(
        _ claim: Claim,
        began: Timestamp?,
        relay: Int,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        depth.accepted(at: now)
        relays[relay].failuresWhileUp = 0
        relays[relay].refusedConnections = 0
        relays[relay].evidence.accepted(domain: claim.domain, order: order, at: now, began: began)
        relays[relay].trialAt = nil
        relays[relay].quotaStatedFor = nil
        handle(.accepted, relay: relay, now: now, &actions)
        actions.completions += relays[relay].heldRejections.confirm()
        let (open, connecting) = (relays[relay].connections.count, connecting(relay))
        if let limit = relays[relay].limit.accepted(open: open, connecting: connecting, now: now) {
            actions.limits.append((relay, limit))
        }
        evidence.forget(claim.message.id)
    }

    // MARK: Faults of the relay

    /// Whether a quota or a rate may be the recipient's, not ours: some relays count by recipient and use the same
    /// words. It is ours if the relay says so for a second message and has accepted none in between.
    private mutating func isSaidOfRecipient(_ attempt: FailedAttempt, relay: Int) -> Bool {
        guard attempt.failure.stage == .rcpt, relays[relay].health.takesMessages else { return false }
        defer { relays[relay].quotaStatedFor = attempt.claim.message.id }
        return relays[relay].quotaStatedFor.map { $0 == attempt.claim.message.id } ?? true
    }

    /// Handles an attempt that failed because of the relay or the configuration.
    private mutating func blame(
        _ relay: Int,
        _ attempt: FailedAttempt,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        relays[relay].failuresWhileUp = 0
        relays[relay].refusedConnections = 0
        if attempt.failure.stage.isBeforeSession { relays[relay].limit.forget() }
        handle(.failed(attempt.trouble, pause: attempt.verdict.pause), relay: relay, now: now, &actions)
        let isUncertain = attempt.failure.isUncertain
        let judged = attempt.judged(counts: isUncertain)
        let delay = isUncertain ? nil : delayWithoutFault(now: now)
        actions.completions.append(
            planner.again(judged, attempt.claim, after: delay, relay: relays[relay].name, now: now)
        )
    }

    /// The delay for a message that is not at fault: none if a relay is available, otherwise until after the next
    /// probe.
    private func delayWithoutFault(now: Timestamp) -> Duration {
        if preferred != nil { return .zero }
        let moments = relays.compactMap { $0.health.probesAt(now) }
        let pause = moments.min()?.timeSince(now) ?? RelayHealth.longestPause
        // If the pause is longer, the pool keeps the message in the outbox. Should the relay return earlier, the
        // message is due.
        return min(max(pause, .zero), RelayHealth.longestPause) + Self.afterPause
    }

    /// Handles a failure from RCPT on that may be the message's own fault or the relay's.
    private mutating func learnFromFailure(
        _ attempt: FailedAttempt,
        relay: Int,
        wasProbe: Bool,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        let message = attempt.claim.message.id
        if attempt.needsEvidence, isProven(attempt, relay: relay, now: now) {
            if wasProbe { handle(.probeReturned, relay: relay, now: now, &actions) }
            return payForItself(attempt, relay: relay, now: now, &actions)
        }
        let isSilence = attempt.failure.cause == .timedOut
        let isRelays = relays[relay].evidence.failed(
            message: message,
            domain: attempt.claim.domain,
            isSilence ? .silence : .answer
        )
        evidence.addFailure(of: message, relay: relay, order: order, now: now, counts: false)
        if !relays[relay].health.takesMessages {
            guard wasProbe, attempt.failure.reply != nil else { return blame(relay, attempt, now: now, &actions) }
            // The connection works, and the relay answers.
            handle(.answered, relay: relay, now: now, &actions)
        }
        // The relay may be wrong about every recipient, or slow for all; other messages don't wait to find out. A reply
        // about us as the sender needs no second message, although the relay may mean this recipient only.
        if isRelays || !attempt.needsEvidence || attempt.verdict.reason.isAboutUs {
            handle(.suspected(attempt.trouble), relay: relay, now: now, &actions)
        }
        actions.completions.append(withoutPaying(attempt, relay: relay, now: now))
    }

    /// Schedules the next attempt without charging the message: at once over another relay, otherwise by the schedule.
    private mutating func withoutPaying(_ attempt: FailedAttempt, relay: Int, now: Timestamp) -> Completion {
        let message = attempt.claim.message.id
        let isUncertain = attempt.failure.isUncertain
        let isElsewhere = !isUncertain && hasAlternative(message)
        return planner.again(
            attempt.judged(counts: isUncertain),
            attempt.claim,
            after: isElsewhere ? .zero : attempt.verdict.retryAfter,
            unproven: evidence.unproven(message),
            atMost: attempt.verdict.retryAfter == nil ? Self.longestUnproven : nil,
            relay: relays[relay].name,
            now: now
        )
    }

    /// Whether a relay is available that has not failed this message yet.
    private func hasAlternative(_ message: Int64) -> Bool {
        relays.indices.contains { relays[$0].health.takesMessages && !evidence.isMarked(message, relay: $0) }
    }

    /// Whether the relay's other answers prove that the failure is the message's own fault. The relay accepted another
    /// message during this attempt, or since the message first failed there; or it worked shortly before, and the
    /// message has failed repeatedly on its own.
    private func isProven(_ attempt: FailedAttempt, relay: Int, now: Timestamp) -> Bool {
        let relayEvidence = relays[relay].evidence
        if relayEvidence.lastAcceptance > attempt.began { return true }
        guard let earlier = evidence.failures(of: attempt.claim.message.id, relay: relay) else { return false }
        if relayEvidence.lastAcceptance > earlier.first { return true }
        guard relays[relay].health.isUp || relays[relay].isSuspectedForWords, earlier.count + 1 >= Self.failuresAlone,
            let lastAcceptedAt = relayEvidence.lastAcceptedAt
        else { return false }
        return lastAcceptedAt + Self.recently > earlier.firstAt
    }

    /// Charges the message for a failure that is proven to be its own fault.
    private mutating func payForItself(
        _ attempt: FailedAttempt,
        relay: Int,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        guard attempt.verdict.reason.isSettledByEvidence, let reply = attempt.failure.reply, reply.isPermanent else {
            let judged = attempt.judged(counts: true)
            let (message, name) = (attempt.claim.message.id, relays[relay].name)
            evidence.addFailure(of: message, relay: relay, order: order, now: now, counts: true)
            let isElsewhere = !attempt.failure.isUncertain && hasAlternative(message)
            let delay: Duration? = isElsewhere ? .zero : attempt.verdict.retryAfter
            return actions.completions.append(
                planner.again(judged, attempt.claim, after: delay, relay: name, now: now)
            )
        }
        let isRecipients = attempt.failure.stage == .rcpt
        let verdict = Verdict(
            isRecipients ? .recipient : .message,
            .final,
            isRecipients ? .recipientRefused : .messageRefused
        )
        learnFromRefusal(attempt.judgedAnew(verdict), relay: relay, now: now, &actions)
    }

    // MARK: Refusals

    /// Handles a permanent refusal of the recipient or the message.
    private mutating func learnFromRefusal(
        _ attempt: FailedAttempt,
        relay: Int,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        relays[relay].failuresWhileUp = 0
        switch attempt.verdict.disposition {
        case .again:
            handle(.answered, relay: relay, now: now, &actions)
            let isUrgent = relays[relay].health.isCatchingUp(at: now)
            let delay = attempt.verdict.retryAfter ?? (isUrgent ? RelayHealth.catchingUpDelay : nil)
            let judged = attempt.judged(counts: true)
            let name = relays[relay].name
            actions.completions.append(planner.again(judged, attempt.claim, after: delay, relay: name, now: now))
        case .final:
            learnFromPermanentRefusal(attempt, relay: relay, now: now, &actions)
        }
    }

    private mutating func learnFromPermanentRefusal(
        _ attempt: FailedAttempt,
        relay: Int,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        let (claim, message) = (attempt.claim, attempt.claim.message.id)
        let namesAddress = attempt.verdict.reason.namesAddress
        let refusal = Completion(
            claim: claim,
            outcome: .rejected(attempt.judged(counts: true)),
            relay: relays[relay].name,
            finishedAt: now
        )
        if attempt.failure.reply == nil {
            // The relay lacks an extension that this message needs; that says nothing about the relay's health.
            evidence.addRefusal(of: message, relay: relay, order: order, now: now, isProvisional: false)
            // A relay that is paused may be able to carry the message when it is back.
            guard relays.indices.contains(where: { !evidence.isMarked(message, relay: $0) }) else {
                return actions.completions.append(refusal)
            }
            let delay: Duration? = hasAlternative(message) ? .zero : nil
            let judged = attempt.judged(counts: true)
            return actions.completions.append(
                planner.again(judged, claim, after: delay, relay: refusal.relay, now: now)
            )
        }
        let earlier = evidence.refusals(of: message, relay: relay)
        if let earlier, relays[relay].evidence.lastAcceptance > earlier.first {
            // The relay works and refuses this message again. That is final, whatever the relay thinks of other
            // messages.
            handle(.answered, relay: relay, now: now, &actions)
            return actions.completions.append(refusal)
        }
        relays[relay].evidence.refused(message: message, namesAddress: namesAddress)
        if relays[relay].evidence.isSuspect {
            suspect(relay, attempt, now: now, &actions)
            return actions.completions.append(provisional(refusal, relay: relay, now: now))
        }
        handle(.answered, relay: relay, now: now, &actions)
        let isConfirmed =
            namesAddress || evidence.isRefused(message, byOtherThan: relay)
            || earlier.map { now >= $0.firstAt + Self.refusalSpan } ?? false
        guard isConfirmed else {
            evidence.addRefusal(of: message, relay: relay, order: order, now: now, isProvisional: false)
            let delay: Duration? = hasAlternative(message) ? .zero : nil
            let judged = attempt.judged(counts: true)
            return actions.completions.append(
                planner.again(judged, claim, after: delay, relay: refusal.relay, now: now)
            )
        }
        relays[relay].heldRejections.hold(refusal, now: now)
    }

    private mutating func suspect(
        _ relay: Int,
        _ attempt: FailedAttempt,
        now: Timestamp,
        _ actions: inout Actions
    ) {
        if relays[relay].health.state != .suspected {
            let trouble = attempt.trouble.ofEverybody(count: relays[relay].evidence.refusalsInARow)
            handle(.suspected(trouble), relay: relay, now: now, &actions)
        }
        let (held, released) = relays[relay].heldRejections.discard()
        actions.cleared += released
        for completion in held { actions.completions.append(provisional(completion, relay: relay, now: now)) }
    }

    /// Handles a refusal by a relay that refuses everybody: the message stays open, and the attempt doesn't count.
    private mutating func provisional(_ refusal: Completion, relay: Int, now: Timestamp) -> Completion {
        guard let judged = refusal.outcome.judgement else { preconditionFailure("a refusal is a failure") }
        let message = refusal.claim.message.id
        evidence.addRefusal(of: message, relay: relay, order: order, now: now, isProvisional: true)
        return planner.again(
            JudgedFailure(
                failure: judged.failure,
                verdict: Verdict(.relay, .again, .refusesEverybody),
                counts: false
            ),
            refusal.claim,
            after: hasAlternative(message) ? .zero : nil,
            unproven: evidence.unproven(message),
            atMost: Self.longestUnproven,
            relay: refusal.relay,
            now: now
        )
    }
}

extension Completion.Outcome {
    /// Whether the message is closed.
    fileprivate var isFinal: Bool {
        switch self {
        case .accepted, .rejected, .expired, .expiredUnsent, .supersededUnsent, .cancelledUnsent: true
        case .deferred, .returnedUnsent: false
        }
    }
}
