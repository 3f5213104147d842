// The commands `suppression list`, `add` and `remove`. Never change a message, except that `remove` withdraws the blame.

import ArgumentParser
import InternetMessage
import OutboxCore
import OutboxSettings
import OutboxStore
import ProgramSupport

struct SuppressionCommands: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suppression",
        abstract: "Manage the addresses that are not mailed for a while, because they reject mail.",
        discussion: """
            An address is added when a relay or a delivery report (outboxctl bounce) says that it doesn't exist. A \
            message to a listed address ends unsent as `suppressed`. ASCII letters are compared without case, \
            international domains in either spelling.
            """,
        subcommands: [ListCommand.self, Add.self, Remove.self]
    )

    struct ListCommand: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Show the addresses on the list: since when, until when and why.",
            discussion: "Exits with 1 if the list is empty."
        )

        @Argument(help: "Only this address.")
        var address: String?

        @Flag(help: "Print one JSON object per line.")
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
            help: ArgumentHelp("For how long; default: `suppression.duration`.", valueName: "span"),
            transform: { try Duration(argument: $0) }
        )
        var span: Duration?

        @Option(help: "The reason, for people who read the list.")
        var reason = "added by an operator"

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
                Messages that ended because of the address stay as they are, but they now advise to request a new mail \
                instead of correcting the address. Exits with 1 if the address is not on the list.
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
