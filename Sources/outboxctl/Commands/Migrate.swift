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

            An application's own tools may have dropped objects of the outbox. With --repair they are made anew. No row \
            of outbox is removed; what the tools have lost is said, with the ids of the messages.
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
            for loss in losses(of: migration) { print(loss) }
            if !migration.added.isEmpty || !migration.replaced.isEmpty { print("restart outboxd if it runs") }
            if !migration.versions.isEmpty {
                let versions = migration.versions.map(String.init).joined(separator: ", ")
                print("\(database.path): applied schema version \(versions)")
            } else if migration.added.isEmpty, migration.replaced.isEmpty {
                print("\(database.path): the outbox is up to date")
            }
        }
    }

    /// What a repair can't bring back, for the operator.
    private func losses(of migration: Migration) -> [String] {
        var losses: [String] = []
        func report(_ messages: Migration.MessageList, _ loss: String) {
            guard messages.count > 0 else { return }
            let ids = messages.first.map(String.init).joined(separator: ", ")
            let rest = messages.count > messages.first.count ? " and others" : ""
            losses.append("\(loss): \(messages.count) (id \(ids)\(rest))")
        }
        report(
            migration.withoutState,
            "messages without a state, which are never sent; delete their rows, and insert new ones for the people who "
                + "still wait"
        )
        report(migration.withoutRow, "messages without a row in outbox, which outboxd removes without sending them")
        report(migration.cancelled, "messages that were cancelled while the trigger for it was missing, now cancelled")
        let consequences = [
            "table outbox_token": "links and codes that were mailed do not work any more",
            "table outbox_secret": "open messages with a token of the application's are rejected, because it is lost",
            "table outbox_suppression": "addresses that were suppressed are mailed again",
            "table outbox_attempt": "the relays' replies are lost",
            "table outbox_report": "other mail systems' reports are lost",
            "table outbox_day": "`outboxctl promise` does not count the messages that retention removed",
            "table outbox_used_key": "a request that is repeated with the key of a removed row is mailed again",
            "table outbox_retired_id": "an object that an ORM saves again after its row was removed is mailed again",
            "table outbox_run": "a running outboxd ends, and its next start goes on",
        ]
        return losses + migration.added.compactMap { consequences[$0] }
    }
}
