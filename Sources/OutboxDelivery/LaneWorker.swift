// Takes claims to the relay, one at a time: look at the deadline, render, send, report. Never touches the store.

import MailComposer
import OutboxCore
import OutboxStore
import SMTPTransport

/// The work of one lane.
struct LaneWorker: Sendable {
    let lane: SMTPLane
    /// The place of the lane's relay in the order of preference, from 0.
    let relay: Int
    let desk: RelayDesk
    let composer: MailComposer
    let settings: DeliverySettings
    let environment: DeliveryEnvironment

    /// Works until the desk is closed, then closes the connection.
    func run() async {
        while let claim = await nextClaim() { await attempt(claim) }
        await lane.closeConnection()
    }

    /// Waits for a claim. Where none comes for as long as an idle connection is kept, the connection is closed.
    private func nextClaim() async -> Claim? {
        if let claim = desk.takeAtOnce(relay: relay) { return claim }
        let closing = Task { [lane, environment] in
            do {
                try await environment.sleep(lane.idle)
                await lane.closeConnection()
            } catch {
                // Cancelled: there is work for the connection.
            }
        }
        defer { closing.cancel() }
        return await desk.take(relay: relay)
    }

    private func attempt(_ claim: Claim) async {
        let startedAt = environment.now()
        // The message may have waited for a lane for a while: a token that no longer works is not sent.
        guard settings.schedule.deadline(of: claim.message) > startedAt else {
            let expired = Completion(claim: claim, outcome: .expiredUnsent, relay: nil, finishedAt: startedAt)
            return await desk.reportUnsent(expired, relay: relay)
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
            return await desk.reportUnsent(desk.composition(error.failure, of: claim), relay: relay)
        }
        await desk.report(await lane.send(mail), of: claim, relay: relay, startedAt: startedAt)
    }
}
