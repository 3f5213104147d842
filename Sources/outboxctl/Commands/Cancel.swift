// The command `cancel`. Never touches a message that is final.

import ArgumentParser
import OutboxCore
import OutboxStore
import ProgramSupport

struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Cancel a message, or all open messages to an address.",
        discussion: """
            A waiting message is cancelled at once, and its token is overwritten. A message that is being sent is \
            cancelled unless a relay accepts it: check with `outboxctl show` a little later. A mail that a relay has \
            accepted can't be recalled. Exits with 1 if there is no such message, or if all of them are final.
            """
    )

    @OptionGroup var argument: SubjectArgument

    @Flag(help: "Print one JSON object for each message that was open, as in `status`.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.writing)
            let cancelled: [Int64]
            if let id = argument.id {
                cancelled = try await database.cancel(id: id) ? [id] : []
            } else {
                cancelled = try await database.cancel(recipient: argument.subject)
            }
            for id in cancelled {
                guard let message = try await database.status(id: id) else { continue }
                print(json ? try JSONText.line(MessageAnswer(message)) : line(message))
            }
            if cancelled.isEmpty {
                if !json { print(try await whyNone(database)) }
                throw ExitCode.failure
            }
        }
    }

    private func line(_ message: StatusRecord) -> String {
        let name = "\(message.kind) to \(message.recipient) (id \(message.id))"
        return message.finishedAt == nil
            ? "\(name): is being sent; it is cancelled unless a relay accepts it" : "\(name): \(message.state.rawValue)"
    }

    private func whyNone(_ database: OutboxDatabase) async throws -> String {
        if let id = argument.id {
            guard let message = try await database.status(id: id) else {
                return "nothing found: no message with the id \(id)"
            }
            return "nothing to cancel: message \(id) is \(message.state.rawValue)"
        }
        return try await database.status(recipient: argument.subject).isEmpty
            ? "nothing found: no message to \(argument.subject)"
            : "nothing to cancel: no message to \(argument.subject) is open"
    }
}
