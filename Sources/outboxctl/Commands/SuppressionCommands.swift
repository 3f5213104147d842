// outboxctl suppression list, add and remove.

import ArgumentParser
import InternetMessage
import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport

struct SuppressionCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suppression",
        abstract: "The addresses that are not mailed for a while, because they take no mail.",
        discussion: """
            An address comes on the list when a relay says that it doesn't exist, or when a report of a mail to it comes \
            back (outboxctl bounce). A message to it ends as `suppressed`, unsent. ASCII letters compare in either case, \
            international domains in either spelling.
            """,
        subcommands: [ListCommand.self, Add.self, Remove.self]
    )

    struct ListCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Who is on the list, since when, until when and why.",
            discussion: "Exits with 1 where nobody is."
        )

        @Argument(help: "Only this address.")
        var address: String?

        @Flag(help: "Print one JSON object a line.")
        var json = false

        @OptionGroup var options: ConfigurationOptions

        func validate() throws { if let address { try requireAddress(address) } }

        func run() async throws {
            try await reportingFailures {
                let database = try options.database(.reading)
                let entries = try await database.suppressions(at: .now, address: address.map { AddressKey($0) })
                if json {
                    for entry in entries { print(try JSONText.line(entry)) }
                } else if entries.isEmpty {
                    print("nothing found: \(address.map { "\($0) is not on the list" } ?? "the list is empty")")
                } else {
                    print(table(entries))
                }
                if entries.isEmpty { throw ExitCode.failure }
            }
        }

        private func table(_ entries: [Suppression]) -> String {
            TextTable.text(
                header: ["ADDRESS", "SINCE (UTC)", "UNTIL (UTC)", "SOURCE", "MESSAGE", "REASON"],
                rows: entries.map { entry in
                    [
                        entry.address, entry.createdAt.dayAndTime, entry.expiresAt.dayAndTime, entry.source.rawValue,
                        entry.messageID.map(String.init) ?? "-", entry.reason.rawValue,
                    ]
                }
            )
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Put an address on the list.")

        @Argument(help: "The address.")
        var address: String

        @Option(
            name: .customLong("for"),
            help: ArgumentHelp("For how long; without it, what `suppression.duration` says.", valueName: "span"),
            transform: { try Duration(argument: $0) }
        )
        var span: Duration?

        @Option(help: "Why, for whoever reads the list.")
        var reason = "put there by an operator"

        @OptionGroup var options: ConfigurationOptions

        func validate() throws { try requireAddress(address) }

        func run() async throws {
            try await reportingFailures {
                let now = Timestamp.now
                let span = try span ?? options.settings().rules.suppression
                let entry = Suppression(
                    address: AddressKey(address).canonical,
                    reason: StoredCode(rawValue: reason),
                    source: .manual,
                    messageID: nil,
                    createdAt: now,
                    expiresAt: now + span
                )
                try await options.database(.writing).suppress(entry)
                print("\(entry.address) is not mailed until \(entry.expiresAt.dayAndTime) UTC")
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take an address off the list, so that the next message to it is sent.",
            discussion: """
                Messages that ended because of the address stay as they are, but their advice is no longer to correct it: it \
                is to request a new mail. Exits with 1 where there is nothing to take back.
                """
        )

        @Argument(help: "The address.")
        var address: String

        @OptionGroup var options: ConfigurationOptions

        func validate() throws { try requireAddress(address) }

        func run() async throws {
            try await reportingFailures {
                let key = AddressKey(address)
                guard try await options.database(.writing).liftSuppression(of: key) else {
                    print("nothing found: \(key.canonical) is not on the list")
                    throw ExitCode.failure
                }
                print("\(key.canonical) is mailed again")
            }
        }
    }
}
