// outboxctl status.

import ArgumentParser
import OutboxCore
import OutboxStore
import ProgramSupport

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What became of the mails to a person, and what the person should do.",
        discussion: "The newest mail comes first. Exits with 1 where there is none."
    )

    @Argument(help: ArgumentHelp("A mail address, or the id of one message.", valueName: "address|id"))
    var subject: String

    @Option(
        help: ArgumentHelp("The language of the advice: en or ja. JSON has both.", valueName: "tag"),
        transform: { text in
            guard let language = Advice.Language(rawValue: text) else {
                let known = Advice.Language.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(text)' is no language of the advice; there are \(known)")
            }
            return language
        }
    )
    var language = Advice.Language.english

    @Flag(help: "Print one JSON object: {\"recipient\": …, \"messages\": […]}.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func validate() throws {
        guard subject.contains("@") || Int64(subject) != nil else {
            throw ValidationError("'\(subject)' is neither a mail address nor a message's id")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.reading)
            let messages: [StatusRecord]
            if let id = Int64(subject) {
                messages = try await database.status(id: id).map { [$0] } ?? []
            } else {
                messages = try await database.status(recipient: subject)
            }
            let recipient = messages.first?.recipient ?? (subject.contains("@") ? subject : nil)
            if json {
                print(try JSONText.line(StatusAnswer(recipient: recipient, messages: messages)))
            } else if messages.isEmpty {
                print("nothing found: no message \(subject.contains("@") ? "to" : "with the id") \(subject)")
            } else {
                print(
                    StatusText(now: .now, language: language).answer(
                        recipient: recipient ?? subject,
                        messages: messages
                    )
                )
            }
            if messages.isEmpty { throw ExitCode.failure }
        }
    }
}
