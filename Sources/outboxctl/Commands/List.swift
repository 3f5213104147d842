// The command `list`. Never shows a token.

import ArgumentParser
import OutboxCore
import OutboxStore
import ProgramSupport

struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List messages by state, reason to wait, kind and age, newest first.",
        discussion: "Exits with 1 if there are none."
    )

    @Option(
        help: ArgumentHelp(
            "Only messages in this state: \(MessageState.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "state"
        ),
        transform: { text in
            guard let state = MessageState(rawValue: text) else {
                let known = MessageState.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(text)' is not a state; the states are \(known)")
            }
            return state
        }
    )
    var state: MessageState?

    @Option(
        help: ArgumentHelp(
            "Only messages that wait for this reason: \(WaitingReason.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "reason"
        ),
        transform: { text in
            guard let reason = WaitingReason(rawValue: text) else {
                let known = WaitingReason.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(text)' is not a reason to wait; the reasons are \(known)")
            }
            return reason
        }
    )
    var waitingFor: WaitingReason?

    @Option(help: "Only messages of this kind, such as verify-email.")
    var kind: String?

    @OptionGroup var since: SinceOption

    @Option(help: "The maximum number of messages.")
    var limit = 50

    @Flag(help: "Print one JSON object per line.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func validate() throws {
        guard limit >= 1 else { throw ValidationError("--limit must be 1 or more") }
    }

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.reading)
            let messages = try await database.list(
                StatusFilter(
                    state: state,
                    waitingFor: waitingFor,
                    kind: kind,
                    since: since.timestamp(now: .now),
                    limit: limit
                )
            )
            if json {
                for message in messages { print(try JSONText.line(MessageAnswer(message))) }
            } else if messages.isEmpty {
                print("nothing found")
            } else {
                print(StatusText(now: .now).table(messages))
            }
            if messages.isEmpty { throw ExitCode.failure }
        }
    }
}
