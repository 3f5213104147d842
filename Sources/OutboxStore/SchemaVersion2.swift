// Version 2 of the schema: relays' health, suppression, reports of other mail systems, resend limits, full advice.

extension Schema {
    /// - `attempts` now counts the attempts that a message used up; `last_attempt` numbers their rows and fences their
    ///   completion, because an attempt that failed through a relay's own fault is on record without being used up.
    /// - `held_until` stays after the wait, so that a late mail can be told from a held one.
    static let version2 = """
        ALTER TABLE outbox ADD COLUMN last_attempt INTEGER NOT NULL DEFAULT 0
            CONSTRAINT last_attempt_is_not_negative CHECK (last_attempt >= 0);
        UPDATE outbox SET last_attempt = attempts WHERE attempts > 0;
        ALTER TABLE outbox ADD COLUMN held_until INTEGER \(isInMilliseconds("held_until"));

        -- For reports of other mail systems; what was never tried can't be reported, and costs an insert nothing.
        CREATE INDEX outbox_envelope ON outbox (envelope_id) WHERE last_attempt > 0;

        ALTER TABLE outbox_attempt ADD COLUMN reason TEXT;
        ALTER TABLE outbox_attempt ADD COLUMN is_used_up INTEGER NOT NULL DEFAULT 1
            CONSTRAINT is_used_up_is_0_or_1 CHECK (is_used_up IN (0, 1));

        -- What the configuration says of the advice, where the view can read it. Milliseconds.
        CREATE TABLE outbox_guidance (
            id INTEGER PRIMARY KEY CONSTRAINT there_is_one_guidance CHECK (id = 1),
            patience INTEGER NOT NULL DEFAULT 300000 CHECK (patience > 0),
            resends INTEGER NOT NULL DEFAULT 1 CHECK (resends >= 0),
            resend_window INTEGER NOT NULL DEFAULT 3600000 CHECK (resend_window > 0)
        ) STRICT;
        INSERT INTO outbox_guidance (id) VALUES (1);

        -- The relays of the configuration, in order of preference, as the running outboxd last saw them.
        CREATE TABLE outbox_relay (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL,
            state TEXT NOT NULL CONSTRAINT state_is_known CHECK (state IN ('up', 'paused', 'probing')),
            paused_until INTEGER \(isInMilliseconds("paused_until")),
            down_since INTEGER \(isInMilliseconds("down_since")),
            scope TEXT,
            reason TEXT,
            stage TEXT,
            reply TEXT,
            setting TEXT,
            updated_at INTEGER NOT NULL \(isInMilliseconds("updated_at")),
            CONSTRAINT what_is_down_has_a_reason CHECK ((state = 'up') = (down_since IS NULL)
                AND (state = 'up') = (reason IS NULL))
        ) STRICT, WITHOUT ROWID;

        -- Addresses that take no mail: the domain in lower-case A-labels, the local part exactly as it is.
        CREATE TABLE outbox_suppression (
            address TEXT PRIMARY KEY,
            reason TEXT NOT NULL,
            source TEXT NOT NULL CONSTRAINT source_is_known CHECK (source IN ('refused', 'reported', 'manual')),
            message_id INTEGER,
            created_at INTEGER NOT NULL \(isInMilliseconds("created_at")),
            expires_at INTEGER NOT NULL \(isInMilliseconds("expires_at"))
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX outbox_suppression_message ON outbox_suppression (message_id) WHERE message_id IS NOT NULL;

        -- What other mail systems reported of accepted mails (RFC 3464); one row an action, the newest.
        CREATE TABLE outbox_report (
            message_id INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
            action TEXT NOT NULL CONSTRAINT action_is_known
                CHECK (action IN ('failed', 'delayed', 'delivered', 'relayed', 'expanded')),
            received_at INTEGER NOT NULL \(isInMilliseconds("received_at")),
            status TEXT,
            reason TEXT,
            reporting_mta TEXT,
            diagnostic TEXT,
            PRIMARY KEY (message_id, action)
        ) STRICT, WITHOUT ROWID;

        -- What to do is a matter between a person and a kind of mail, so every message of that kind to that person
        -- gets the advice that its newest one calls for. docs/advice.md has the table.
        DROP VIEW outbox_status;
        CREATE VIEW outbox_status AS
        WITH
        clock (now) AS (SELECT \(now)),
        relays (are_down, down_since) AS (
            SELECT count(*) > 0 AND total(state = 'up') = 0, max(down_since) FROM outbox_relay),
        newest_of AS (
            SELECT
                id AS message_id,
                CASE
                    WHEN account IS NOT NULL THEN (
                        SELECT other.id FROM outbox AS other
                        WHERE other.account = message.account AND other.kind = message.kind
                        ORDER BY other.id DESC LIMIT 1)
                    ELSE (
                        SELECT other.id FROM outbox AS other
                        WHERE other.recipient = message.recipient COLLATE NOCASE AND other.kind = message.kind
                            AND other.account IS NULL
                        ORDER BY other.id DESC LIMIT 1)
                END AS newest_id
            FROM outbox AS message)
        SELECT
            message.id,
            message.kind,
            message.recipient,
            message.account,
            message.state,
            message.requested_at,
            message.accepted_at,
            message.finished_at,
            message.expires_at,
            message.attempts,
            CASE WHEN message.state IN ('queued', 'deferred') THEN message.due_at END AS next_attempt_at,
            CASE
                WHEN message.state NOT IN ('queued', 'deferred') THEN NULL
                WHEN message.held_until = message.due_at AND message.held_until > clock.now THEN 'resend-limit'
                WHEN message.state = 'queued' AND message.not_before > clock.now THEN 'not-before'
                WHEN relays.are_down THEN 'relay'
                WHEN message.due_at > clock.now THEN 'retry'
                ELSE 'turn'
            END AS waiting_for,
            (SELECT attempt.reply FROM outbox_attempt AS attempt
                WHERE attempt.message_id = message.id AND attempt.reply IS NOT NULL
                ORDER BY attempt.attempt DESC LIMIT 1) AS last_reply,
            EXISTS (SELECT 1 FROM outbox_attempt AS attempt
                WHERE attempt.message_id = message.id AND attempt.outcome = 'uncertain')
                AND message.state IN ('sending', 'deferred', 'accepted', 'bounced') AS may_arrive_twice,
            CASE
                WHEN newest.state IN ('queued', 'sending', 'deferred') THEN
                    CASE
                        WHEN clock.now >= max(newest.requested_at, coalesce(newest.not_before, 0),
                            coalesce(newest.held_until, 0)) + guidance.patience THEN 'delivery-delayed'
                        WHEN relays.are_down AND clock.now >= max(coalesce(newest.not_before, 0),
                            coalesce(newest.held_until, 0)) THEN 'delivery-delayed'
                        ELSE 'wait'
                    END
                WHEN newest.state = 'accepted' THEN
                    CASE
                        WHEN clock.now < newest.accepted_at + guidance.patience THEN 'wait'
                        WHEN guidance.resends <= CASE
                            WHEN newest.account IS NOT NULL THEN (
                                SELECT count(*) FROM outbox AS earlier
                                WHERE earlier.account = newest.account AND earlier.kind = newest.kind
                                    AND earlier.id < newest.id AND earlier.state IN ('accepted', 'bounced')
                                    AND earlier.requested_at >= newest.requested_at - guidance.resend_window)
                            ELSE (
                                SELECT count(*) FROM outbox AS earlier
                                WHERE earlier.recipient = newest.recipient COLLATE NOCASE
                                    AND earlier.kind = newest.kind AND earlier.account IS NULL
                                    AND earlier.id < newest.id AND earlier.state IN ('accepted', 'bounced')
                                    AND earlier.requested_at >= newest.requested_at - guidance.resend_window)
                            END THEN 'contact-support'
                        WHEN newest.expires_at <= clock.now THEN 'request-new'
                        ELSE 'check-junk,resend'
                    END
                WHEN newest.state IN ('expired', 'superseded', 'cancelled') THEN 'request-new'
                WHEN newest.state = 'suppressed' THEN 'fix-address'
                WHEN newest.state = 'bounced' THEN
                    CASE WHEN EXISTS (SELECT 1 FROM outbox_report AS report
                        WHERE report.message_id = newest.id AND report.action = 'failed'
                            AND report.reason IN (\(notTheAddress)))
                        THEN 'contact-support' ELSE 'fix-address' END
                ELSE coalesce((
                    SELECT CASE WHEN last.scope = 'recipient' AND coalesce(last.reason, '') NOT IN (\(notTheAddress))
                        THEN 'fix-address' END
                    FROM outbox_attempt AS last
                    WHERE last.message_id = newest.id ORDER BY last.attempt DESC LIMIT 1), 'contact-support')
            END AS advice,
            CASE
                WHEN newest.state IN ('queued', 'sending', 'deferred') THEN
                    CASE
                        WHEN clock.now < max(newest.requested_at, coalesce(newest.not_before, 0),
                            coalesce(newest.held_until, 0)) + guidance.patience
                            AND relays.are_down AND clock.now >= max(coalesce(newest.not_before, 0),
                            coalesce(newest.held_until, 0))
                            THEN max(newest.requested_at, relays.down_since)
                        ELSE max(newest.requested_at, coalesce(newest.not_before, 0),
                            coalesce(newest.held_until, 0)) + guidance.patience
                    END
                WHEN newest.state = 'accepted' THEN newest.accepted_at + guidance.patience
                ELSE newest.finished_at
            END AS advice_at
        FROM outbox AS message
        JOIN newest_of ON newest_of.message_id = message.id
        JOIN outbox AS newest ON newest.id = newest_of.newest_id
        CROSS JOIN outbox_guidance AS guidance
        CROSS JOIN relays
        CROSS JOIN clock;
        """

    /// Reasons for which a recipient's mail system refuses a mail although its address is good.
    private static let notTheAddress = [
        "mailbox-full", "policy-refusal", "greylisted", "recipient-deferred", "content-refused", "message-too-big",
    ].map { "'\($0)'" }.joined(separator: ", ")
}
