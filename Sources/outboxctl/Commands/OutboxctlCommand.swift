// The program outboxctl: its subcommands. Only send-test talks to a relay.

import ArgumentParser
import ProgramSupport
import ServiceProcess

@main
struct OutboxctlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outboxctl",
        abstract: "Show what happened to a mail, and what the person who waits for it should do.",
        discussion: """
            Reads the database that outboxd's configuration file names; outboxd itself needn't run.

              outboxctl status ann@example.com     what to tell Ann
              outboxctl show 17                    every attempt of message 17, with the relay's reply
              outboxctl list --state deferred      messages that wait for another attempt
              outboxctl cancel 17                  cancel message 17
              outboxctl accept-restored            what to do with the messages of a restored database
              outboxctl relays                     the health of the relays
              outboxctl promise --since 24h        how many mails were accepted in time
              outboxctl send-test me@example.com   a sample mail through the relay, with the conversation

            Exit codes: 0 found or done, 1 nothing found, 64 the command line is wrong, 65 the database refused the \
            data, 69 the database can't be used, 73 a file can't be created, 78 the configuration is wrong. send-test: \
            69 the relay rejects the mail, 75 it doesn't take it now.
            """,
        version: programVersion,
        subcommands: [
            Status.self, Show.self, List.self, PromiseCommand.self, Relays.self, SuppressionCommands.self, Bounce.self,
            Enqueue.self, Cancel.self, AcceptRestored.self, Preview.self, LintTemplates.self, SendTest.self,
            Migrate.self, SchemaCommand.self, Backup.self, NewKey.self, CheckKeyCommand.self,
        ]
    )

    static func main() async {
        ProcessManners.settle()
        await main(nil)
    }
}
