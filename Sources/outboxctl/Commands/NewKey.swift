// The command `new-key`: makes a key for minted tokens. Never prints a key, never replaces a file.

import ArgumentParser
import Foundation
import OutboxTokens
import ProgramSupport

struct NewKey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a key for the tokens that outboxd mints.",
        discussion: """
            Writes files that only you can read. The key belongs to outboxd alone: whoever has it can make the token of \
            every mail. The check key belongs to the application, which needs it only for codes.

              outboxctl new-key /etc/outboxd/token-key --check-key /etc/outboxd/check-key

            `outboxctl check-key` writes the check key of an existing key.

            Keep a copy of the key where the database's backups are not. If it is lost, mailed links still work, and open \
            messages without a token of their own wait for it.
            """
    )

    @Argument(help: "The file to create for outboxd's key; it must not exist.", completion: .file())
    var file: String

    @Option(
        help: ArgumentHelp("The file to create for the application's key; it must not exist.", valueName: "file"),
        completion: .file()
    )
    var checkKey: String?

    func run() async throws {
        try await reportingFailures {
            let file = URL(filePath: file).standardizedFileURL.path
            let checkKey = checkKey.map { URL(filePath: $0).standardizedFileURL.path }
            let master = TokenKey.makeBase64()
            let key = try TokenKey(base64: master)
            try KeyFile.create(file, holding: master)
            if let checkKey {
                do { try KeyFile.create(checkKey, holding: key.checkKey.base64) } catch {
                    // A key without its check key is of no use for codes, and the next try must find no file. If it
                    // can't be removed, the next try says so.
                    unlink(file)
                    throw error
                }
            }
            print("\(file): the key \(key.id) for outboxd")
            if let checkKey { print("\(checkKey): its check key, for the application") }
            print(
                """

                next:
                  1. for systemd, add to the unit (systemctl edit outboxd):  LoadCredential=token-key:\(file)
                  2. add to outboxd.yaml:  tokens: {key: {credential: token-key}}
                     or, without systemd:  tokens: {key: {file: \(file)}}
                  3. restart outboxd
                """
            )
        }
    }
}
