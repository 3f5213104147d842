// A fresh outbox in a folder of its own, and what tests ask of it beside the store's own methods.

import Foundation
import GRDB
import OutboxCore
import OutboxStore

/// The moment at which the tests take place, unless they say otherwise.
let noon = Timestamp(milliseconds: 1_800_000_000_000)

/// An outbox that is removed when the last reference to it goes.
final class TemporaryOutbox: Sendable {
    let folder: URL
    let database: OutboxDatabase

    var path: String { folder.appending(path: "outbox.db").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "outbox-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        database = try OutboxDatabase(
            path: folder.appending(path: "outbox.db").path,
            access: .migrating,
            claimant: "test"
        )
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// A second daemon on the same file.
    func secondDaemon() throws -> OutboxDatabase {
        try OutboxDatabase(path: path, access: .writing, claimant: "second")
    }

    /// Runs SQL as an application would, over a connection of its own.
    func execute(_ sql: String, _ arguments: StatementArguments = []) throws {
        try DatabaseQueue(path: path).write { try $0.execute(sql: sql, arguments: arguments) }
    }

    /// What a foreign connection reads.
    func value<Value: DatabaseValueConvertible & Sendable>(_ type: Value.Type, _ sql: String) throws -> Value? {
        try DatabaseQueue(path: path).read { try Value.fetchOne($0, sql: sql) }
    }

    /// Inserts one message that was requested at noon.
    @discardableResult
    func insert(
        kind: String = "verify-email",
        recipient: String = "ann@example.com",
        account: String? = nil,
        priority: Int = 0,
        requestedAt: Timestamp = noon,
        notBefore: Timestamp? = nil,
        expiresAt: Timestamp? = nil
    ) throws -> Int64 {
        try DatabaseQueue(path: path).write { database in
            try database.execute(
                sql: """
                    INSERT INTO outbox (kind, recipient, token, account, priority, requested_at, not_before, expires_at)
                    VALUES (?, ?, 's3cret', ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    kind, recipient, account, priority, requestedAt.milliseconds, notBefore?.milliseconds,
                    expiresAt?.milliseconds,
                ]
            )
            return database.lastInsertedRowID
        }
    }

    func state(_ id: Int64) throws -> String? {
        try value(String.self, "SELECT state FROM outbox WHERE id = \(id)")
    }
}

extension DeliveryStore {
    /// Claims with the tests' lease of a minute.
    func claim(limit: Int = 100, now: Timestamp = noon) async throws -> ClaimBatch {
        try await claim(limit: limit, now: now, lease: .seconds(60), giveUpAfter: .seconds(86_400))
    }
}

extension Completion {
    static func accepted(_ claim: Claim, at: Timestamp = noon) -> Completion {
        let reply = SMTPReply(
            code: 250,
            enhancedStatus: EnhancedStatusCode(2, 0, 0),
            text: "Ok: queued as ABC123"
        )
        return Completion(claim: claim, outcome: .accepted(reply), relay: "relay", finishedAt: at)
    }

    static func deferred(_ claim: Claim, until next: Timestamp, at: Timestamp = noon) -> Completion {
        Completion(claim: claim, outcome: .deferred(.busy, .recipient, next: next), relay: "relay", finishedAt: at)
    }

    static func rejected(_ claim: Claim, _ scope: FaultScope = .recipient, at: Timestamp = noon) -> Completion {
        let reply = SMTPReply(code: 550, enhancedStatus: EnhancedStatusCode(5, 1, 1), text: "No such user")
        let failure = TransmissionFailure(stage: .rcpt, fault: .reply(reply), detail: reply.description)
        return Completion(claim: claim, outcome: .rejected(failure, scope), relay: "relay", finishedAt: at)
    }
}

extension TransmissionFailure {
    static let busy = TransmissionFailure(
        stage: .rcpt,
        fault: .reply(SMTPReply(code: 450, enhancedStatus: EnhancedStatusCode(4, 2, 1), text: "Mailbox busy")),
        detail: "450 4.2.1 Mailbox busy"
    )
}
