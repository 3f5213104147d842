// The command `relays`. Never contacts a relay.

import ArgumentParser
import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport

struct Relays: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the health of each relay, why it is suspected or paused, its TLS, certificate and limits.",
        discussion: """
            In order of preference, as last recorded by the running outboxd. While a relay is paused, its messages \
            stay open, and no attempt of theirs counts. A suspected relay refuses everybody: it still gets messages, and the \
            refused ones stay open. TLS and certificate are those of the last connection; 14 days before the \
            certificate's end there is a warning. The number of mails for one connection is the relay's own limit, \
            which it offered or which outboxd has learnt from its refusals since it started. Exits with 1 if outboxd has not run yet.
            """
    )

    @Flag(help: "Print one JSON object per line.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let relays = try await options.database(.reading).relays()
            if json {
                for relay in relays { print(try JSONText.line(relay)) }
            } else if relays.isEmpty {
                print("nothing found: outboxd has not run on this database yet")
            } else {
                print(relays.map { RelayText(now: .now).block($0) }.joined(separator: "\n"))
            }
            if relays.isEmpty { throw ExitCode.failure }
        }
    }
}

/// Formats a relay for a terminal.
private struct RelayText {
    let now: Timestamp

    func block(_ relay: RelayStatus) -> String {
        var head = "\(relay.position). \(relay.name): \(relay.state)"
        if let until = relay.pausedUntil { head += " until \(until.timeOfDay(milliseconds: true)) UTC" }
        var lines = [head]
        if let since = relay.downSince, let reason = relay.reason {
            let span = Duration.seconds(max(0, now.timeSince(since).components.seconds)).settingText
            lines.append("   down since  \(since.day) \(since.timeOfDay(milliseconds: false)) UTC (\(span) ago)")
            lines += FailureText.lines(
                reason: "\(reason)",
                stage: relay.stage.map { "\($0)" },
                fault: relay.fault.map { "\($0)" },
                detail: relay.detail,
                lookAt: relay.setting,
                then: reason.known.flatMap(Remedy.init)?.then
            )
        }
        if let limit = relay.mailsPerConnection {
            let mails = limit == 1 ? "1 mail" : "\(limit) mails"
            lines.append("   limit       \(mails) for each connection")
        }
        return (lines + protection(relay)).joined(separator: "\n")
    }

    private func protection(_ relay: RelayStatus) -> [String] {
        guard let tls = relay.tls else { return [] }
        var lines = ["   TLS         \(tls.version), \(tls.cipher)"]
        if let end = tls.certificateExpiresAt {
            let days = end.timeSince(now).components.seconds / 86_400
            lines.append("   certificate \(tls.certificateName ?? "without a name"), valid until \(end.dayAndTime) UTC")
            if end <= now {
                lines.append("   warning     the certificate has ended, unless the relay has replaced it since")
            } else if TLSSession.endsSoon(end, now: now) {
                let left = days == 1 ? "1 day" : "\(days) days"
                lines.append("   warning     the certificate ends in \(left); no mail goes to this relay after that")
            }
        }
        return lines
    }
}
