// The command `send-test`: one sample mail through a relay. Never opens the database, never suppresses an address.

import ArgumentParser
import Foundation
import InternetMessage
import MailComposer
import OutboxCore
import OutboxSettings
import ProgramSupport
import SMTPTransport

struct SendTest: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a mail with sample values through a relay, and show the conversation.",
        discussion: """
              outboxctl send-test me@example.com
              outboxctl send-test me@example.com --kind reset-password --locale ja
              outboxctl send-test me@example.com --relay backup

            Uses outboxd's configuration, templates, TLS and login, over a connection of its own; outboxd needn't run. \
            Opens no database: nothing is recorded or tried again, and no address is suppressed. The link in the mail \
            has a sample token, which redeems nothing.

            "C:" is our side, "S:" the relay's, "*" tells about the connection. Passwords, access tokens and the mail's \
            token are masked, also where the relay repeats them unchanged, in base64 or percent-encoded. In another form, \
            such as hexadecimal digits, backwards, or in pieces between other characters, they are not recognised: read \
            the output before you pass it on.

            Run it as the user of the service, so that it can read the same files. systemd gives credentials to the \
            service alone; while that runs, root can use them:

              sudo env CREDENTIALS_DIRECTORY=/run/credentials/outboxd.service \\
                outboxctl send-test me@example.com

            If the provider of access tokens replaces the refresh token at each use, this command uses up the stored one: \
            see outboxd's log there instead.

            Time limits are those of the configuration; Ctrl-C ends the command at once. If the line "C: ." was shown by \
            then, the mail may arrive.

            Exit codes: 0 the relay accepted the mail, 64 the command line is wrong, 69 the relay rejected the mail, 75 it \
            did not take it now or could not be reached, or it received the whole mail and gave no answer that counts \
            ("uncertain"), 78 the configuration is wrong, or the relay refuses it. A script that runs the command again \
            after 75 may send a second mail.
            """
    )

    @Argument(help: "The address to mail.")
    var address: String

    @Option(help: ArgumentHelp("The kind of mail. Default: verify-email, else the first by name.", valueName: "kind"))
    var kind: String?

    @Option(help: ArgumentHelp("The mail's language, such as ja; falls back as for a mail.", valueName: "tag"))
    var locale = "en"

    @Option(help: ArgumentHelp("The relay's name, as `relays` shows it. Default: the first one.", valueName: "name"))
    var relay: String?

    @OptionGroup var options: ConfigurationOptions

    func validate() throws { try requireAddress(address) }

    func run() async throws {
        try await reportingFailures {
            let settings = try options.settings()
            let composer = try MailComposer(settings: settings)
            let (index, relaySettings) = try chosenRelay(of: settings)
            let kind = try chosenKind(of: composer)
            let smtp = try SMTPRelay(relaySettings, environment: ProcessInfo.processInfo.environment)
            var generator = SystemRandomNumberGenerator()
            let now = Timestamp.now
            let id = EnvelopeID.make(at: now.milliseconds, using: &generator)
            let sample: (mail: Mail, language: String, secrets: [String])
            do throws(CompositionError) {
                sample = try composer.sample(kind: kind, locale: locale, recipient: address, envelopeID: id, now: now)
            } catch {
                throw ProgramFailure.configuration("\(kind): \(error)")
            }
            let sender = settings.sender.envelopeSender(for: id.text)
            SendTestText.introduction(
                relaySettings,
                login: smtp.mask,
                mail: "\(kind) (\(sample.language)) from \(sender) to \(sample.mail.recipient)",
                messageID: sample.mail.messageID
            ).forEach(Self.write)

            let mask = SecretMask(sample.secrets)
            let lane = SMTPLane(
                relay: smtp,
                number: 1,
                transcript: TranscriptOptions(hiding: mask, show: Self.write)
            )
            let result = await lane.send(
                OutgoingMail(
                    envelopeSender: sender,
                    recipient: sample.mail.recipient,
                    content: sample.mail.bytes,
                    envelopeID: settings.sender.receivesReports ? id.text : nil
                )
            )
            await lane.closeConnection()

            let text = SendTestText(
                setting: relaySettings.place(at: index),
                usesTokens: smtp.credentials?.tokens != nil
            )
            let (lines, status) = text.verdict(on: result.masked(by: mask))
            lines.forEach(Self.write)
            if status != 0 { throw ExitCode(status) }
        }
    }

    private func chosenRelay(of settings: Settings) throws -> (index: Int, relay: RelaySettings) {
        guard let relay else {
            guard let first = settings.relays.first else { preconditionFailure("a configuration has a relay") }
            return (0, first)
        }
        guard let index = settings.relays.firstIndex(where: { $0.configuration.name == relay }) else {
            let names = settings.relays.map(\.configuration.name).joined(separator: ", ")
            throw ProgramFailure.usage("there is no relay '\(relay.printable)'; the relays are \(names)")
        }
        return (index, settings.relays[index])
    }

    private func chosenKind(of composer: MailComposer) throws -> String {
        let kinds = composer.kinds.sorted()
        guard let kind else {
            if kinds.contains("verify-email") { return "verify-email" }
            guard let first = kinds.first else {
                throw ProgramFailure.configuration("there are no templates for any kind of mail")
            }
            return first
        }
        guard kinds.contains(kind) else {
            throw ProgramFailure.usage(
                "there are no templates for '\(kind.printable)'; the kinds are \(kinds.joined(separator: ", "))"
            )
        }
        return kind
    }

    /// Written at once, because an operator watches, also through a pipe. The verdict has words of the relay, which must
    /// not change how the terminal shows them.
    @Sendable private static func write(_ line: String) {
        // The reader may have gone; the exit code still tells the result.
        try? FileHandle.standardOutput.write(contentsOf: Data("\(line.onOneVisibleLine)\n".utf8))
    }
}
