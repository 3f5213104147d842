// Takes claims to the relay, one at a time: look at the deadline, render, send, report. Never touches the store.

import MailComposer
import OutboxCore
import OutboxStore
import SMTPTransport

/// The work of one lane.
struct LaneWorker: Sendable {
    /// The place of the lane's relay in the order of preference, from 0.
    let relay: Int
    let desk: RelayDesk
    let configuration: CurrentConfiguration
    let environment: DeliveryEnvironment

    /// Works until the desk is closed, then closes the connection.
    ///
    /// All of it happens on the lane's thread: a message changes threads neither before nor after it is sent.
    func run(on lane: isolated SMTPLane) async {
        while let claim = await nextClaim(for: lane) {
            attempt(claim, on: lane)
            // After the report, and before the lane takes another claim: QUIT's answer may be long in coming.
            lane.closeFullConnection()
            // Lets the lane do what else it was asked for.
            if lane.isAwaited { await Task.yield() }
        }
        lane.leave()
    }

    /// Waits for a claim. Where none comes for as long as an idle connection is kept, the connection is closed.
    private func nextClaim(for lane: isolated SMTPLane) async -> Claim? {
        if let claim = desk.takeAtOnce(relay: relay) { return claim }
        let closing = Task { [environment, configuration, relay] in
            do {
                try await environment.sleep(configuration.value.relays[relay].relay.idle)
                lane.closeConnection()
            } catch {
                // Cancelled: there is work for the connection.
            }
        }
        defer { closing.cancel() }
        return await desk.take(relay: relay)
    }

    private func attempt(_ claim: Claim, on lane: isolated SMTPLane) {
        let startedAt = environment.now()
        // One attempt goes by one configuration.
        let (composer, settings) = configuration.value.forAttempts
        // The message may have waited for a lane for a while: a token that no longer works is not sent.
        guard settings.schedule.deadline(of: claim.message) > startedAt else {
            let expired = Completion(claim: claim, outcome: .expiredUnsent, relay: nil, finishedAt: startedAt)
            return desk.reportUnsent(expired, relay: relay)
        }
        let mail: OutgoingMail
        do {
            let composed = try composer.compose(claim.message)
            mail = OutgoingMail(
                envelopeSender: settings.envelopeSender(claim.message.envelopeID),
                recipient: composed.recipient,
                content: composed.bytes
            )
        } catch {
            return desk.reportUnsent(desk.composition(error.failure, of: claim), relay: relay)
        }
        // A relay may quote the link in its words, which are kept and shown.
        let result = lane.send(mail).masked(by: SecretMask([claim.message.token.secret]))
        desk.report(result, of: claim, relay: relay, startedAt: startedAt)
    }
}
