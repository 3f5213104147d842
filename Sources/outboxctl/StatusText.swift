// The answers for a person at a terminal. Never decides anything: the advice is the view's.

import OutboxCore
import OutboxSettings
import OutboxStore

/// Lays status records out as text.
struct StatusText {
    /// The moment that ages are counted from.
    let now: Timestamp

    /// The answer of `status`.
    func answer(recipient: String, messages: [StatusRecord]) -> String {
        let count = messages.count == 1 ? "1 message" : "\(messages.count) messages, newest first"
        let blocks = messages.map { message in
            var lines = ["", "  \(message.kind) (id \(message.id)): \(message.state)"]
            lines.append("    requested  \(moment(message.requestedAt))")
            if let acceptedAt = message.acceptedAt {
                let span = acceptedAt.timeSince(message.requestedAt)
                lines.append("    accepted   \(moment(acceptedAt)), \(span.settingText) after the request")
            } else if let finishedAt = message.finishedAt {
                lines.append("    \(padded(message.state, to: 11))\(moment(finishedAt))")
            }
            if let next = message.nextAttemptAt, message.state == MessageState.deferred.rawValue {
                lines.append("    next try   \(moment(next))")
            }
            if message.attempts > 0 { lines.append("    attempts   \(message.attempts)") }
            if let reply = message.lastReply { lines.append("    last reply \(reply)") }
            lines.append("    advice     \(advice(message))")
            return lines.joined(separator: "\n")
        }
        return "\(recipient): \(count)\n" + blocks.joined(separator: "\n")
    }

    /// The answer of `show`.
    func timeline(of message: StatusRecord, attempts: [AttemptRecord]) -> String {
        var lines = ["\(message.kind) to \(message.recipient) (id \(message.id)): \(message.state)"]
        func add(_ at: Timestamp, _ text: String) { lines.append("  \(at.timeOfDay(milliseconds: true))  \(text)") }

        lines.append("  \(message.requestedAt.day), times in UTC")
        add(message.requestedAt, "queued")
        for attempt in attempts {
            let relay = attempt.relay.map { " at \($0)" } ?? ""
            guard let finishedAt = attempt.finishedAt, let outcome = attempt.outcome else {
                add(attempt.startedAt, "attempt \(attempt.attempt) is under way")
                continue
            }
            let isFailure = outcome != "accepted"
            let stage = attempt.stage.flatMap { isFailure ? " (\($0))" : nil } ?? ""
            add(finishedAt, "attempt \(attempt.attempt)\(relay): \(outcome)\(stage)")
            if let reply = attempt.reply { lines.append("                \(reply)") }
        }
        if let finishedAt = message.finishedAt, message.acceptedAt == nil { add(finishedAt, message.state) }
        if let next = message.nextAttemptAt, next > now { add(next, "next attempt") }
        if let expiresAt = message.expiresAt { add(expiresAt, "token expires") }
        lines.append("  advice: \(advice(message))")
        return lines.joined(separator: "\n")
    }

    /// The answer of `list`.
    func table(_ messages: [StatusRecord]) -> String {
        let header = ["ID", "STATE", "KIND", "RECIPIENT", "REQUESTED (UTC)", "ATTEMPTS", "LAST REPLY"]
        let rows = messages.map { message in
            [
                String(message.id), message.state, message.kind, message.recipient,
                "\(message.requestedAt.day) \(message.requestedAt.timeOfDay(milliseconds: false))",
                String(message.attempts), message.lastReply ?? "",
            ]
        }
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        return ([header] + rows).map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1 ? cell : padded(cell, to: widths[column])
            }
            return cells.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private func advice(_ message: StatusRecord) -> String {
        let sentences = Advice.codes(in: message.advice).map(\.sentence).joined(separator: " ")
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

    private func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
