// The command `show`. Never shows a token.

import ArgumentParser
import InternetMessage
import OutboxCore
import OutboxStore
import ProgramSupport

struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the timeline of one message: every attempt with the relay's reply.",
        discussion: "Exits with 1 if there is no such message."
    )

    @Argument(help: "The message's id, as `status` and `list` show it.")
    var id: Int64

    @Flag(help: "Print one JSON object: the message with its `history`, `reports` and `suppression`.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.reading)
            guard let message = try await database.status(id: id) else {
                if json { print("null") } else { print("nothing found: no message with the id \(id)") }
                throw ExitCode.failure
            }
            let attempts = try await database.attempts(of: id)
            let reports = try await database.reports(of: id)
            let address = AddressKey(message.recipient)
            let suppression = try await database.suppressions(at: .now, address: address).first
            if json {
                let history = MessageAnswer.History(history: attempts, reports: reports, suppression: suppression)
                print(try JSONText.line(MessageAnswer(message, history: history)))
            } else {
                let text = StatusText(now: .now)
                print(text.timeline(of: message, attempts: attempts, reports: reports, suppression: suppression))
            }
        }
    }
}
