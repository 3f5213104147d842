// An attempt that failed, as the relay pool weighs it. Never decides what follows.

import OutboxCore
import OutboxStore

/// An attempt that failed, with what is known of it.
struct FailedAttempt {
    let claim: Claim
    let failure: TransmissionFailure
    let verdict: Verdict
    /// The place of its beginning among all events.
    let began: Int
    /// The relay was not given the time that it may take.
    var isCutShort = false

    /// By its code, it is the relay's or the configuration's fault.
    var isRelays: Bool { verdict.fault == .relay || verdict.fault == .configuration }

    /// From RCPT on a failure may be the message's own doing, whatever the code says; a relay that says how long it is to
    /// be left alone leaves no doubt.
    var needsEvidence: Bool { failure.stage.isAboutMessage && verdict.pause == nil }

    /// The relay took the connection and refused or closed it before anything was said on it: one too many, perhaps.
    var isRefusedConnection: Bool {
        failure.stage.isBeforeSession && verdict.fault == .relay
            && (failure.reply != nil || failure.cause == .connectionLost)
    }

    var trouble: RelayTrouble {
        RelayTrouble(
            fault: verdict.fault,
            reason: verdict.reason,
            stage: failure.stage,
            detail: failure.detail,
            reply: failure.reply
        )
    }

    func judged(counts: Bool) -> JudgedFailure {
        JudgedFailure(failure: failure, verdict: verdict, counts: counts)
    }

    func judgedAnew(_ verdict: Verdict) -> FailedAttempt {
        FailedAttempt(claim: claim, failure: failure, verdict: verdict, began: began)
    }
}

extension RelayTrouble {
    /// The same for a relay that refuses everybody: its last words stay.
    func ofEverybody(count: Int) -> RelayTrouble {
        RelayTrouble(
            fault: .relay,
            reason: .refusesEverybody,
            stage: stage,
            detail: "refused \(count) messages in a row for good and accepted none; the last one with: \(detail)",
            reply: reply
        )
    }
}
