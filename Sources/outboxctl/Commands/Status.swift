// The command `status`. Never shows a token.

import ArgumentParser
import OutboxCore
import OutboxStore
import ProgramSupport

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what happened to a person's mails, and what the person should do.",
        discussion: "The newest mail comes first. Exits with 1 if there is none."
    )

    @OptionGroup var argument: SubjectArgument

    @Option(
        help: ArgumentHelp("The language of the advice: en or ja. JSON has both.", valueName: "tag"),
        transform: { text in
            guard let language = Advice.Language(rawValue: text) else {
                let known = Advice.Language.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(text)' is not a language of the advice; the languages are \(known)")
            }
            return language
        }
    )
    var language = Advice.Language.english

    @Flag(help: "Print one JSON object: {\"recipient\": …, \"messages\": […]}.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.reading)
            let messages: [StatusRecord]
            if let id = argument.id {
                messages = try await database.status(id: id).map { [$0] } ?? []
            } else {
                messages = try await database.status(recipient: argument.subject)
            }
            let recipient = messages.first?.recipient ?? (argument.subject.contains("@") ? argument.subject : nil)
            if json {
                print(try JSONText.line(StatusAnswer(recipient: recipient, messages: messages)))
            } else if messages.isEmpty {
                print(
                    "nothing found: no message \(argument.subject.contains("@") ? "to" : "with the id") \(argument.subject)"
                )
            } else {
                print(
                    StatusText(now: .now, language: language).answer(
                        recipient: recipient ?? argument.subject,
                        messages: messages
                    )
                )
            }
            if messages.isEmpty { throw ExitCode.failure }
        }
    }
}
