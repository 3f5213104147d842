// Turns failures, relay troubles and replies into log metadata. Never a recipient's address.

import InternetMessage
import Logging
import OutboxCore
import OutboxStore

extension LogValues {
    mutating func describe(toMend trouble: RelayTrouble, _ relay: DeliveryRelay) {
        if let place = relay.place(toMend: trouble) { self[.setting] = "\(place)" }
        if let step = Remedy(trouble.reason)?.then { self[.then] = "\(step)" }
    }

    mutating func describe(_ reply: SMTPReply) {
        self[.replyCode] = .string(String(reply.code))
        if let status = reply.enhancedStatus { self[.enhancedStatus] = .string(status.description) }
        if let queueID = reply.queueID { self[.queueID] = .string(queueID) }
    }

    mutating func describe(_ judged: JudgedFailure) {
        self[.fault] = "\(judged.verdict.fault.rawValue)"
        self[.reason] = "\(judged.verdict.reason.rawValue)"
        describe(judged.failure.reply, stage: judged.failure.stage, detail: judged.failure.detail)
    }

    mutating func describe(_ trouble: RelayTrouble) {
        self[.reason] = "\(trouble.reason.rawValue)"
        describe(trouble.reply, stage: trouble.stage, detail: trouble.detail)
    }

    private mutating func describe(_ reply: SMTPReply?, stage: SMTPStage, detail: String) {
        self[.stage] = "\(stage.rawValue)"
        // The relay's text may quote the recipient's address; the attempt's row keeps the text instead.
        if let reply { describe(reply) } else { self[.detail] = "\(detail)" }
    }
}
