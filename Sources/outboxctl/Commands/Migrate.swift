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
