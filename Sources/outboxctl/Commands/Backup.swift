// The command `backup`: copies the database. Never changes the original.

import ArgumentParser
import OutboxStore
import ProgramSupport

struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy the database into a new file that nobody else can read.",
        discussion: """
            outboxd and the applications go on meanwhile. The copy contains the whole file, including an application's \
            own tables and the tokens of open messages: protect it like passwords. If outboxd is started on the copy in \
            place of the original, it notices that, and asks whether to send the open messages (again); \
            docs/operating.md says how to restore a copy.
            """
    )

    @Argument(help: "The file to create; it must not exist.", completion: .file())
    var file: String

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.reading)
            let contents: BackupContents
            do { contents = try await database.backUp(to: file) } catch let error as BackupError {
                throw ProgramFailure.cannotCreate(error.description)
            }
            print("\(file): a copy of \(database.path), readable only by you")
            print("open messages: \(contents.openMessages), tokens: \(contents.tokens)")
            if contents.openMessages > 0 {
                print(
                    "if this copy is restored, they may be sent again: see \"Restore\" in docs/operating.md"
                )
            }
        }
    }
}
