// A token does not outlive its purpose: every byte of the database's files is searched.

import Foundation
import OutboxCore
import OutboxStore
import Testing

@Suite struct SecrecyTests {
    private let canary = "CANARY-b41d2c77"

    private func filesWithCanary(_ outbox: TemporaryOutbox) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: outbox.folder.path).filter { name in
            let contents = FileManager.default.contents(atPath: outbox.folder.appending(path: name).path) ?? Data()
            return contents.range(of: Data(canary.utf8)) != nil
        }.sorted()
    }

    @Test("after the final state and a truncated log, no file holds the token any more")
    func wiped() async throws {
        let outbox = try TemporaryOutbox()
        let store = outbox.database
        for _ in 1...50 {
            _ = try await store.enqueue(
                NewMessage(kind: "verify-email", recipient: "ann@example.com", token: Token(canary))
            )
        }
        #expect(try filesWithCanary(outbox).contains("outbox.db-wal"))
        let now = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000) + 1000)
        let claims = try await store.claim(now: now).claims
        #expect(claims.count == 50)
        _ = try await store.finish(claims.map { .accepted($0, at: now) }, now: now)
        try await store.truncateLog()
        #expect(try filesWithCanary(outbox) == [])
    }
}
