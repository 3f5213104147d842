// Finds the next times at which work is due, and corrects due times after the clock was set. Never claims or finishes.

import GRDB
package import OutboxCore
import Synchronization

extension OutboxDatabase {
    package func nextMoments(now: Timestamp) async throws -> NextMoments {
        let aside = aside.withLock { (sequences: $0.sequences(at: now), next: $0.next(after: now)) }
        let isNotAside = Self.isNotAside(aside.sequences)
        let claimant = claimant
        return try await read { database in
            func first(_ column: String, _ condition: String, _ arguments: StatementArguments = []) throws -> Timestamp?
            {
                let select = try database.cachedStatement(
                    sql: "SELECT \(column) FROM outbox_state WHERE \(condition) ORDER BY \(column) LIMIT 1"
                )
                return try Timestamp.fetchOne(select, arguments: arguments)
            }
            func exists(_ condition: String) throws -> Bool {
                try Bool.fetchOne(
                    database.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM outbox_state WHERE \(condition))")
                ) ?? false
            }
            let ordinary = """
                due_at IS NOT NULL AND priority = ? AND interruptions < \(Self.interruptionsBeforeAlone) \(isNotAside)
                """
            let dues = try Self.claimablePriorities(database).compactMap { priority in
                try first("due_at", ordinary, [priority]).map { (priority: priority, due: $0) }
            }
            return NextMoments(
                due: (dues.map(\.due) + (aside.next.map { [$0] } ?? [])).min(),
                lease: try first("lease_expires_at", "lease_expires_at IS NOT NULL AND claimed_by <> ?", [claimant]),
                expiry: try first("expires_at", "due_at IS NOT NULL AND expires_at IS NOT NULL \(isNotAside)"),
                dueAlone: try first(
                    "due_at",
                    """
                    due_at IS NOT NULL AND interruptions > 0 AND interruptions >= \(Self.interruptionsBeforeAlone)
                    \(isNotAside)
                    """
                ),
                highestDuePriority: dues.first { $0.due <= now }?.priority,
                hasInterrupted: try exists("due_at IS NOT NULL AND interruptions > 0"),
                isSending: try exists("lease_expires_at IS NOT NULL"),
                hasRestored: try exists("restored_at IS NOT NULL")
            )
        }
    }

    /// Maximum number of due times corrected per transaction, so that the transaction stays short.
    private static let clockLimit = 1000

    package func followClock(
        step: Duration?,
        since: Timestamp,
        clock: @escaping @Sendable () -> Timestamp,
        longestDelay: Duration
    ) async throws -> Int {
        try await write { database in
            let now = clock()
            var changed = 0
            for priority in try Self.claimablePriorities(database) {
                // Without a step, and after a step back, due times further ahead than any rule sets them become now. An
                // updated row no longer meets the condition, so repeated calls come to an end.
                let ahead = try database.cachedStatement(
                    sql: """
                        UPDATE outbox_state SET due_at = :now
                        WHERE sequence IN (
                            SELECT sequence FROM outbox_state
                            WHERE due_at IS NOT NULL AND priority = :priority AND due_at > :now
                                AND due_at > CASE
                                    WHEN held_until = due_at THEN :now + 3600000
                                    WHEN state = 'queued' AND not_before IS NULL THEN :now
                                    WHEN state = 'queued' THEN max(:now, not_before)
                                    ELSE :now + :longest END
                            ORDER BY due_at LIMIT \(Self.clockLimit))
                        """
                )
                try ahead.execute(arguments: [
                    "now": now, "priority": priority, "longest": longestDelay.inMilliseconds,
                ])
                changed += database.changesCount
            }
            guard changed == 0, let step else { return changed }
            // Retries move with the clock. A retry that was scheduled after outboxd noticed the step already uses the
            // new clock: the end of its attempt shows that. After a step back, attempts that ended by the old clock lie
            // after `now`. A released message has no attempt. After a step forward, its due time uses the new clock if
            // it lies further ahead of the old clock than any retry can.
            try database.execute(
                sql: """
                    UPDATE outbox_state SET due_at = max(:now, due_at + :step)
                    WHERE due_at IS NOT NULL AND due_at > :before AND due_at <= :latest AND state = 'deferred' AND NOT EXISTS (
                        SELECT 1 FROM outbox_attempt AS attempt WHERE attempt.message_id = outbox_state.message_id
                            AND attempt.attempt = outbox_state.last_attempt
                            AND attempt.finished_at BETWEEN :since AND :now)
                    """,
                arguments: [
                    "now": now, "step": step.inMilliseconds, "since": since,
                    "before": step > .zero ? now - step : now,
                    "latest": step > .zero ? now - step + longestDelay : Timestamp(milliseconds: .max),
                ]
            )
            if step < .zero {
                // The limit is checked again at the claim, which sets the hold by the current clock.
                try database.execute(
                    sql: "UPDATE outbox_state SET due_at = ?1 WHERE due_at > ?1 AND held_until = due_at",
                    arguments: [now]
                )
            }
            return 0
        }
    }
}
