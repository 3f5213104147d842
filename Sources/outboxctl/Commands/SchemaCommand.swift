// The command `schema`: prints the outbox's SQL. Never opens a database.

import ArgumentParser
import OutboxStore

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema",
        abstract: "Print the SQL that makes the outbox.",
        discussion: """
            For an application's own migrations and test databases, which then need no outboxd. Run the whole text once, \
            in one transaction:

              outboxctl schema | sqlite3 test.db

            The text contains the rows that the outbox needs. A file made in this way equals one of `outboxctl migrate`, \
            except that it isn't set to write-ahead logging; outboxd does that at start.
            """
    )

    func run() { print(Schema.script) }
}
