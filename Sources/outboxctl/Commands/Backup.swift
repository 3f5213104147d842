// outboxctl backup.

import ArgumentParser
import OutboxStore
import ProgramSupport

struct Backup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Copy the database into a new file that nobody else can read.",
        discussion: """
            outboxd and the applications go on meanwhile. The copy holds the whole file, an application's own tables \
            included, and the tokens of messages that wait: keep it as you keep passwords. Whoever starts outboxd on it \
            sends its open messages again; docs/operating.md says how to restore it.
            """
    )

    @Argument(help: "The file to make; it must not exist.", completion: .file())
    var file: String

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        try await reportingFailures {
            let database = try options.database(.reading)
            let contents: BackupContents
            do { contents = try await database.backUp(to: file) } catch let error as BackupError {
                throw ProgramFailure.cannotCreate(error.description)
            }
            print("\(file): a copy of \(database.path), for nobody but you")
            print("open messages: \(contents.openMessages), tokens: \(contents.tokens)")
            if contents.openMessages > 0 {
                print(
                    "outboxd sends open messages again where it starts on this copy: see \"Restore\" in docs/operating.md"
                )
            }
        }
    }
}
