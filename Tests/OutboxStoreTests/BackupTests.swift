// A backup: consistent, complete, and private.

import Foundation
import Glibc
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct BackupTests {
    @Test("a backup is one file of mode 0600 whatever the umask, holds open messages, and says how many")
    func backup() async throws {
        let outbox = try TemporaryOutbox()
        let first = try outbox.insert()
        try outbox.insert(recipient: "bob@example.com")
        let claim = try #require(try await outbox.database.claim(limit: 1).claims.first)
        _ = try await outbox.database.finish([.accepted(claim)], now: noon)
        #expect(claim.message.id == first)
        let copy = outbox.folder.appending(path: "copy.db").path
        let contents = try await OutboxDatabase(path: outbox.path, access: .reading).backUp(to: copy)
        #expect(contents == BackupContents(openMessages: 1, tokens: 1))
        #expect(FileStatus(copy)?.mode == 0o600)
        let files = try FileManager.default.contentsOfDirectory(atPath: outbox.folder.path)
        #expect(!files.contains { $0.hasPrefix("copy.db-") }, "\(files)")
        let restored = try OutboxDatabase(path: copy, access: .upgrading)
        #expect(try await restored.status(id: first)?.state == .accepted)
        #expect(try await restored.claim().claims.map(\.message.token) == [Token("s3cret")])
    }

    @Test("a backup overwrites nothing, not even through a link, and leaves no file after a failure")
    func refusals() async throws {
        let outbox = try TemporaryOutbox()
        let existing = outbox.folder.appending(path: "precious").path
        try "mine".write(toFile: existing, atomically: true, encoding: .utf8)
        let link = outbox.folder.appending(path: "link").path
        #expect(symlink("elsewhere", link) == 0)
        for path in [existing, link, outbox.path] {
            let error = await #expect(throws: BackupError.self) { try await outbox.database.backUp(to: path) }
            #expect(error?.description.contains("overwrites nothing") == true)
        }
        #expect(try String(contentsOfFile: existing, encoding: .utf8) == "mine")
        await #expect(throws: BackupError.self) {
            try await outbox.database.backUp(to: outbox.folder.appending(path: "no/copy.db").path)
        }
    }
}
