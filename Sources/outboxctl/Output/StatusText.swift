// Formats the answers for a terminal. Never decides anything: the advice comes from the view.

import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport

/// Formats status records as text.
struct StatusText {
    /// The time from which ages are counted.
    let now: Timestamp
    /// The language of the advice.
    var language = Advice.Language.english

    /// The answer of `status`.
    func answer(recipient: String, messages: [StatusRecord]) -> String {
        let count = messages.count == 1 ? "1 message" : "\(messages.count) messages, newest first"
        let blocks = messages.map { message in
            var lines = ["", "  \(message.kind) (id \(message.id)): \(message.state.rawValue)"]
            lines.append("    requested  \(moment(message.requestedAt))")
            if let acceptedAt = message.acceptedAt {
                let span = acceptedAt.timeSince(message.requestedAt)
                lines.append("    accepted   \(moment(acceptedAt)), \(span.settingText) after the request")
            } else if let finishedAt = message.finishedAt {
                lines.append("    \(message.state.rawValue.padded(to: 11))\(moment(finishedAt))")
            }
            if let delayedAt = message.delayedAt {
                lines.append("    delayed    reported \(moment(delayedAt)): a mail system could not deliver it yet")
            }
            if let deliveredAt = message.deliveredAt {
                lines.append("    delivered  reported \(moment(deliveredAt))")
            }
            if let redeemedAt = message.redeemedAt {
                lines.append("    redeemed   the link or code was used \(moment(redeemedAt))")
            }
            if let waitingFor = message.waitingFor { lines.append("    waiting    \(waiting(waitingFor, message))") }
            if message.attempts > 0 { lines.append("    attempts   \(message.attempts)") }
            if let detail = message.detail { lines.append("    detail     \(detail)") }
            if message.mayArriveTwice {
                lines.append("    note       may arrive twice: a relay received it but did not answer")
            }
            lines.append("    advice     \(advice(message))")
            return lines.joined(separator: "\n")
        }
        return "\(recipient): \(count)\n" + blocks.joined(separator: "\n")
    }

    /// The answer of `show`.
    func timeline(
        of message: StatusRecord,
        attempts: [AttemptRecord],
        reports: [DeliveryReportRecord],
        suppression: Suppression?
    ) -> String {
        var lines = ["\(message.kind) to \(message.recipient) (id \(message.id)): \(message.state.rawValue)"]
        func add(_ at: Timestamp, _ text: String) { lines.append("  \(at.timeOfDay(milliseconds: true))  \(text)") }

        lines.append("  \(message.requestedAt.day), times in UTC")
        add(message.requestedAt, "queued")
        for attempt in attempts {
            let relay = attempt.relay.map { " at \($0)" } ?? ""
            guard let finishedAt = attempt.finishedAt, let outcome = attempt.outcome else {
                add(attempt.startedAt, "attempt \(attempt.attempt) is under way")
                continue
            }
            let isFailure = outcome != .accepted
            let stage = attempt.stage.flatMap { isFailure ? " (\($0))" : nil } ?? ""
            let cost = attempt.counts ? "" : ", not the message's fault: the attempt does not count"
            let twice = outcome == .uncertain ? ", may arrive twice" : ""
            add(finishedAt, "attempt \(attempt.attempt)\(relay): \(outcome.rawValue)\(stage)\(twice)\(cost)")
            if let detail = attempt.detail { lines.append("                \(detail)") }
        }
        for report in reports {
            let reporter = report.reportingMTA.map { " by \($0)" } ?? ""
            let reason = [report.status, report.reason.map { "(\($0))" }].compactMap(\.self)
            add(report.receivedAt, (["reported\(reporter): \(report.action.rawValue)"] + reason).joined(separator: " "))
            if let detail = report.detail { lines.append("                \(detail)") }
        }
        if let finishedAt = message.finishedAt, message.acceptedAt == nil || message.state == .bounced {
            add(finishedAt, message.state.rawValue)
        }
        if let redeemedAt = message.redeemedAt { add(redeemedAt, "the link or code was used") }
        if let waitingFor = message.waitingFor { lines.append("  waiting: \(waiting(waitingFor, message))") }
        if let expiresAt = message.expiresAt { add(expiresAt, "token expires") }
        if let suppression { lines.append("  \(listed(suppression))") }
        lines.append("  advice: \(advice(message))")
        return lines.joined(separator: "\n")
    }

    /// The answer of `list`.
    func table(_ messages: [StatusRecord]) -> String {
        TextTable.text(
            header: ["ID", "STATE", "KIND", "RECIPIENT", "REQUESTED (UTC)", "ATTEMPTS", "LAST REPLY"],
            rows: messages.map { message in
                [
                    String(message.id), message.state.rawValue, message.kind, message.recipient,
                    message.requestedAt.dayAndTime, String(message.attempts), message.detail ?? "",
                ]
            }
        )
    }

    /// Why the address is on the suppression list, and how to remove it.
    private func listed(_ entry: Suppression) -> String {
        let message = entry.messageID.map { " by message \($0)" } ?? ""
        return """
            suppressed: \(entry.address) is not mailed until \(moment(entry.expiresAt)); \(entry.source.rawValue)\(message) \
            on \(moment(entry.createdAt)): \(entry.reason); if that is wrong, \
            outboxctl suppression remove \(entry.address.quotedForShell)
            """
    }

    /// The reason and the end of the wait.
    private func waiting(_ code: String, _ message: StatusRecord) -> String {
        let until = message.nextAttemptAt.map { "until \(moment($0))" } ?? ""
        switch code {
        case "restored-file":
            return "for a decision, because it was open in a restored database (restored-file); see "
                + "`outboxctl accept-restored`"
        case "resend-limit": return "\(until), because this address was sent this kind of mail before (resend-limit)"
        case "not-before": return "\(until), as the application asked (not-before)"
        case "retry": return "\(until) for the next attempt (retry)"
        case "relay": return "for a relay, because none is up (relay); see `outboxctl relays`"
        case "turn": return "for its turn"
        default: return "\(until) (\(code))"
        }
    }

    private func advice(_ message: StatusRecord) -> String {
        let sentences = Advice.sentences(for: message.advice, in: language)
        guard let at = message.adviceAt else { return "\(message.advice): \(sentences)" }
        let isUntil = at > now
        return
            "\(message.advice) (\(isUntil ? "until" : "since") \(at.timeOfDay(milliseconds: false)) UTC): \(sentences)"
    }

    private func moment(_ at: Timestamp) -> String {
        let age = now.timeSince(at)
        let distance = Duration.seconds(abs(age.components.seconds)).settingText
        let relative = age < .zero ? "in \(distance)" : "\(distance) ago"
        return "\(at.day) \(at.timeOfDay(milliseconds: false)) UTC (\(relative))"
    }
}
