// The command `migrate`. Never deletes a row.

import ArgumentParser
import OutboxStore
import ProgramSupport

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create the outbox's tables in the database, or upgrade them.",
        discussion: """
            The database may belong to an application: only objects whose names begin with `outbox` are changed. A \
            missing file is created; outboxd itself does that only if the configuration says `create: true`. The \
            database is set to write-ahead logging. outboxd also creates and upgrades tables at start.

            An application's own tools may have dropped objects of the outbox. With --repair they are made anew; rows \
            are neither changed nor removed.
            """
    )

    @Flag(help: "Make missing and changed tables, indexes, triggers and views of the outbox anew.")
    var repair = false

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(repair ? .repairing : .migrating)
            let migration = database.migration
            for object in migration.added { print("\(database.path): added the \(object)") }
            for object in migration.replaced { print("\(database.path): replaced the \(object)") }
            if migration.rowsWithoutState > 0 {
                print(
                    "\(database.path): \(migration.rowsWithoutState) of the messages lost their state and are never sent; "
                        + "delete their rows, and insert new ones for the people who still wait"
                )
            }
            if !migration.versions.isEmpty {
                let versions = migration.versions.map(String.init).joined(separator: ", ")
                print("\(database.path): applied schema version \(versions)")
            } else if migration.added.isEmpty, migration.replaced.isEmpty {
                print("\(database.path): the outbox is up to date")
            }
        }
    }
}
