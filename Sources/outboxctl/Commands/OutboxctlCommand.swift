// The program outboxctl: its subcommands. Never talks to a relay.

import ArgumentParser
import ProgramSupport
import ServiceProcess

@main
struct OutboxctlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outboxctl",
        abstract: "Tells what became of a mail and what the person who waits for it should do.",
        discussion: """
            Reads the database that outboxd's configuration file names; outboxd itself needn't run.

              outboxctl status ann@example.com     what to tell Ann
              outboxctl show 17                    every attempt of message 17, in the relay's words
              outboxctl list --state deferred      what waits for another attempt
              outboxctl cancel 17                  withdraw message 17
              outboxctl relays                     whether the relays work, and what is wrong
              outboxctl promise --since 24h        how many mails were accepted in time

            Exit codes: 0 found or done, 1 nothing found, 64 for a wrong command line, 65 where the database refused \
            what was to be stored, 69 where the database can't be used, 73 where a file can't be made, 78 for a wrong \
            configuration.
            """,
        version: programVersion,
        subcommands: [
            Status.self, Show.self, List.self, PromiseCommand.self, Relays.self, SuppressionCommands.self, Bounce.self,
            Enqueue.self, Cancel.self, Preview.self, Migrate.self, Backup.self,
        ]
    )

    static func main() async {
        ProcessManners.settle()
        await main(nil)
    }
}
