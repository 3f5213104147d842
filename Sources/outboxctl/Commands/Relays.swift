// outboxctl relays.

import ArgumentParser
import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport

struct Relays: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "How the relays are: up, or suspected, or paused until when, and why.",
        discussion: """
            In the order of preference, as the running outboxd last wrote it down. While a relay is paused its messages \
            stay open and lose no attempt. A suspected one refuses everybody: it is given messages, and what it refuses \
            stays open. Exits with 1 where outboxd has not run yet.
            """
    )

    @Flag(help: "Print one JSON object a line.")
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
            let stage = relay.stage.map { " (\($0))" } ?? ""
            lines.append("   reason      \(reason)\(stage)\(relay.fault.map { ", fault of the \($0)" } ?? "")")
            if let detail = relay.detail { lines.append("   detail      \(detail)") }
            if let setting = relay.setting {
                let isReload = reason.known?.isMendedByReload ?? false
                lines.append("   look at     \(setting)\(isReload ? "; then reload outboxd" : "")")
            }
        }
        return lines.joined(separator: "\n")
    }
}
