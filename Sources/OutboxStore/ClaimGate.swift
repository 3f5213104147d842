// What keeps a due message from being sent: its deadline, a newer message, the suppression list, the limit on resends.
// Never changes a row.

import GRDB
import OutboxCore

/// Looks at due messages within one claiming transaction.
struct ClaimGate {
    enum Decision {
        case pass
        /// It becomes final unsent.
        case finish(MessageState)
        /// It waits for a limit on resends.
        case hold(until: Timestamp)
    }

    private let database: Database
    private let rules: DeliveryRules
    private let now: Timestamp
    private let hasSuppressions: Bool

    init(_ database: Database, rules: DeliveryRules, now: Timestamp) throws {
        self.database = database
        self.rules = rules
        self.now = now
        let select = try database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM outbox_suppression)")
        hasSuppressions = try Bool.fetchOne(select) ?? false
    }

    /// - Parameter isAlone: there is no other message of the kind for the message's account, nor for its recipient as
    ///   the address is written.
    func decision(for message: Message, isAlone: Bool) throws -> Decision {
        let deadline = message.expiresAt ?? message.requestedAt + rules.giveUpAfter
        if deadline <= now { return .finish(.expired) }
        let isNewest = try isAlone || !Self.hasNewer(message, in: database)
        if !isNewest, !rules.keepOlder.contains(message.kind) { return .finish(.superseded) }
        if hasSuppressions, try isSuppressed(message.recipient) { return .finish(.suppressed) }
        guard let limits = rules.limits, !isAlone || AddressKey.hasSpellings(message.recipient) else { return .pass }
        // Only the newest token may overtake the limit: of a crowd of older ones each would.
        let horizon = isNewest ? deadline : now + limits.memory + RetrySchedule.lastAttemptMargin
        let sent = try sentMoments(likeMessage: message, memory: limits.memory)
        return limits.nextMoment(sent: sent, now: now, deadline: horizon).map { .hold(until: $0) } ?? .pass
    }

    /// Whether the application inserted a newer message of the kind for the account, or for the recipient where no
    /// account is given.
    static func hasNewer(_ message: Message, in database: Database) throws -> Bool {
        if let account = message.account {
            let newer = try database.cachedStatement(
                sql: "SELECT EXISTS (SELECT 1 FROM outbox WHERE account = ? AND kind = ? AND id > ?)"
            )
            return try Bool.fetchOne(newer, arguments: [account, message.kind, message.id]) ?? false
        }
        let newer = try database.cachedStatement(
            sql: """
                SELECT EXISTS (SELECT 1 FROM outbox
                    WHERE recipient = ?1 COLLATE NOCASE AND kind = ?2 AND id > ?3 AND account IS NULL
                        AND \(localPart("recipient")) = \(localPart("?1")))
                """
        )
        return try Bool.fetchOne(newer, arguments: [message.recipient, message.kind, message.id]) ?? false
    }

    /// The local part with its @, compared exactly: the index on addresses knows no case.
    static func localPart(_ column: String) -> String { "substr(\(column), 1, instr(\(column), '@'))" }

    private func isSuppressed(_ recipient: String) throws -> Bool {
        let select = try database.cachedStatement(
            sql: "SELECT EXISTS (SELECT 1 FROM outbox_suppression WHERE address = ? AND expires_at > ?)"
        )
        return try Bool.fetchOne(select, arguments: [AddressKey(recipient).canonical, now.milliseconds]) ?? false
    }

    /// When other messages of the kind were sent to the address; one that is being sent counts as sent now. An address
    /// that differs in the case of its letters counts as the same here, because it is most likely the same inbox.
    private func sentMoments(likeMessage message: Message, memory: Duration) throws -> [Timestamp] {
        let select = try database.cachedStatement(
            sql: """
                SELECT coalesce(accepted_at, ?1) FROM outbox
                WHERE recipient = ?2 COLLATE NOCASE AND kind = ?3 AND id <> ?4
                    AND (state = 'sending' OR accepted_at > ?5)
                """
        )
        return try AddressKey(message.recipient).spellings.flatMap { spelling in
            try Int64.fetchAll(
                select,
                arguments: [
                    now.milliseconds, spelling, message.kind, message.id, (now - memory).milliseconds,
                ]
            )
        }.map { Timestamp(milliseconds: $0) }
    }
}
