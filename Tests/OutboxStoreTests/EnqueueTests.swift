// Inserts through the store, as outboxctl does.

import OutboxCore
import OutboxStore
import Testing

@Suite struct EnqueueTests {
    private let outbox: TemporaryOutbox

    init() throws { outbox = try TemporaryOutbox() }

    private func message(_ recipient: String = "ann@example.com", key: String? = nil) -> NewMessage {
        NewMessage(kind: "verify-email", recipient: recipient, token: Token("CANARY-1"), idempotencyKey: key)
    }

    @Test("a repeated insert with the same key inserts nothing and returns the first id")
    func idempotency() async throws {
        let first = try await outbox.database.enqueue(message(key: "signup-1"))
        #expect(try await outbox.database.enqueue(message(key: "signup-1")) == first)
        #expect(try await outbox.database.enqueue(message(key: "signup-2")) != first)
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox") == 2)
    }

    @Test("a key that belongs to another mail is an error")
    func reusedKey() async throws {
        let first = try await outbox.database.enqueue(message(key: "signup-1"))
        let error = await #expect(throws: OutboxDatabaseError.self) {
            try await outbox.database.enqueue(message("bob@example.com", key: "signup-1"))
        }
        #expect(error?.description.contains("belongs to message \(first)") == true)
    }

    @Test("a refusal names the constraint in words, and never the values")
    func refusal() async throws {
        let error = await #expect(throws: OutboxDatabaseError.self) {
            try await outbox.database.enqueue(message("nobody"))
        }
        let text = try #require(error?.description)
        #expect(
            text == "the database refused the message; this must hold: recipient is one bare address with one at sign"
        )
        #expect(!text.contains("CANARY"))
    }
}
