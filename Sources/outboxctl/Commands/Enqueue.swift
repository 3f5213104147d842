// The command `enqueue`. Never sends anything.

import ArgumentParser
import Foundation
import MailComposer
import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport
import ServiceProcess

struct Enqueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put one mail into the outbox, and print its id.",
        discussion: """
            Reads the token from standard input or a file, because every user of the machine could see an argument. \
            With --mint there is none: outboxd makes the token when it sends the mail (see docs/tokens.md).

              printf %s "$TOKEN" | outboxctl enqueue verify-email ann@example.com --locale ja --expires-in 30m
              outboxctl enqueue reset-password ann@example.com --mint --valid-for 30m
            """
    )

    @Argument(help: "The kind of mail: the name of a template folder, such as verify-email.")
    var kind: String

    @Argument(help: "The address to mail.")
    var address: String

    @Option(
        help: ArgumentHelp("Read the token from this file instead of standard input.", valueName: "file"),
        completion: .file()
    )
    var tokenFile: String?

    @Flag(help: "Give no token: outboxd mints one when it sends the mail.")
    var mint = false

    @Option(help: ArgumentHelp("The mail's language, such as ja or en-GB.", valueName: "tag"))
    var locale: String?

    @Option(help: ArgumentHelp("The person's time zone, such as Europe/Berlin.", valueName: "zone"))
    var timeZone: String?

    @Option(help: ArgumentHelp("The application's own key for the person.", valueName: "key"))
    var account: String?

    @Option(
        name: .customLong("var"),
        help: ArgumentHelp("A further value for the templates; may be given more than once.", valueName: "name=value"),
        transform: { text in
            guard let separator = text.firstIndex(of: "="), separator != text.startIndex else {
                throw ValidationError("'\(text)' is not of the form name=value")
            }
            return (String(text[..<separator]), String(text[text.index(after: separator)...]))
        }
    )
    var variables: [(String, String)] = []

    @Option(
        help: ArgumentHelp("How long the token works from now on, such as 30m or 24h.", valueName: "span"),
        transform: { try Duration(argument: $0) }
    )
    var expiresIn: Duration?

    @Option(
        help: ArgumentHelp("How long the token works from the sending on, 1m to 366d.", valueName: "span"),
        transform: { try Duration(argument: $0) }
    )
    var validFor: Duration?

    @Option(help: ArgumentHelp("Makes it repeatable: a used key only prints the id.", valueName: "key"))
    var idempotencyKey: String?

    @OptionGroup var options: ConfigurationOptions

    func validate() throws {
        try requireAddress(address)
        if mint, tokenFile != nil { throw ValidationError("--mint and --token-file exclude each other") }
        if expiresIn != nil, validFor != nil {
            throw ValidationError("--expires-in and --valid-for exclude each other")
        }
    }

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.writing)
            let message = NewMessage(
                kind: kind,
                recipient: address,
                token: mint ? nil : Token(try readToken()),
                locale: locale,
                timeZone: timeZone,
                account: account,
                variables: try JSONText.line(Dictionary(variables) { $1 }),
                idempotencyKey: idempotencyKey,
                expiresAt: expiresIn.map { Timestamp.now + $0 },
                validFor: validFor
            )
            print(try await database.enqueue(message))
            if let warning = try warning(settings: try options.settings()) {
                StandardError.write("outboxctl: warning: \(warning)\n")
            }
        }
    }

    /// The reason why outboxd can't mail this kind, as far as this user can see the templates. The message is in the
    /// outbox nevertheless, and waits until the problem is fixed.
    private func warning(settings: Settings) throws -> String? {
        if mint, settings.tokens == nil {
            return
                "no key is configured, so outboxd can't mint the token: make one with outboxctl new-key, set tokens.key, "
                + "and reload outboxd; the mail waits until then, as long as give_up_after says"
        }
        let templates: Set<String>
        do { templates = try MailComposer(settings: settings).kinds } catch let failure as ProgramFailure {
            return settings.links[kind] == nil
                ? "the configuration has no line for \(kind) under links; add it, and its templates, then reload outboxd "
                    + "(\(failure))"
                : nil
        }
        guard !templates.contains(kind) else { return nil }
        return "there are no templates for \(kind), so outboxd can't compose this mail; add the folder \(kind) to the "
            + "templates and a line under links, then reload outboxd. There are: \(templates.sorted().joined(separator: ", "))"
    }

    /// One line end after the token is removed, because editors and `echo` add it.
    private func readToken() throws -> String {
        let data: Data?
        if let tokenFile {
            guard let contents = FileManager.default.contents(atPath: tokenFile) else {
                throw ValidationError("the token file \(tokenFile) can't be read")
            }
            data = contents
        } else {
            data = try FileHandle.standardInput.readToEnd()
        }
        guard let data, !data.isEmpty else {
            throw ValidationError(
                "there is no token: write it to standard input, name a file with --token-file, or let outboxd make one with --mint"
            )
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw ValidationError("the token is not UTF-8 text")
        }
        return text.last?.isNewline == true ? String(text.dropLast()) : text
    }
}
