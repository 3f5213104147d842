// Every statement that makes a message final names the previous states, and a final state stays.

import Foundation
import InternetMessage
import OutboxCore
import OutboxStore
import Testing

@Suite struct FinalStateTests {
    /// The UPDATEs of `outbox_state` in the store's source that write `finished_at`.
    private static func finishingStatements() throws -> [(file: String, sql: String)] {
        let store = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Sources/OutboxStore")
        let files = try #require(FileManager.default.enumerator(at: store, includingPropertiesForKeys: nil))
        var found: [(String, String)] = []
        for case let file as URL in files where file.pathExtension == "swift" {
            let text = try String(contentsOf: file, encoding: .utf8)
            for part in text.split(separator: "UPDATE outbox_state").dropFirst() {
                let statement = part.prefix { $0 != ";" }.split(separator: "\"\"\"", maxSplits: 1)[0]
                guard let condition = statement.firstRange(of: "WHERE") else { continue }
                if statement[..<condition.lowerBound].contains("finished_at =") {
                    found.append((file.lastPathComponent, String(statement[condition.lowerBound...])))
                }
            }
        }
        return found
    }

    @Test("every statement that makes a message final names the permitted previous states")
    func guards() throws {
        let statements = try Self.finishingStatements()
        #expect(
            Set(statements.map(\.file)) == [
                "OutboxDatabase+Claiming.swift", "OutboxDatabase+Finishing.swift", "OutboxDatabase+Reports.swift",
                "Schema+Triggers.swift",
            ]
        )
        for (file, sql) in statements {
            let states = sql.matches(of: /\bstate = '(\w+)'/).compactMap { MessageState(rawValue: String($0.1)) }
            #expect(!states.isEmpty, "\(file): \(sql)")
            // Only a bounce ends a state that was already final.
            #expect(states == [.accepted] || states.allSatisfy(\.isOpen), "\(file): \(sql)")
        }
    }

    @Test("a final state stays, whatever an old claim, a report or an application does", arguments: FinalWay.allCases)
    func stays(way: FinalWay) async throws {
        let outbox = try TemporaryOutbox()
        let store = outbox.database
        let id = try outbox.insert(expiresAt: noon + .seconds(600))
        let claim = try #require(try await store.claim().claims.first)
        switch way {
        case .accepted: _ = try await store.finish([.accepted(claim)], now: noon)
        case .rejected:
            _ = try await store.finish([.rejected(claim, 550, EnhancedStatusCode(5, 1, 1))], now: noon)
        case .cancelled:
            try await store.returnUnsent([claim])
            #expect(try await store.cancel(id: id))
        case .expired:
            try await store.returnUnsent([claim])
            #expect(try await store.expire(now: noon + .seconds(601)) == [id])
        }
        let row = """
            SELECT json_array(state, finished_at, accepted_at, blames_address, attempts, last_attempt, secret)
            FROM outbox_state WHERE message_id = \(id)
            """
        let before = try #require(try outbox.value(String.self, row))

        let later = noon + .seconds(700)
        #expect(try await store.finish([.accepted(claim, at: later)], now: later) == [.accepted(claim, at: later)])
        try await store.returnUnsent([claim])
        let expired = ExpiredClaim(
            sequence: claim.sequence,
            messageID: id,
            attempt: claim.attempt,
            leaseExpiresAt: noon + .seconds(60)
        )
        #expect(try await store.rescue([expired], now: later, rules: .lax).rescued.isEmpty)
        #expect(try await store.expire(now: later).isEmpty)
        #expect(try await store.cancel(id: id) == false)
        try? outbox.execute("UPDATE outbox SET cancelled = 1 WHERE id = \(id)")
        if way != .accepted {
            let report = DeliveryReportRecord(action: .failed, receivedAt: later, detail: nil)
            let effect = try await store.record(report, envelopeID: claim.message.envelopeID, suppressFor: nil)
            #expect(effect?.hasBounced != true)
        }
        #expect(try outbox.value(String.self, row) == before)
    }

    enum FinalWay: CaseIterable { case accepted, rejected, cancelled, expired }
}
