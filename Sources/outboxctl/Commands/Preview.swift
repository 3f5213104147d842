// The command `preview`. Never sends anything, and never opens the database.

import ArgumentParser
import MailComposer
import ProgramSupport

struct Preview: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Render a mail with sample values.",
        discussion: """
              outboxctl preview reset-password --locale ja --part html > page.html

            Needs no database. Checks all templates.
            """
    )

    @Argument(help: "The kind of mail: the name of a template folder, such as verify-email.")
    var kind: String

    @Option(help: ArgumentHelp("The language, such as ja; falls back as for a mail.", valueName: "tag"))
    var locale: String?

    @Option(
        help: ArgumentHelp(
            "What to print: \(PreviewPart.allCases.map(\.rawValue).joined(separator: ", ")).",
            valueName: "part"
        ),
        transform: { text in
            guard let part = PreviewPart(rawValue: text) else {
                throw ValidationError(
                    "'\(text)' is not a part; the parts are \(PreviewPart.allCases.map(\.rawValue).joined(separator: ", "))"
                )
            }
            return part
        }
    )
    var part = PreviewPart.text

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let composer = try MailComposer(settings: try options.settings())
            guard composer.kinds.contains(kind) else {
                let kinds = composer.kinds.sorted().joined(separator: ", ")
                throw ValidationError("there are no templates for '\(kind)'; the kinds are \(kinds)")
            }
            print(try composer.preview(kind: kind, locale: locale, part: part))
        }
    }
}
