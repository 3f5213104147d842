// Takes claims to the relay, one at a time: check the deadline, render, send, report. Never touches the store.

import MailComposer
import OutboxCore
import OutboxStore
import SMTPTransport

/// The work of one lane.
struct LaneWorker: Sendable {
    /// The lane's identity in the pool.
    let id: LaneID
    let pool: RelayPool
    let configuration: CurrentConfiguration
    let environment: DeliveryEnvironment
    let leases: LeaseBook
    let tokenTimes: TokenTimes
    let clock: SharedClockWatch

    /// Works until the pool is closed, then closes the connection.
    ///
    /// All of this runs on the lane's thread: a message changes threads neither before nor after its transmission.
    func run(on lane: isolated SMTPLane) async {
        while let claim = await nextClaim(for: lane) {
            attempt(claim, on: lane)
            // Runs after the report and before the next claim, because the answer to QUIT may take long.
            lane.closeFullConnection()
            if !lane.isConnected { pool.connectionClosed(id) }
            // Yields so that a reload or close request queued on the lane can run.
            if lane.isAwaited { await Task.yield() }
        }
        lane.leave()
    }

    /// Waits for a claim. Closes the connection if none comes within the idle time of a connection.
    private func nextClaim(for lane: isolated SMTPLane) async -> Claim? {
        if let claim = pool.takeAtOnce(id) { return claim }
        let closing = Task { [environment, configuration, pool, id] in
            do {
                try await environment.sleep(configuration.value.relays[id.relay].configuration.idle)
                lane.closeConnection()
                pool.connectionClosed(id)
            } catch {
                // Cancelled: the connection has work to do.
            }
        }
        defer { closing.cancel() }
        return await pool.take(id)
    }

    private func attempt(_ claim: Claim, on lane: isolated SMTPLane) {
        // The whole attempt uses one configuration.
        let (composer, settings) = configuration.value.forAttempts
        // A reload may have brought templates that show what the claim lacks.
        if claim.tokenRules != settings.rules.tokens { return endUnsent(claim, .returnedUnsent(until: nil)) }
        // The message may have waited for a lane for a while.
        if let outcome = reasonToWithhold(claim, settings) { return endUnsent(claim, outcome) }
        let mail: OutgoingMail
        do {
            let composed = try composer.compose(claim.message)
            if !composed.changedVariables.isEmpty { pool.variablesChanged(composed.changedVariables, of: claim) }
            mail = OutgoingMail(
                envelopeSender: settings.envelopeSender(claim.message.envelopeID),
                recipient: composed.recipient,
                content: composed.bytes,
                envelopeID: settings.receivesReports ? claim.message.envelopeID : nil,
                mayHandOver: { [self] in reasonToWithhold(claim, settings) == nil },
                didHandOver: { [pool] in pool.awaitsAcceptance(of: claim) },
                didConnect: { [pool, id] in pool.connectionOpened(id, for: claim) },
                didSecure: { [pool, id] in pool.connectionSecured($0, relay: id.relay) },
                didLimitMails: { [pool, id] in pool.mailsLimited(to: $0, on: id) },
                mayWait: { [pool] in pool.mayWait(for: claim) },
                didRefuseReports: { [pool, id] in pool.reportsRefused($0, relay: id.relay) }
            )
        } catch {
            return pool.endedUnsent(pool.composition(error.failure, of: claim), relay: id.relay)
        }
        let result = lane.send(mail)
        if !lane.isConnected { pool.connectionClosed(id) }
        if result == .withheld {
            return endUnsent(claim, reasonToWithhold(claim, settings) ?? .returnedUnsent(until: nil))
        }
        tokenTimes.ended(claim)
        // The relay's reply may quote the link, and the reply is stored and shown.
        let masked = result.masked(hiding: claim.message.secrets)
        pool.ended(masked, of: claim, relay: id.relay)
    }

    /// Why the message must not be handed over now; `nil` if it may. Checked before an attempt and again before the
    /// first octet of the content, because the replies to MAIL, RCPT and DATA may take minutes.
    private func reasonToWithhold(_ claim: Claim, _ settings: DeliverySettings) -> Completion.Outcome? {
        let moment = environment.moment()
        if let outcome = pool.voidOutcome(of: claim) { return outcome }
        // Another daemon may hold the claim by now.
        if !leases.isGood(claim, at: moment.uptime) { return .returnedUnsent(until: nil) }
        guard settings.schedule.deadline(of: claim.message) <= moment.now else {
            return tokenTimes.isStale(claim, at: moment.now) ? .returnedUnsent(until: nil) : nil
        }
        return clock.expiryHold(at: moment) == nil ? .expiredUnsent : .returnedUnsent(until: nil)
    }

    private func endUnsent(_ claim: Claim, _ outcome: Completion.Outcome) {
        let now = environment.now()
        if tokenTimes.isStale(claim, at: now) { tokenTimes.goesBack(claim) } else { tokenTimes.ended(claim) }
        let completion = Completion(claim: claim, outcome: outcome, relay: nil, finishedAt: now)
        pool.endedUnsent(completion, relay: id.relay)
    }
}
