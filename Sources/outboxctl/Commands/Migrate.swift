// outboxctl migrate.

import ArgumentParser
import OutboxStore
import ProgramSupport

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create the outbox's tables in the database, or upgrade them.",
        discussion: """
            The database may be an application's own: only objects whose names begin with `outbox` are touched. A file \
            that doesn't exist is created, which outboxd does only where the configuration says `create: true`. The \
            database is set to write-ahead logging. outboxd creates and upgrades tables at start, too.
            """
    )

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.migrating)
            if database.appliedVersions.isEmpty {
                print("\(database.path): the outbox is up to date")
            } else {
                let versions = database.appliedVersions.map(String.init).joined(separator: ", ")
                print("\(database.path): applied schema version \(versions)")
            }
        }
    }
}
