// Decides whether a due message may be sent: deadline, newer message, suppression list, limits on resends. Never
// changes a row.

import GRDB
import OutboxCore

/// A due message, and what the query found out about related messages.
struct DueMessage {
    let claim: Claim
    /// A newer message of the same kind exists for the person.
    let hasNewer: Bool
    /// A mail of the kind was sent to the address recently, or is being sent.
    var hasSent: Bool
    /// The person redeemed another token of the kind since the request, or a newer mail was handed over.
    let isSettled: Bool
    /// The message's own token was redeemed: a mail of an attempt without an answer has arrived.
    let isRedeemed: Bool
}

/// Checks due messages within one claiming transaction.
struct ClaimGate {
    enum Decision {
        case pass
        /// The message becomes final without being sent.
        case finish(MessageState)
        /// The message waits for a limit on resends.
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

    func decision(for due: DueMessage) throws -> Decision {
        let message = due.claim.message
        let deadline = rules.deadline(of: message)
        if deadline <= now { return .finish(.expired) }
        // A mail whose link is dead would only confuse, and a working one nobody asks for any more is a danger.
        if due.isRedeemed { return .finish(.superseded) }
        if due.hasNewer || due.isSettled, !rules.keepOlder.contains(message.kind) { return .finish(.superseded) }
        if hasSuppressions, try isSuppressed(due.claim.address) { return .finish(.suppressed) }
        guard let limits = rules.limits, due.hasSent else { return .pass }
        // Only the newest token may overtake the limit; otherwise a burst of older tokens would all be sent.
        let horizon = due.hasNewer ? now + limits.memory + RetrySchedule.lastAttemptMargin : deadline
        let sent = try sentMoments(of: due.claim, memory: limits.memory)
        return limits.nextMoment(sent: sent, now: now, deadline: horizon).map { .hold(until: $0) } ?? .pass
    }

    private func isSuppressed(_ address: String) throws -> Bool {
        let select = try database.cachedStatement(
            sql: "SELECT EXISTS (SELECT 1 FROM outbox_suppression WHERE address = ? AND expires_at > ?)"
        )
        return try Bool.fetchOne(select, arguments: [address, now]) ?? false
    }

    /// When other messages of the kind were sent to the address. A message that is being sent counts as sent now. If
    /// the history is longer than any limit allows, only the newest moments are read.
    private func sentMoments(of claim: Claim, memory: Duration) throws -> [Timestamp] {
        let sending = try database.cachedStatement(
            sql: """
                SELECT count(*) FROM outbox_state
                WHERE address = ? AND kind = ? AND accepted_at IS NULL AND sequence <> ?
                    AND (accepted_at IS NOT NULL OR lease_expires_at IS NOT NULL)
                """
        )
        let count = try Int.fetchOne(sending, arguments: [claim.address, claim.message.kind, claim.sequence]) ?? 0
        let accepted = try database.cachedStatement(
            sql: """
                SELECT accepted_at FROM outbox_state
                WHERE address = ? AND kind = ? AND accepted_at > ?
                    AND (accepted_at IS NOT NULL OR lease_expires_at IS NOT NULL)
                ORDER BY accepted_at DESC LIMIT \(ResendLimits.mostPerHour)
                """
        )
        let moments = try Timestamp.fetchAll(
            accepted,
            arguments: [claim.address, claim.message.kind, now - memory]
        )
        // An acceptance time in the future was recorded before the clock was set back.
        return Array(repeating: now, count: count) + moments.map { min($0, now) }
    }
}

extension DeliveryRules {
    /// The moment after which a message is no longer sent.
    func deadline(of message: Message) -> Timestamp {
        message.deadline ?? message.awaitedFrom + giveUpAfter
    }
}

/// SQL about the other messages of the same person and kind.
enum PersonSQL {
    /// Whether a newer message than the row `of` exists: one whose `not_before` has passed by `:now` and that was not
    /// cancelled. Each part is one index seek, however many messages the person has had.
    static func hasNewer(of row: String) -> String {
        let isOfPerson =
            "newer.person = \(row).person AND newer.kind = \(row).kind AND newer.sequence > \(row).sequence"
        return """
            (EXISTS (SELECT 1 FROM outbox_state AS newer WHERE \(isOfPerson)
                    AND newer.finished_at IS NULL AND newer.not_before IS NULL AND newer.is_cancelled = 0)
                OR EXISTS (SELECT 1 FROM outbox_state AS newer WHERE \(isOfPerson)
                    AND newer.finished_at IS NULL AND newer.not_before <= :now AND newer.is_cancelled = 0)
                OR EXISTS (SELECT 1 FROM outbox_state AS newer WHERE \(isOfPerson)
                    AND newer.finished_at IS NOT NULL AND newer.state <> 'cancelled'))
            """
    }
}
