// The view that answers applications, support and outboxctl. Never shows a token.

extension Schema {
    /// Another mail system's report since which nothing better is known.
    private static let isReturned = """
        current.returned_at > max(coalesce(current.delivered_at, 0), coalesce(current.delayed_at, 0))
        """

    /// A report of a delay may arrive after that of the delivery, and counts for a day.
    private static let isDelayed = """
        current.delivered_at IS NULL AND clock.now < current.delayed_at + 86400000
                            AND (current.expires_at IS NULL OR clock.now < current.expires_at)
        """

    /// The advice follows docs/advice.md, row by row.
    static let status = """
        -- For each message, the message that decides what to tell its person: the newest of the kind whose not_before
        -- has passed and that was not cancelled; else the newest whose not_before is still to come; else the message
        -- itself.
        CREATE VIEW outbox_current AS
        SELECT
            message.sequence,
            coalesce(
                nullif(max(
                    coalesce((SELECT max(other.sequence) FROM outbox_state AS other
                        WHERE other.person = message.person AND other.kind = message.kind
                            AND other.finished_at IS NULL AND other.not_before IS NULL), 0),
                    coalesce((SELECT max(other.sequence) FROM outbox_state AS other
                        WHERE other.person = message.person AND other.kind = message.kind
                            AND other.finished_at IS NULL AND other.not_before <= \(now)), 0),
                    coalesce((SELECT max(other.sequence) FROM outbox_state AS other
                        WHERE other.person = message.person AND other.kind = message.kind
                            AND other.finished_at IS NOT NULL AND other.state <> 'cancelled'), 0)), 0),
                (SELECT max(other.sequence) FROM outbox_state AS other
                    WHERE other.person = message.person AND other.kind = message.kind AND other.finished_at IS NULL),
                message.sequence) AS current_sequence
        FROM outbox_state AS message;

        CREATE VIEW outbox_status AS
        WITH
        clock (now) AS (SELECT \(now)),
        guidance (patience, resends, resend_window) AS (
            SELECT coalesce(max(patience), 300000), coalesce(max(resends), 1), coalesce(max(resend_window), 3600000)
            FROM outbox_guidance),
        relays (are_down, down_since) AS (
            SELECT count(*) > 0 AND total(state = 'up') = 0, max(down_since) FROM outbox_relay),
        -- The current message of each message's person, and when the person began to wait for it.
        current AS (
            SELECT
                outbox_current.sequence AS of_sequence,
                newest.sequence, newest.person, newest.kind, newest.state, newest.requested_at, newest.accepted_at,
                newest.finished_at, newest.expires_at, newest.blames_address, newest.restored_at,
                -- When other mail systems reported about an accepted mail. All other actions are notes: a mail that was
                -- relayed or expanded may still be late or fail.
                CASE WHEN newest.state = 'accepted' THEN (
                    SELECT report.received_at FROM outbox_report AS report
                    WHERE report.message_id = newest.message_id AND report.action = 'delivered') END AS delivered_at,
                CASE WHEN newest.state = 'accepted' THEN (
                    SELECT report.received_at FROM outbox_report AS report
                    WHERE report.message_id = newest.message_id AND report.action = 'delayed') END AS delayed_at,
                CASE WHEN newest.state = 'accepted' THEN (
                    SELECT report.received_at FROM outbox_report AS report
                    WHERE report.message_id = newest.message_id AND report.action = 'returned') END AS returned_at,
                -- When the person redeemed this token, or since the request another one that replaces it.
                coalesce(
                    (SELECT token.redeemed_at FROM outbox_token AS token WHERE token.message_id = newest.message_id),
                    (SELECT max(token.redeemed_at) FROM outbox_token AS token
                        WHERE token.person = newest.person AND token.kind = newest.kind
                            AND token.redeemed_at >= newest.requested_at AND token.is_replaceable = 1)
                ) AS redeemed_at,
                max(coalesce(newest.not_before, 0), coalesce(newest.held_until, 0)) AS may_leave_at,
                max(newest.requested_at, coalesce(newest.not_before, 0), coalesce(newest.held_until, 0)) AS waits_from
            FROM outbox_current JOIN outbox_state AS newest ON newest.sequence = outbox_current.current_sequence)
        SELECT
            message.id,
            message.kind,
            -- The collation lets a plain "recipient = ?" use the index and ignore case.
            message.recipient COLLATE NOCASE AS recipient,
            message.account,
            state.state,
            state.requested_at,
            state.accepted_at,
            -- When other mail systems' reports arrived: the first one of a delivery, the newest one of a delay.
            (SELECT report.received_at FROM outbox_report AS report
                WHERE report.message_id = message.id AND report.action = 'delivered') AS delivered_at,
            (SELECT report.received_at FROM outbox_report AS report
                WHERE report.message_id = message.id AND report.action = 'delayed') AS delayed_at,
            state.finished_at,
            state.expires_at,
            -- When the link or the code of the mail was used.
            (SELECT token.redeemed_at FROM outbox_token AS token WHERE token.message_id = message.id) AS redeemed_at,
            state.attempts,
            state.due_at AS next_attempt_at,
            CASE
                WHEN state.restored_at IS NOT NULL THEN 'restored-file'
                WHEN state.due_at IS NULL THEN NULL
                WHEN state.held_until = state.due_at AND state.held_until > clock.now THEN 'resend-limit'
                WHEN state.state = 'queued' AND state.not_before > clock.now THEN 'not-before'
                WHEN relays.are_down THEN 'relay'
                WHEN state.due_at > clock.now THEN 'retry'
                ELSE 'turn'
            END AS waiting_for,
            (SELECT attempt.detail FROM outbox_attempt AS attempt
                WHERE attempt.message_id = message.id AND attempt.detail IS NOT NULL
                ORDER BY attempt.attempt DESC LIMIT 1) AS detail,
            -- CAST gives a view's column a type, so that a comparison with a text parameter works.
            CAST(state.uncertain_attempts > 0 AND (state.finished_at IS NULL OR state.accepted_at IS NOT NULL)
                AS INTEGER) AS may_arrive_twice,
            CASE
                WHEN current.redeemed_at IS NOT NULL THEN 'done'
                -- Another request leaves at once, whatever the operator decides about this one.
                WHEN current.restored_at IS NOT NULL THEN 'request-new'
                WHEN current.finished_at IS NULL THEN
                    CASE
                        WHEN clock.now >= current.waits_from + guidance.patience THEN 'delivery-delayed'
                        WHEN relays.are_down AND clock.now >= current.may_leave_at THEN 'delivery-delayed'
                        ELSE 'wait'
                    END
                WHEN current.state = 'accepted' THEN
                    CASE
                        WHEN \(isReturned) THEN 'contact-support'
                        WHEN \(isDelayed) THEN 'delivery-delayed'
                        WHEN clock.now < current.accepted_at + guidance.patience
                            THEN iif(current.delivered_at IS NULL, 'wait', 'check-junk')
                        WHEN guidance.resends <= (
                            SELECT count(*) FROM outbox_state AS earlier
                            WHERE earlier.person = current.person AND earlier.kind = current.kind
                                AND earlier.accepted_at >= current.requested_at - guidance.resend_window
                                AND earlier.requested_at >= current.requested_at - guidance.resend_window
                                AND earlier.sequence < current.sequence) THEN 'contact-support'
                        WHEN current.expires_at <= clock.now THEN 'request-new'
                        ELSE 'check-junk,resend'
                    END
                WHEN current.state = 'expired' OR current.state = 'superseded' OR current.state = 'cancelled'
                    THEN 'request-new'
                WHEN current.blames_address THEN 'fix-address'
                WHEN current.blames_address IS NULL THEN 'request-new'
                ELSE 'contact-support'
            END AS advice,
            CAST(CASE
                WHEN current.redeemed_at IS NOT NULL THEN current.redeemed_at
                WHEN current.restored_at IS NOT NULL THEN current.restored_at
                WHEN current.finished_at IS NULL THEN
                    CASE
                        WHEN relays.are_down AND clock.now >= current.may_leave_at
                            AND clock.now < current.waits_from + guidance.patience
                            THEN max(current.requested_at, relays.down_since)
                        ELSE current.waits_from + guidance.patience
                    END
                WHEN \(isReturned) THEN current.returned_at
                WHEN \(isDelayed) THEN current.delayed_at
                WHEN current.delivered_at IS NOT NULL AND clock.now < current.accepted_at + guidance.patience
                    THEN current.delivered_at
                WHEN current.state = 'accepted' THEN current.accepted_at + guidance.patience
                ELSE current.finished_at
            END AS INTEGER) AS advice_at
        FROM outbox AS message
        JOIN outbox_state AS state ON state.message_id = message.id
        JOIN current ON current.of_sequence = state.sequence
        CROSS JOIN guidance
        CROSS JOIN relays
        CROSS JOIN clock;
        """
}
