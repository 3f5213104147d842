// A failed attempt, as the relay pool weighs it. Never decides what follows.

import OutboxCore
import OutboxStore

/// A failed attempt and the facts about it.
struct FailedAttempt {
    let claim: Claim
    let failure: TransmissionFailure
    let verdict: Verdict
    /// The number of the event at which the attempt began.
    let began: Int
    /// Whether the attempt was ended before the relay had its full time to answer.
    var isCutShort = false

    /// Whether the reply code blames the relay or the configuration.
    var isRelays: Bool { verdict.fault == .relay || verdict.fault == .configuration }

    /// Whether more evidence is needed. From RCPT on, the message itself may be at fault, whatever the code says. A relay
    /// that states how long it wants no mail leaves no doubt.
    var needsEvidence: Bool { failure.stage.isAboutMessage && verdict.pause == nil }

    /// Whether the relay accepted the TCP connection and refused or closed it before any command: perhaps one
    /// connection too many.
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
    /// The same trouble for a relay that refuses everybody; it keeps the relay's last reply.
    func ofEverybody(count: Int) -> RelayTrouble {
        RelayTrouble(
            fault: .relay,
            reason: .refusesEverybody,
            stage: stage,
            detail: "permanently refused \(count) messages in a row and accepted none; the last one with: \(detail)",
            reply: reply
        )
    }
}
