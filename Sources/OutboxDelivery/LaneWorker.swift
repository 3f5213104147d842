// Takes claims to the relay, one at a time: look at the deadline, render, send, report. Never touches the store.

import MailComposer
import OutboxCore
import OutboxStore
import SMTPTransport

/// The work of one lane.
struct LaneWorker: Sendable {
    let lane: SMTPLane
    let ready: ReadyQueue
    let composer: MailComposer
    let settings: DeliverySettings
    let environment: DeliveryEnvironment
    let recorder: OutcomeRecorder

    /// Works until the ready queue is closed, then closes the connection.
    func run() async {
        while let claim = await nextClaim() {
            await recorder.record(await attempt(claim))
        }
        await lane.closeConnection()
    }

    /// Waits for a claim. Where none comes for as long as an idle connection is kept, the connection is closed.
    private func nextClaim() async -> Claim? {
        if let claim = ready.takeIfReady() { return claim }
        let closing = Task { [lane, environment] in
            do {
                try await environment.sleep(lane.relay.idle)
                await lane.closeConnection()
            } catch {
                // Cancelled: there is work for the connection.
            }
        }
        defer { closing.cancel() }
        return await ready.take()
    }

    private func attempt(_ claim: Claim) async -> Completion {
        // The message may have waited for a lane for a while: a token that no longer works is not sent.
        guard settings.schedule.deadline(of: claim.message) > environment.now() else {
            return completion(of: claim, .expiredUnsent, relay: nil)
        }
        let mail: OutgoingMail
        do {
            let composed = try composer.compose(claim.message)
            mail = OutgoingMail(
                envelopeSender: settings.envelopeSender,
                recipient: composed.recipient,
                content: composed.bytes
            )
        } catch {
            return completion(of: claim, outcome(of: error.failure, for: claim), relay: nil)
        }
        switch await lane.send(mail) {
        case .accepted(let reply):
            return completion(of: claim, .accepted(reply), relay: lane.relay.name)
        case .failed(let failure):
            return completion(of: claim, outcome(of: failure, for: claim), relay: lane.relay.name)
        }
    }

    private func outcome(of failure: TransmissionFailure, for claim: Claim) -> Completion.Outcome {
        let verdict = FailurePolicy.verdict(for: failure)
        switch verdict.disposition {
        case .final:
            return .rejected(failure, verdict.scope)
        case .again:
            var random = AnyGenerator(environment.random())
            let next = settings.schedule.nextAttempt(
                after: claim.attempt,
                now: environment.now(),
                deadline: settings.schedule.deadline(of: claim.message),
                using: &random
            )
            return next.map { .deferred(failure, verdict.scope, next: $0) } ?? .expired(failure, verdict.scope)
        }
    }

    private func completion(of claim: Claim, _ outcome: Completion.Outcome, relay: String?) -> Completion {
        Completion(claim: claim, outcome: outcome, relay: relay, finishedAt: environment.now())
    }
}
