// What the relay desk learns from how attempts ended, and what follows for the message and the relay. Pure: no clock, no
// waiting, no I/O. Never judges a reply (see FailurePolicy).

import OutboxCore
import OutboxStore
import SMTPTransport

extension DeskState {
    /// A message that failed with its relay comes back this much after the relay's pause, so that another one probes it:
    /// a message that breaks the relay must not be the only one that is ever tried.
    private static let afterPause = Duration.milliseconds(250)
    /// A relay that refuses a message for good twice, at least so long apart, means it, also where nothing else was sent.
    private static let refusalSpan = Duration.seconds(60)
    /// A relay that accepted a message so recently before this one failed for the first time worked.
    private static let recently = Duration.seconds(3600)
    /// A message that failed so often alone, at a relay that worked before, pays for it itself.
    private static let failuresAlone = 3
    /// A message that failed within the transaction, and has not paid for it, is tried again at least so often.
    private static let longestUnproven = Duration.seconds(120)

    mutating func report(
        _ result: TransmissionResult,
        of claim: Claim,
        relay: Int,
        startedAt: Timestamp,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        order += 1
        let service = returned(claim)
        let name = seats[relay].relay.relay.name
        let wasProbe = seats[relay].probes.remove(claim.message.id) != nil
        switch result {
        case .accepted(let reply):
            learnFromAcceptance(claim, relay: relay, now: now, &effects)
            effects.completions.append(
                Completion(claim: claim, outcome: .accepted(reply), relay: name, finishedAt: now)
            )
        case .withheld:
            preconditionFailure("the lane knows why it withheld the content, and reports that")
        case .failed(let failure):
            let verdict = FailurePolicy.verdict(for: failure)
            let attempt = FailedAttempt(
                claim: claim,
                failure: failure,
                verdict: verdict,
                began: service?.order ?? order
            )
            if failure.fault == .interrupted {
                if wasProbe { handle(.probeReturned, relay: relay, now: now, &effects) }
                let judged = attempt.judged(isUsedUp: failure.isUncertain)
                let delay: Duration? = failure.isUncertain ? nil : .zero
                effects.completions.append(judge.again(judged, claim, after: delay, relay: name, now: now))
            } else if !attempt.isRelays {
                learnFromRefusal(attempt, relay: relay, now: now, &effects)
            } else if attempt.needsEvidence {
                learnFromFailure(attempt, relay: relay, wasProbe: wasProbe, now: now, &effects)
            } else if attempt.failure.stage.isBeforeSession, verdict.scope == .relay,
                isWorkingElsewhere(attempt, relay: relay, lane: service?.lane, now: now)
            {
                keepLaneBack(attempt, relay: relay, lane: service?.lane, now: now, &effects)
            } else {
                blame(relay, attempt, now: now, &effects)
            }
        }
        if effects.completions.last?.outcome.isFinal == true { evidence.forget(claim.message.id) }
    }

    // MARK: Acceptance

    private mutating func learnFromAcceptance(
        _ claim: Claim,
        relay: Int,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        seats[relay].lonelyFailures = 0
        seats[relay].refusedConnections = 0
        seats[relay].evidence.accepted(domain: claim.domain, order: order, at: now)
        seats[relay].trialAt = nil
        handle(.accepted, relay: relay, now: now, &effects)
        effects.completions += seats[relay].docket.confirm()
        let (open, connecting) = (seats[relay].connections.count, connecting(relay))
        if let limit = seats[relay].limit.accepted(open: open, connecting: connecting, now: now) {
            effects.limits.append((relay, limit))
        }
        evidence.forget(claim.message.id)
    }

    // MARK: The relay's fault

    /// The relay or the configuration failed the attempt.
    private mutating func blame(
        _ relay: Int,
        _ attempt: FailedAttempt,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        seats[relay].lonelyFailures = 0
        seats[relay].refusedConnections = 0
        if attempt.failure.stage.isBeforeSession { seats[relay].limit.forget() }
        handle(.failed(attempt.trouble, pause: attempt.verdict.pause), relay: relay, now: now, &effects)
        let isUncertain = attempt.failure.isUncertain
        let judged = attempt.judged(isUsedUp: isUncertain)
        let delay = isUncertain ? nil : delayWithoutFault(now: now)
        effects.completions.append(
            judge.again(judged, attempt.claim, after: delay, relay: seats[relay].relay.relay.name, now: now)
        )
    }

    /// When a message is tried again that is not at fault: at once where a relay takes messages, else after the next probe.
    private func delayWithoutFault(now: Timestamp) -> Duration {
        if preferred != nil { return .zero }
        let moments = seats.compactMap { $0.health.probesAt(now) }
        let pause = moments.min()?.timeSince(now) ?? RelayHealth.longestPause
        // Where the pause is longer, the desk keeps the message in the outbox; should the relay come back earlier, it is due.
        return min(max(pause, .zero), RelayHealth.longestPause) + Self.afterPause
    }

    /// The attempt failed from RCPT on with what may be the message's own doing or the relay's.
    private mutating func learnFromFailure(
        _ attempt: FailedAttempt,
        relay: Int,
        wasProbe: Bool,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        let message = attempt.claim.message.id
        if isProven(attempt, relay: relay, now: now) {
            if wasProbe { handle(.probeReturned, relay: relay, now: now, &effects) }
            return payForItself(attempt, relay: relay, now: now, &effects)
        }
        let isSilence = attempt.failure.fault == .timedOut
        let isRelays = seats[relay].evidence.failed(
            message: message,
            domain: attempt.claim.domain,
            isSilence ? .silence : .answer
        )
        evidence.addFailure(of: message, relay: relay, order: order, now: now, isUsedUp: false)
        if isSilence { sendAside(now: now, &effects) }
        if !seats[relay].health.takesMessages {
            guard wasProbe, attempt.failure.reply != nil else { return blame(relay, attempt, now: now, &effects) }
            // The session stands, and the relay talks.
            handle(.answered, relay: relay, now: now, &effects)
        }
        // It may be wrong about everybody, or slow for everybody; but others are not kept waiting for the answer.
        if isRelays { handle(.suspected(attempt.trouble), relay: relay, now: now, &effects) }
        effects.completions.append(withoutPaying(attempt, relay: relay, now: now))
    }

    /// The attempt is repeated by the schedule, or at once over another relay, and uses up nothing.
    private func withoutPaying(_ attempt: FailedAttempt, relay: Int, now: Timestamp) -> Completion {
        let message = attempt.claim.message.id
        let isUncertain = attempt.failure.isUncertain
        let isElsewhere = !isUncertain && hasAlternative(message)
        return judge.again(
            attempt.judged(isUsedUp: isUncertain),
            attempt.claim,
            after: isElsewhere ? .zero : attempt.verdict.retryAfter,
            unproven: evidence.unproven(message),
            atMost: attempt.verdict.retryAfter == nil ? Self.longestUnproven : nil,
            relay: seats[relay].relay.relay.name,
            now: now
        )
    }

    /// Whether a relay takes messages that has not failed this one yet.
    private func hasAlternative(_ message: Int64) -> Bool {
        seats.indices.contains { seats[$0].health.takesMessages && !evidence.isMarked(message, relay: $0) }
    }

    /// Whether the relay's other answers prove that the failure is the message's own doing: it accepted another message
    /// while this attempt was under way, or since the message failed there before, or shortly before, where the message
    /// alone has failed again and again.
    private func isProven(_ attempt: FailedAttempt, relay: Int, now: Timestamp) -> Bool {
        let relayEvidence = seats[relay].evidence
        if relayEvidence.lastAcceptance > attempt.began { return true }
        guard let earlier = evidence.failures(of: attempt.claim.message.id, relay: relay) else { return false }
        if relayEvidence.lastAcceptance > earlier.first { return true }
        guard seats[relay].health.isUp, earlier.count + 1 >= Self.failuresAlone,
            let lastAcceptedAt = relayEvidence.lastAcceptedAt
        else { return false }
        return lastAcceptedAt + Self.recently > earlier.firstAt
    }

    /// The failure is proven to be the message's own doing.
    private mutating func payForItself(
        _ attempt: FailedAttempt,
        relay: Int,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        guard attempt.verdict.reason.isSettledByEvidence, let reply = attempt.failure.reply, reply.isPermanent else {
            let judged = attempt.judged(isUsedUp: true)
            let (message, name) = (attempt.claim.message.id, seats[relay].relay.relay.name)
            evidence.addFailure(of: message, relay: relay, order: order, now: now, isUsedUp: true)
            let isElsewhere = !attempt.failure.isUncertain && hasAlternative(message)
            let delay: Duration? = isElsewhere ? .zero : attempt.verdict.retryAfter
            return effects.completions.append(
                judge.again(judged, attempt.claim, after: delay, relay: name, now: now)
            )
        }
        let isRecipients = attempt.failure.stage == .rcpt
        let verdict = Verdict(
            isRecipients ? .recipient : .message,
            .final,
            isRecipients ? .recipientRefused : .messageRefused
        )
        learnFromRefusal(attempt.judgedAnew(verdict), relay: relay, now: now, &effects)
    }

    // MARK: Refusals

    /// The relay answered, and refused the recipient or the message.
    private mutating func learnFromRefusal(
        _ attempt: FailedAttempt,
        relay: Int,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        seats[relay].lonelyFailures = 0
        switch attempt.verdict.disposition {
        case .again:
            handle(.answered, relay: relay, now: now, &effects)
            let isUrgent = seats[relay].health.isCatchingUp(at: now)
            let delay = attempt.verdict.retryAfter ?? (isUrgent ? RelayHealth.catchingUpDelay : nil)
            let judged = attempt.judged(isUsedUp: true)
            let name = seats[relay].relay.relay.name
            effects.completions.append(judge.again(judged, attempt.claim, after: delay, relay: name, now: now))
        case .final:
            learnFromPermanentRefusal(attempt, relay: relay, now: now, &effects)
        }
    }

    private mutating func learnFromPermanentRefusal(
        _ attempt: FailedAttempt,
        relay: Int,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        let (claim, message) = (attempt.claim, attempt.claim.message.id)
        let namesAddress = attempt.verdict.reason.namesAddress
        let refusal = Completion(
            claim: claim,
            outcome: .rejected(attempt.judged(isUsedUp: true)),
            relay: seats[relay].relay.relay.name,
            finishedAt: now
        )
        if attempt.failure.reply == nil {
            // What the relay offers can't carry this message; that says nothing of the relay.
            evidence.addRefusal(of: message, relay: relay, order: order, now: now, isProvisional: false)
            guard hasAlternative(message) else { return effects.completions.append(refusal) }
            let judged = attempt.judged(isUsedUp: true)
            return effects.completions.append(judge.again(judged, claim, after: .zero, relay: refusal.relay, now: now))
        }
        let earlier = evidence.refusals(of: message, relay: relay)
        if let earlier, seats[relay].evidence.lastAcceptance > earlier.first {
            // The relay works, and refuses this message again: that is final, whatever it thinks of others.
            handle(.answered, relay: relay, now: now, &effects)
            return effects.completions.append(refusal)
        }
        seats[relay].evidence.refused(message: message, namesAddress: namesAddress)
        if seats[relay].evidence.isSuspect {
            suspect(relay, attempt, now: now, &effects)
            return effects.completions.append(provisional(refusal, relay: relay, now: now))
        }
        handle(.answered, relay: relay, now: now, &effects)
        let isConfirmed =
            namesAddress || evidence.isRefused(message, byOtherThan: relay)
            || earlier.map { now >= $0.firstAt + Self.refusalSpan } ?? false
        guard isConfirmed else {
            evidence.addRefusal(of: message, relay: relay, order: order, now: now, isProvisional: false)
            let delay: Duration? = hasAlternative(message) ? .zero : nil
            let judged = attempt.judged(isUsedUp: true)
            return effects.completions.append(judge.again(judged, claim, after: delay, relay: refusal.relay, now: now))
        }
        seats[relay].docket.hold(refusal, now: now)
    }

    private mutating func suspect(
        _ relay: Int,
        _ attempt: FailedAttempt,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        if seats[relay].health.state != .suspected {
            let trouble = attempt.trouble.ofEverybody(count: seats[relay].evidence.refusalsInARow)
            handle(.suspected(trouble), relay: relay, now: now, &effects)
        }
        let (held, released) = seats[relay].docket.acquit()
        effects.acquitted += released
        for completion in held { effects.completions.append(provisional(completion, relay: relay, now: now)) }
    }

    /// A refusal by a relay that refuses everybody: the message stays open, and pays nothing for it.
    private mutating func provisional(_ refusal: Completion, relay: Int, now: Timestamp) -> Completion {
        guard let judged = refusal.outcome.judgement else { preconditionFailure("a refusal is a failure") }
        let message = refusal.claim.message.id
        evidence.addRefusal(of: message, relay: relay, order: order, now: now, isProvisional: true)
        return judge.again(
            JudgedFailure(
                failure: judged.failure,
                verdict: Verdict(.relay, .again, .refusesEverybody),
                isUsedUp: false
            ),
            refusal.claim,
            after: hasAlternative(message) ? .zero : nil,
            unproven: evidence.unproven(message),
            atMost: Self.longestUnproven,
            relay: refusal.relay,
            now: now
        )
    }

    // MARK: Health

    mutating func handle(
        _ event: RelayEvent,
        relay: Int,
        onlyIfProbedBy claim: Claim? = nil,
        now: Timestamp,
        _ effects: inout RelayDesk.Effects
    ) {
        if let claim {
            guard seats[relay].probes.remove(claim.message.id) != nil else { return }
        }
        let before = seats[relay].health
        let change = seats[relay].health.handle(event, now: now)
        if seats[relay].health.state != before.state || seats[relay].health.trouble != before.trouble {
            effects.statuses.append(seats[relay].relay.status(seats[relay].health, position: relay + 1, now: now))
            if seats[relay].health.takesMessages { effects.wakesDispatcher = true }
        }
        if change != .none { effects.changes.append((relay, change)) }
    }
}

extension Completion.Outcome {
    /// Nothing of the message follows.
    fileprivate var isFinal: Bool {
        switch self {
        case .accepted, .rejected, .expired, .expiredUnsent, .supersededUnsent, .cancelledUnsent: true
        case .deferred, .returnedUnsent: false
        }
    }
}
