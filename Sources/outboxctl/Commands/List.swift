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

    /// - Throws: `ValidationError` with all values that there are.
    private static func value<Value: RawRepresentable<String> & CaseIterable>(
        _ text: String,
        isNot kind: String,
        all kinds: String
    ) throws -> Value {
        if let value = Value(rawValue: text) { return value }
        let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("'\(text)' is not \(kind); the \(kinds) are \(known)")
    }

    @Option(
        help: ArgumentHelp(
            "Only messages in this state: \(MessageState.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "state"
        ),
        transform: { try Self.value($0, isNot: "a state", all: "states") }
    )
    var state: MessageState?

    @Option(
        help: ArgumentHelp(
            "Only messages that wait for this reason: \(WaitingReason.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "reason"
        ),
        transform: { try Self.value($0, isNot: "a reason to wait", all: "reasons") }
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
