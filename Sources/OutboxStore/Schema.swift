// The text of the schema, one entry a version. A published entry never changes: a new version is appended.

/// The outbox's tables, view, indexes and trigger, as SQL, in the order of their versions.
///
/// Every object's name begins with `outbox`, because they may live in an application's own database file. Tables are
/// STRICT, and what must always hold is a CHECK whose name says what was wrong with a refused row, because that name
/// is what an application's developer gets to read.
enum Schema {
    /// The versions' SQL scripts: the first is version 1.
    static let versions: [String] = [version1, version2, version3]

    /// The present in milliseconds since the epoch. `unixepoch('subsec')` would need SQLite 3.42.
    static let now = "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"

    /// What a time in milliseconds looks like: between 1973 and 5138, which a time in seconds or microseconds isn't.
    static func isInMilliseconds(_ column: String) -> String {
        "CONSTRAINT \(column)_is_in_milliseconds_since_1970 CHECK (\(column) BETWEEN 100000000000 AND 100000000000000)"
    }

    /// Octets, where `length(text)` counts characters, and only those before a NUL.
    private static func octets(_ column: String) -> String { "length(CAST(\(column) AS BLOB))" }

    /// No C0 or C1 control character and no DEL. GLOB ends at a NUL, so that one is looked for in the bytes.
    private static func hasNoControlCharacters(_ column: String) -> String {
        """
        CONSTRAINT \(column)_has_no_control_characters CHECK (
                instr(CAST(\(column) AS BLOB), x'00') = 0
                AND \(column) NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*')
        """
    }

    static let openStates = "('queued', 'sending', 'deferred')"
    /// Conditions of version 1 as they stand in databases, for a later version to find.
    static let defaultEnvelopeID = "lower(hex(randomblob(16)))"
    static let stateIsKnown = """
        state IN ('queued', 'sending', 'deferred', 'accepted', 'rejected',
                    'expired', 'superseded', 'suppressed', 'cancelled', 'bounced')
        """
    static let outcomeIsKnown = "outcome IN ('accepted', 'deferred', 'rejected', 'uncertain')"
    static let stageIsKnown = """
        stage IN ('compose', 'connect', 'tls', 'ehlo', 'starttls',
                'auth', 'mail', 'rcpt', 'data', 'body', 'final-dot')
        """
    static let scopeIsKnown = "scope IN ('recipient', 'message', 'relay', 'configuration')"

    private static let version1 = """
        CREATE TABLE outbox (
            -- AUTOINCREMENT: an id that support once read out is never given to another message.
            id INTEGER PRIMARY KEY AUTOINCREMENT,

            -- What the application writes.
            kind TEXT NOT NULL
                CONSTRAINT kind_is_lower_case_letters_digits_and_hyphens CHECK (
                    kind GLOB '[a-z]*' AND kind NOT GLOB '*[^a-z0-9-]*'
                    AND length(kind) <= 64 AND \(octets("kind")) = length(kind)),
            recipient TEXT NOT NULL
                CONSTRAINT recipient_is_not_empty CHECK (recipient <> '')
                \(hasNoControlCharacters("recipient"))
                CONSTRAINT recipient_is_one_bare_address_with_one_at_sign CHECK (
                    length(recipient) - length(replace(recipient, '@', '')) = 1
                    AND recipient NOT GLOB '*[]<>()[\\,;:" ]*')
                CONSTRAINT recipient_local_part_is_1_to_64_octets CHECK (
                    instr(CAST(recipient AS BLOB), x'40') BETWEEN 2 AND 65)
                CONSTRAINT recipient_domain_is_1_to_255_octets CHECK (
                    \(octets("recipient")) - instr(CAST(recipient AS BLOB), x'40') BETWEEN 1 AND 255)
                CONSTRAINT recipient_is_at_most_254_octets CHECK (\(octets("recipient")) <= 254),
            token TEXT
                CONSTRAINT token_is_not_empty CHECK (token <> '')
                \(hasNoControlCharacters("token"))
                CONSTRAINT token_is_at_most_4096_octets CHECK (\(octets("token")) <= 4096),
            locale TEXT
                CONSTRAINT locale_is_a_language_tag CHECK (
                    length(locale) BETWEEN 1 AND 35 AND locale NOT GLOB '*[^A-Za-z0-9_-]*'
                    AND \(octets("locale")) = length(locale)),
            account TEXT
                CONSTRAINT account_is_1_to_255_octets CHECK (\(octets("account")) BETWEEN 1 AND 255)
                \(hasNoControlCharacters("account")),
            variables TEXT NOT NULL DEFAULT '{}'
                CONSTRAINT variables_is_a_json_object CHECK (
                    CASE WHEN json_valid(variables) THEN json_type(variables) = 'object' ELSE 0 END),
            idempotency_key TEXT UNIQUE
                CONSTRAINT idempotency_key_is_1_to_255_octets CHECK (\(octets("idempotency_key")) BETWEEN 1 AND 255),
            not_before INTEGER \(isInMilliseconds("not_before")),
            expires_at INTEGER \(isInMilliseconds("expires_at")),
            priority INTEGER NOT NULL DEFAULT 0
                CONSTRAINT priority_is_from_minus_9_to_9 CHECK (priority BETWEEN -9 AND 9),

            -- What outboxd keeps.
            requested_at INTEGER NOT NULL DEFAULT (\(now)) \(isInMilliseconds("requested_at")),
            -- Random: it names the mail to the world (Message-ID), where a bare id would tell how many were sent.
            envelope_id TEXT NOT NULL DEFAULT (\(defaultEnvelopeID))
                CONSTRAINT envelope_id_is_lower_case_letters_and_digits CHECK (
                    envelope_id <> '' AND envelope_id NOT GLOB '*[^a-z0-9]*'
                    AND \(octets("envelope_id")) BETWEEN 1 AND 64),
            state TEXT NOT NULL DEFAULT 'queued'
                CONSTRAINT state_is_known CHECK (\(stateIsKnown)),
            attempts INTEGER NOT NULL DEFAULT 0
                CONSTRAINT attempts_is_not_negative CHECK (attempts >= 0),
            next_attempt_at INTEGER \(isInMilliseconds("next_attempt_at")),
            claimed_by TEXT,
            lease_expires_at INTEGER \(isInMilliseconds("lease_expires_at")),
            accepted_at INTEGER \(isInMilliseconds("accepted_at")),
            finished_at INTEGER \(isInMilliseconds("finished_at")),
            due_at INTEGER NOT NULL GENERATED ALWAYS AS (coalesce(next_attempt_at, not_before, requested_at)) VIRTUAL,

            CONSTRAINT token_exists_exactly_while_open CHECK ((token IS NOT NULL) = (state IN \(openStates))),
            CONSTRAINT finished_at_exists_exactly_when_final CHECK (
                (finished_at IS NULL) = (state IN \(openStates))),
            CONSTRAINT lease_exists_exactly_while_sending CHECK (
                (lease_expires_at IS NOT NULL) = (state = 'sending')
                AND (claimed_by IS NOT NULL) = (state = 'sending')),
            CONSTRAINT next_attempt_at_exists_only_while_it_waits CHECK (
                CASE state WHEN 'deferred' THEN next_attempt_at IS NOT NULL
                    WHEN 'queued' THEN 1 ELSE next_attempt_at IS NULL END),
            CONSTRAINT accepted_at_exists_exactly_after_acceptance CHECK (
                (accepted_at IS NOT NULL) = (state IN ('accepted', 'bounced')))
        ) STRICT;

        -- The claim's order within a priority, and nothing but what can be claimed.
        CREATE INDEX outbox_due ON outbox (priority, due_at) WHERE state IN ('queued', 'deferred');
        CREATE INDEX outbox_expiring ON outbox (expires_at)
            WHERE state IN ('queued', 'deferred') AND expires_at IS NOT NULL;
        CREATE INDEX outbox_leased ON outbox (lease_expires_at) WHERE state = 'sending';
        CREATE INDEX outbox_recipient ON outbox (recipient COLLATE NOCASE, kind);
        CREATE INDEX outbox_account ON outbox (account, kind) WHERE account IS NOT NULL;

        CREATE TRIGGER outbox_final_is_final BEFORE UPDATE OF state ON outbox
        WHEN OLD.state NOT IN \(openStates) AND NOT (OLD.state = 'accepted' AND NEW.state = 'bounced')
        BEGIN
            SELECT RAISE(ABORT, 'outbox: a message in a final state stays in it; insert a new row instead');
        END;

        CREATE TABLE outbox_attempt (
            message_id INTEGER NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
            attempt INTEGER NOT NULL CONSTRAINT attempt_is_numbered_from_1 CHECK (attempt >= 1),
            started_at INTEGER NOT NULL \(isInMilliseconds("started_at")),
            finished_at INTEGER \(isInMilliseconds("finished_at")),
            outcome TEXT CONSTRAINT outcome_is_known
                CHECK (\(outcomeIsKnown)),
            relay TEXT,
            stage TEXT CONSTRAINT stage_is_known CHECK (\(stageIsKnown)),
            scope TEXT CONSTRAINT scope_is_known
                CHECK (\(scopeIsKnown)),
            reply_code INTEGER CONSTRAINT reply_code_has_three_digits CHECK (reply_code BETWEEN 100 AND 999),
            enhanced_status TEXT,
            reply TEXT,
            queue_id TEXT,
            PRIMARY KEY (message_id, attempt),
            CONSTRAINT outcome_exists_exactly_when_finished CHECK ((outcome IS NULL) = (finished_at IS NULL))
        ) STRICT, WITHOUT ROWID;

        -- What to do is a matter between a person and a kind of mail, so every message of that kind to that person
        -- gets the advice that its newest one calls for. docs/sql-contract.md has the table.
        CREATE VIEW outbox_status AS
        WITH
        guidance (now, patience, resend_window) AS (SELECT \(now), 300000, 3600000),
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
            (SELECT attempt.reply FROM outbox_attempt AS attempt
                WHERE attempt.message_id = message.id AND attempt.reply IS NOT NULL
                ORDER BY attempt.attempt DESC LIMIT 1) AS last_reply,
            CASE newest.state
                WHEN 'queued' THEN 'wait'
                WHEN 'sending' THEN 'wait'
                WHEN 'deferred' THEN 'wait'
                WHEN 'accepted' THEN
                    CASE
                        WHEN guidance.now < newest.accepted_at + guidance.patience THEN 'wait'
                        WHEN CASE
                            WHEN newest.account IS NOT NULL THEN EXISTS (
                                SELECT 1 FROM outbox AS earlier
                                WHERE earlier.account = newest.account AND earlier.kind = newest.kind
                                    AND earlier.id < newest.id AND earlier.state IN ('accepted', 'bounced')
                                    AND earlier.requested_at >= newest.requested_at - guidance.resend_window)
                            ELSE EXISTS (
                                SELECT 1 FROM outbox AS earlier
                                WHERE earlier.recipient = newest.recipient COLLATE NOCASE
                                    AND earlier.kind = newest.kind AND earlier.account IS NULL
                                    AND earlier.id < newest.id AND earlier.state IN ('accepted', 'bounced')
                                    AND earlier.requested_at >= newest.requested_at - guidance.resend_window)
                            END THEN 'contact-support'
                        ELSE 'check-junk,resend'
                    END
                WHEN 'expired' THEN 'request-new'
                WHEN 'superseded' THEN 'request-new'
                WHEN 'cancelled' THEN 'request-new'
                WHEN 'suppressed' THEN 'fix-address'
                WHEN 'bounced' THEN 'fix-address'
                ELSE coalesce((
                    SELECT CASE last.scope WHEN 'recipient' THEN 'fix-address' END
                    FROM outbox_attempt AS last
                    WHERE last.message_id = newest.id ORDER BY last.attempt DESC LIMIT 1), 'contact-support')
            END AS advice,
            CASE
                WHEN newest.state = 'accepted' THEN newest.accepted_at + guidance.patience
                WHEN newest.state = 'sending' THEN guidance.now + guidance.patience
                WHEN newest.state IN ('queued', 'deferred') THEN
                    max(newest.due_at, guidance.now) + guidance.patience
                ELSE newest.finished_at
            END AS advice_at
        FROM outbox AS message
        JOIN newest_of ON newest_of.message_id = message.id
        JOIN outbox AS newest ON newest.id = newest_of.newest_id
        CROSS JOIN guidance;
        """
}
