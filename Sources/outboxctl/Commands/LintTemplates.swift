// The command `lint-templates`. Never sends anything, and never opens the database.

import ArgumentParser
import MailComposer
import MailLint
import ProgramSupport

struct LintTemplates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the mails for what mail programs drop and readers miss.",
        discussion: """
              outboxctl lint-templates --config outboxd.yaml

            Composes every kind in every locale with sample values, and warns of
            features that Outlook, Gmail, Yahoo or AOL ignore, of pictures without
            alt, of text with too little contrast in light or dark colours, of a
            missing language, of links that only one of the two parts has, and of
            mails above 90,000 octets. A line is that of the page which
            outboxctl preview KIND --locale TAG --part html prints. Facts about
            programs come from caniemail.com; each is shown with its page and the
            date of its test. Rules by #id, * or > and colours such as hsl(...)
            are not read.

            The exit code is 1 if there is a warning, and 78 if the templates can't
            be used at all.
            """
    )

    @Flag(help: "Also show the decorations that some programs leave out without harm, such as round corners.")
    var notes = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let composer = try MailComposer(settings: try options.settings())
            let findings = try composer.lint().filter { notes || $0.severity == .warning }
            for finding in findings {
                print("\(finding.severity.rawValue): \(finding.message)")
                print("    in \(finding.shownPlaces)")
                if let source = finding.source { print("    \(source)") }
            }
            let count = composer.kinds.reduce(0) { $0 + composer.locales(ofKind: $1).count }
            let warnings = findings.count { $0.severity == .warning }
            print(
                "\(count) mail\(count == 1 ? "" : "s") checked, \(warnings == 0 ? "no" : "\(warnings)") warning\(warnings == 1 ? "" : "s")"
            )
            if warnings > 0 { throw ExitCode(1) }
        }
    }
}
