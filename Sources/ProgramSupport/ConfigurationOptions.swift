// The option --config of every program, and the settings and templates that it leads to. Never sends mail and never
// opens a database.

package import ArgumentParser
import Foundation
package import MailComposer
package import OutboxSettings

/// The location of the configuration.
package struct ConfigurationOptions: ParsableArguments {
    /// The path given on the command line.
    @Option(
        name: .long,
        help: ArgumentHelp(
            "The configuration file.",
            discussion: "Without it: the environment variable OUTBOXD_CONFIG, else \(SettingsFile.defaultPath).",
            valueName: "file"
        ),
        completion: .file(extensions: ["yaml", "yml"])
    )
    package var config: String?

    /// Used by the argument parser.
    package init() {}

    /// The path of the configuration file.
    package var path: String {
        SettingsFile.locate(option: config, environment: ProcessInfo.processInfo.environment)
    }

    /// Reads the configuration.
    ///
    /// - Throws: `ProgramFailure` with exit code 78 and every problem of the file.
    package func settings() throws -> Settings {
        do { return try SettingsFile.load(path) } catch { throw ProgramFailure.configuration("\(error)") }
    }
}

extension MailComposer {
    /// Loads and checks the templates that the configuration names, or the installed ones.
    ///
    /// - Throws: `ProgramFailure` with exit code 78 and every problem of the templates.
    package init(settings: Settings) throws {
        let folder = try settings.templates ?? InstalledTemplates.folder()
        let sender = Sender(name: settings.sender.name, address: settings.sender.address)
        do {
            try self.init(
                templates: folder,
                links: settings.links,
                sender: sender,
                codes: settings.tokens?.codes ?? [],
                options: settings.mail
            )
        } catch {
            throw ProgramFailure.configuration("\(error)")
        }
    }
}
