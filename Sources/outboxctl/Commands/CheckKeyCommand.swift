// The command `check-key`: writes the check key of an existing token key. Never prints a key, never replaces a file.

import ArgumentParser
import Foundation
import OutboxSettings
import OutboxTokens
import ProgramSupport

struct CheckKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-key",
        abstract: "Write the application's key for a token key that exists.",
        discussion: """
            The application needs the check key to redeem codes that people type; it makes no tokens. It is derived from \
            outboxd's key, so it can be written again at any time.

              outboxctl check-key /etc/outboxd/token-key /srv/app/check-key
            """
    )

    @Argument(help: "outboxd's key, as `outboxctl new-key` wrote it.", completion: .file())
    var key: String

    @Argument(help: "The file to create for the application; it must not exist.", completion: .file())
    var file: String

    func run() async throws {
        try await reportingFailures {
            let token: TokenKey
            do {
                let text = try PasswordSource.file(key).read(
                    environment: ProcessInfo.processInfo.environment,
                    as: .tokenKey
                ).revealed
                token = try TokenKey(base64: text)
            } catch {
                throw ProgramFailure.configuration("\(key): \(error)")
            }
            let file = URL(filePath: file).standardizedFileURL.path
            try KeyFile.create(file, holding: token.checkKey.base64)
            print("\(file): the check key \(token.id), for the application")
        }
    }
}
