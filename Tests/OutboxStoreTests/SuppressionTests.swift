// The suppression list: how addresses get on it, its effect, and how they get off it.

import InternetMessage
import OutboxCore
import OutboxStore
import Testing

@Suite struct SuppressionTests {
    private let outbox: TemporaryOutbox
    private var store: OutboxDatabase { outbox.database }

    init() throws { outbox = try TemporaryOutbox() }

    private func refuse(_ recipient: String, _ code: Int, _ status: EnhancedStatusCode?) async throws -> Int64 {
        let id = try outbox.insert(recipient: recipient)
        let claim = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.rejected(claim, code, status)], now: noon, rules: DeliveryRules())
        return id
    }

    @Test("an unknown recipient is suppressed for thirty days, and gets no further mail")
    func refused() async throws {
        let id = try await refuse("Ann@Example.com", 550, EnhancedStatusCode(5, 1, 1))
        let entry = try #require(try await store.suppressions(at: noon).first)
        #expect(entry.address == "ann@example.com" && entry.reason.known == .unknownRecipient)
        #expect(entry.source == .refused && entry.messageID == id)
        #expect(entry.createdAt == noon && entry.expiresAt == noon + .seconds(30 * 86_400))

        let next = try outbox.insert(recipient: "Ann@EXAMPLE.com")
        let batch = try await store.claim(now: noon + .seconds(1))
        #expect(batch.claims.isEmpty && batch.suppressed == [next])
        #expect(try outbox.state(next) == "suppressed")
        #expect(try await store.status(id: next)?.advice == "fix-address")
        #expect(try await store.attempts(of: next).isEmpty)
        #expect(try outbox.secretCount() == 0)
    }

    @Test("case doesn't matter, nor does the spelling of an international domain")
    func comparison() async throws {
        _ = try await refuse("ann@bücher.example", 550, EnhancedStatusCode(5, 1, 1))
        #expect(try await store.suppressions(at: noon).map(\.address) == ["ann@xn--bcher-kva.example"])
        let other = try outbox.insert(recipient: "anna@bücher.example")
        let cased = try outbox.insert(recipient: "Ann@bücher.example")
        let same = try outbox.insert(recipient: "ann@XN--BCHER-KVA.example")
        let upper = try outbox.insert(recipient: "ann@BÜCHER.example")
        let batch = try await store.claim(now: noon + .seconds(1))
        #expect(batch.claims.map(\.message.id) == [other])
        #expect(Set(batch.suppressed) == [cased, same, upper])
    }

    @Test(
        "a refusal that doesn't mean the address suppresses nobody",
        arguments: [(552, "5.2.2"), (550, "5.7.1"), (550, nil), (554, "5.6.0")] as [(Int, String?)]
    )
    func otherRefusals(code: Int, status: String?) async throws {
        _ = try await refuse("ann@example.com", code, status.flatMap { EnhancedStatusCode($0) })
        #expect(try await store.suppressions(at: noon).isEmpty)
        try outbox.insert()
        #expect(try await store.claim(now: noon + .seconds(1)).claims.count == 1)
    }

    @Test("an entry expires by itself, and is deleted when the next one is added")
    func end() async throws {
        _ = try await refuse("ann@example.com", 550, EnhancedStatusCode(5, 1, 1))
        let after = noon + .seconds(30 * 86_400)
        #expect(try await store.suppressions(at: after).isEmpty)
        try outbox.insert(requestedAt: after)
        #expect(try await store.claim(now: after).claims.count == 1)
        let manual = Suppression(
            address: AddressKey("ben@example.com").canonical,
            reason: StoredCode(rawValue: "asked for it"),
            source: .manual,
            messageID: nil,
            createdAt: after,
            expiresAt: after + .seconds(60)
        )
        try await store.suppress(manual)
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_suppression") == 1)
        #expect(try await store.suppressions(at: after) == [manual])
    }

    @Test("an address taken off the list is mailed again")
    func lifting() async throws {
        _ = try await refuse("ann@example.com", 550, EnhancedStatusCode(5, 1, 1))
        #expect(try await store.liftSuppression(of: AddressKey("ann@EXAMPLE.com")))
        #expect(try await !store.liftSuppression(of: AddressKey("ann@example.com")))
        try outbox.insert()
        #expect(try await store.claim(now: noon + .seconds(1)).claims.count == 1)
    }

    @Test("entries caused by the relay's fault are removed, an operator's entries stay")
    func cleared() async throws {
        let id = try await refuse("ann@example.com", 550, EnhancedStatusCode(5, 1, 1))
        let other = try await refuse("ben@example.com", 550, EnhancedStatusCode(5, 1, 1))
        try await store.liftSuppressions(causedBy: [id])
        #expect(try await store.suppressions(at: noon).map(\.messageID) == [other])
    }

    @Test("lifting a suppression ends the advice to correct the address, also for messages that it suppressed")
    func adviceAfterRemoval() async throws {
        let first = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.rejected(claim)], now: noon)
        let second = try outbox.insert(requestedAt: noon + .seconds(1))
        _ = try await store.claim(now: noon + .seconds(1))
        #expect(try outbox.state(second) == "suppressed")
        for id in [first, second] { #expect(try await outbox.database.status(id: id)?.advice == "fix-address") }
        try await store.liftSuppressions(causedBy: [first])
        #expect(try await outbox.database.suppressions(at: noon).isEmpty)
        for id in [first, second] { #expect(try await outbox.database.status(id: id)?.advice != "fix-address") }
    }
}
