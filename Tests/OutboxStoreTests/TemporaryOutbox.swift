// A fresh outbox in its own folder, with helpers for tests beyond the store's own methods.

import Foundation
import GRDB
import InternetMessage
import OutboxCore
import OutboxStore

/// The time of the tests, unless they say otherwise.
let noon = Timestamp(milliseconds: 1_800_000_000_000)

/// An outbox that is removed with the last reference to it.
final class TemporaryOutbox: Sendable {
    let folder: URL
    let database: OutboxDatabase
    /// The application's connection: shared by all statements, because a new one reads the whole schema first.
    private let application: DatabaseQueue

    var path: String { folder.appending(path: "outbox.db").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "outbox-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        database = try OutboxDatabase(
            path: folder.appending(path: "outbox.db").path,
            access: .migrating,
            claimant: "test"
        )
        application = try DatabaseQueue(path: folder.appending(path: "outbox.db").path)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// A second daemon on the same file.
    func secondDaemon() throws -> OutboxDatabase {
        try OutboxDatabase(path: path, access: .writing, claimant: "second")
    }

    /// Runs SQL as an application would, over its own connection.
    func execute(_ sql: String, _ arguments: StatementArguments = []) throws {
        try application.write { try $0.execute(sql: sql, arguments: arguments) }
    }

    /// Reads as a foreign connection does.
    func value<Value: DatabaseValueConvertible & Sendable>(_ type: Value.Type, _ sql: String) throws -> Value? {
        try application.read { try Value.fetchOne($0, sql: sql) }
    }

    /// Runs one statement as an application would, and returns the first column of what it returns.
    func returned(_ sql: String, _ arguments: StatementArguments) throws -> [String] {
        try application.write { try String.fetchAll($0, sql: sql, arguments: arguments) }
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
        try application.write { database in
            try database.execute(
                sql: """
                    INSERT INTO outbox (kind, recipient, token, account, priority, not_before, expires_at)
                    VALUES (?, ?, 's3cret', ?, ?, ?, ?)
                    """,
                arguments: [
                    kind, recipient, account, priority, notBefore?.milliseconds, expiresAt?.milliseconds,
                ]
            )
            let id = database.lastInsertedRowID
            try database.execute(
                sql: """
                    UPDATE outbox_state SET requested_at = ?1, due_at = coalesce(not_before, ?1) WHERE message_id = ?2
                    """,
                arguments: [requestedAt.milliseconds, id]
            )
            return id
        }
    }

    /// The number of tokens that the daemon could still mail.
    func secretCount() throws -> Int? {
        try value(Int.self, "SELECT count(*) FROM outbox_secret WHERE slot > 0 AND rtrim(token, char(10)) <> ''")
    }

    func state(_ id: Int64) throws -> String? {
        try value(String.self, "SELECT state FROM outbox_state WHERE message_id = \(id)")
    }
}

extension DeliveryStore {
    /// Claims with the tests' lease of a minute; messages don't affect each other unless the test passes rules.
    func claim(limit: Int = 100, now: Timestamp = noon, rules: DeliveryRules = .lax) async throws -> ClaimBatch {
        try await claim(.ordinary(), limit: limit, now: now, lease: .seconds(60), rules: rules, expiryHold: nil)
    }

    func returnUnsent(_ claims: [Claim]) async throws { try await returnUnsent(claims, now: noon, rules: .lax) }

    /// Takes over the claims that other daemons left.
    func rescue(now: Timestamp, rules: DeliveryRules = .lax) async throws -> [Int64] {
        let expired = try await expiredClaims(now: now, lease: .seconds(60))
        return try await rescue(expired, now: now, rules: rules).rescued
    }

    func finish(_ completions: [Completion], now: Timestamp, rules: DeliveryRules) async throws -> FinishResult {
        try await finish(completions, clock: { now }, rules: rules)
    }

    func followClock(step: Duration?, since: Timestamp, now: Timestamp, longestDelay: Duration) async throws -> Int {
        try await followClock(step: step, since: since, clock: { now }, longestDelay: longestDelay)
    }

    /// - Returns: the completions whose claim was lost.
    func finish(_ completions: [Completion], now: Timestamp) async throws -> [Completion] {
        try await finish(completions, now: now, rules: .lax).lost
    }

    func nextMoments() async throws -> NextMoments { try await nextMoments(now: noon) }
}

extension DeliveryRules {
    /// Messages don't affect each other.
    static let lax = DeliveryRules(limits: nil, keepOlder: ["verify-email", "reset-password"])
    /// Only the newest token is mailed, without a limit on resends.
    static let superseding = DeliveryRules(limits: nil)
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
        let judged = JudgedFailure(failure: .busy, verdict: FailurePolicy.verdict(for: .busy), counts: true)
        return Completion(claim: claim, outcome: .deferred(judged, next: next), relay: "relay", finishedAt: at)
    }

    /// A permanent refusal, by default of an unknown recipient.
    static func rejected(
        _ claim: Claim,
        _ code: Int = 550,
        _ status: EnhancedStatusCode? = EnhancedStatusCode(5, 1, 1),
        stage: SMTPStage = .rcpt,
        at: Timestamp = noon
    ) -> Completion {
        let reply = SMTPReply(code: code, enhancedStatus: status, text: "No")
        let failure = TransmissionFailure(stage: stage, cause: .reply(reply), detail: reply.description)
        let verdict = FailurePolicy.verdict(for: failure)
        let judged = JudgedFailure(failure: failure, verdict: verdict, counts: true)
        return Completion(claim: claim, outcome: .rejected(judged), relay: "relay", finishedAt: at)
    }
}

extension TransmissionFailure {
    static let busy = TransmissionFailure(
        stage: .rcpt,
        cause: .reply(SMTPReply(code: 450, enhancedStatus: EnhancedStatusCode(4, 2, 1), text: "Mailbox busy")),
        detail: "450 4.2.1 Mailbox busy"
    )
}
