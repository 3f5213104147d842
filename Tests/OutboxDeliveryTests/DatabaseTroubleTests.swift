// Delivery while its database can't be used, and after it was lost.

import GRDB
import OutboxCore
import OutboxStore
import Testing

@Suite(.timeLimit(.minutes(10))) struct DatabaseTroubleTests {
    @Test("a lock that another program holds is logged once, and once more when it is over")
    func locked() async throws {
        // Leases are renewed often, so that there are writes even without any work.
        try await DeliveryFixture.run(.init(lease: .seconds(3))) { fixture in
            var lasting = Configuration()
            lasting.allowsUnsafeTransactions = true
            lasting.busyMode = .timeout(60)
            let other = try DatabaseQueue(path: fixture.database.path, configuration: lasting)
            try await other.writeWithoutTransaction { database in
                try database.execute(
                    sql: """
                        BEGIN IMMEDIATE;
                        INSERT INTO outbox (kind, recipient, token)
                        VALUES ('verify-email', 'ann@example.com', 'CANARY-70c3');
                        """
                )
            }
            _ = try await fixture.log.waitUntil("the lock is noticed") {
                fixture.log.all.first { $0.contains("has locked the database") }
            }
            try await other.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
            let over = try await fixture.log.waitUntil("it is over") {
                fixture.log.all.first { $0.hasPrefix("the database works again") }
            }
            #expect(over.contains("after=") && over.contains("failures="), "\(over)")
            _ = try await fixture.wait(for: 1, .accepted)
            #expect(fixture.log.all.filter { $0.contains("has locked the database") }.count == 1)
        }
    }
}
