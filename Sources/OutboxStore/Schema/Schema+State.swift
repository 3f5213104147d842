// The state that outboxd keeps of each message, and its other records. Applications read outbox_status instead.

extension Schema {
    /// One row per message. It holds no secret, so its size may change.
    static let state = """
        CREATE TABLE outbox_state (
            -- The order of the inserts, independent of ids and the clock: a newer message has a higher sequence.
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            message_id INTEGER NOT NULL UNIQUE,
            -- Identifies the mail to other mail systems (Message-ID): 12 hexadecimal digits of the time, so that ids
            -- are neighbours in their index, and 80 random bits, so that nobody can guess an id.
            envelope_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            -- The person that the message is for: 'account:' and the account, else 'address:' and the address.
            person TEXT NOT NULL,
            -- The recipient in canonical form: ASCII letters in lower case, the domain in A-labels as far as
            -- outbox_domain knows them.
            address TEXT NOT NULL,
            priority INTEGER NOT NULL,
            requested_at INTEGER NOT NULL,
            not_before INTEGER,
            -- With valid_for: set when a mail may have been handed over, so that it never moves afterwards.
            expires_at INTEGER,
            valid_for INTEGER,
            state TEXT NOT NULL
                -- No IN: for a list of three or more texts SQLite creates a temporary index each time it checks a row.
                CONSTRAINT state_is_known CHECK (
                    state = 'queued' OR state = 'sending' OR state = 'deferred' OR state = 'accepted'
                    OR state = 'rejected' OR state = 'expired' OR state = 'superseded' OR state = 'suppressed'
                    OR state = 'cancelled' OR state = 'bounced'),
            -- When the next attempt is due, while the message waits.
            due_at INTEGER,
            -- When the hold by a limit on resends ends. It stays afterwards, to distinguish a held mail from a late
            -- one.
            held_until INTEGER,
            -- When outboxd noticed that the file was restored, with this message open in it: an operator decides whether
            -- it may be sent (`outboxctl accept-restored`). NULL afterwards.
            restored_at INTEGER,
            claimed_by TEXT,
            lease_expires_at INTEGER,
            -- Numbers the attempts and fences their completion.
            last_attempt INTEGER NOT NULL DEFAULT 0,
            -- The attempts that count in the retry schedule; an attempt that failed through a relay's own fault does
            -- not.
            attempts INTEGER NOT NULL DEFAULT 0,
            uncertain_attempts INTEGER NOT NULL DEFAULT 0,
            -- How often outboxd died while the message was claimed, since its last attempt with an outcome; and how
            -- many of these times nothing else was claimed.
            interruptions INTEGER NOT NULL DEFAULT 0,
            interruptions_alone INTEGER NOT NULL DEFAULT 0,
            is_alone INTEGER NOT NULL DEFAULT 0,
            -- The application withdrew the message while it was being sent.
            is_cancelled INTEGER NOT NULL DEFAULT 0,
            accepted_at INTEGER,
            finished_at INTEGER,
            -- The application gave the token. If it is lost, the message must not get another one.
            has_given_token INTEGER NOT NULL CHECK (has_given_token IN (0, 1)),
            -- The slot of the message's token in outbox_secret.
            secret INTEGER,
            -- The failure policy's verdict on a final failure: another address would help. NULL after an operator took
            -- the address off the suppression list, because the verdict was wrong.
            blames_address INTEGER CHECK (blames_address IN (0, 1)),
            CONSTRAINT lease_exists_exactly_while_sending CHECK (
                (lease_expires_at IS NOT NULL) = (state = 'sending') AND (claimed_by IS NOT NULL) = (state = 'sending')),
            -- A message of a restored file is open, but never due.
            CONSTRAINT due_at_exists_exactly_while_it_waits CHECK (
                (due_at IS NOT NULL) = ((state = 'queued' OR state = 'deferred') AND restored_at IS NULL)),
            CONSTRAINT restored_at_exists_only_while_it_waits CHECK (
                restored_at IS NULL OR state = 'queued' OR state = 'deferred'),
            CONSTRAINT finished_at_exists_exactly_when_final CHECK (
                (finished_at IS NULL) = (state = 'queued' OR state = 'sending' OR state = 'deferred')),
            CONSTRAINT accepted_at_exists_exactly_after_acceptance CHECK (
                (accepted_at IS NOT NULL) = (state = 'accepted' OR state = 'bounced')),
            CONSTRAINT secret_exists_exactly_while_a_given_token_is_open CHECK (
                (secret IS NOT NULL) = (finished_at IS NULL AND has_given_token = 1))
        ) STRICT;

        -- The order of claims within a priority; only rows that can be claimed.
        CREATE INDEX outbox_due ON outbox_state (priority, due_at) WHERE due_at IS NOT NULL;
        CREATE INDEX outbox_expiring ON outbox_state (expires_at) WHERE due_at IS NOT NULL AND expires_at IS NOT NULL;
        CREATE INDEX outbox_leased ON outbox_state (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
        -- The rows that retention removes, oldest first.
        CREATE INDEX outbox_finished ON outbox_state (finished_at) WHERE finished_at IS NOT NULL;
        CREATE INDEX outbox_restored ON outbox_state (restored_at) WHERE restored_at IS NOT NULL;
        CREATE INDEX outbox_cancelled ON outbox_state (claimed_by) WHERE is_cancelled = 1 AND claimed_by IS NOT NULL;
        CREATE INDEX outbox_interrupted ON outbox_state (interruptions, due_at)
            WHERE due_at IS NOT NULL AND interruptions > 0;
        -- For reports. A message without an attempt can't be reported, so the index costs an insert nothing.
        CREATE INDEX outbox_envelope ON outbox_state (envelope_id) WHERE last_attempt > 0;
        -- The messages of a person and kind: finds the newest one and the ones that it supersedes.
        CREATE INDEX outbox_person_open ON outbox_state (person, kind, not_before) WHERE finished_at IS NULL;
        CREATE INDEX outbox_person_final ON outbox_state (person, kind)
            WHERE finished_at IS NOT NULL AND state <> 'cancelled';
        CREATE INDEX outbox_person_accepted ON outbox_state (person, kind, accepted_at) WHERE accepted_at IS NOT NULL;
        -- The rows whose address the insert trigger may not have converted to canonical form; final ones stay in it.
        CREATE INDEX outbox_outside_ascii ON outbox_state (sequence) WHERE \(hasNonASCIIAddress);
        -- The rows that are forgiven when an address is taken off the suppression list.
        CREATE INDEX outbox_blamed ON outbox_state (address) WHERE blames_address = 1;
        -- The mails that were sent or are being sent to an address: for the limits on resends.
        CREATE INDEX outbox_address_sent ON outbox_state (address, kind, accepted_at)
            WHERE accepted_at IS NOT NULL OR lease_expires_at IS NOT NULL;
        """

    /// Attempts, reports, relays, suppressed addresses, settings and runs.
    static let records = """
        CREATE TABLE outbox_attempt (
            message_id INTEGER NOT NULL,
            attempt INTEGER NOT NULL CONSTRAINT attempt_is_numbered_from_1 CHECK (attempt >= 1),
            started_at INTEGER NOT NULL,
            finished_at INTEGER,
            outcome TEXT CONSTRAINT outcome_is_known CHECK (
                outcome = 'accepted' OR outcome = 'deferred' OR outcome = 'rejected' OR outcome = 'uncertain'),
            relay TEXT,
            stage TEXT CONSTRAINT stage_is_known CHECK (
                stage = 'compose' OR stage = 'connect' OR stage = 'tls' OR stage = 'ehlo' OR stage = 'starttls'
                OR stage = 'auth' OR stage = 'mail' OR stage = 'rcpt' OR stage = 'data' OR stage = 'body'
                OR stage = 'final-dot'),
            fault TEXT CONSTRAINT fault_is_known CHECK (
                fault = 'recipient' OR fault = 'message' OR fault = 'relay' OR fault = 'configuration'),
            reason TEXT,
            -- Whether the retry schedule counts the attempt.
            counts INTEGER NOT NULL DEFAULT 1 CONSTRAINT counts_is_0_or_1 CHECK (counts IN (0, 1)),
            reply_code INTEGER CONSTRAINT reply_code_has_three_digits CHECK (reply_code BETWEEN 100 AND 999),
            enhanced_status TEXT,
            -- The relay's words, or libcurl's, or outboxd's.
            detail TEXT,
            queue_id TEXT,
            PRIMARY KEY (message_id, attempt),
            CONSTRAINT outcome_exists_exactly_when_finished CHECK ((outcome IS NULL) = (finished_at IS NULL))
        ) STRICT, WITHOUT ROWID;

        -- A relay's own id of a mail, which the relay's reports quote: only ids that are long enough to be unique.
        CREATE INDEX outbox_attempt_queue_id ON outbox_attempt (queue_id) WHERE length(queue_id) >= 20;

        -- Other mail systems' reports about accepted mails (RFC 3464, 3834, 5965): the newest of each action, but the
        -- first of a delivery.
        CREATE TABLE outbox_report (
            message_id INTEGER NOT NULL,
            action TEXT NOT NULL CONSTRAINT action_is_known CHECK (
                action = 'failed' OR action = 'delayed' OR action = 'delivered' OR action = 'relayed'
                OR action = 'expanded' OR action = 'returned' OR action = 'answered' OR action = 'complained'),
            received_at INTEGER NOT NULL,
            status TEXT,
            reason TEXT,
            reporting_mta TEXT,
            detail TEXT,
            PRIMARY KEY (message_id, action)
        ) STRICT, WITHOUT ROWID;

        -- Addresses that are not mailed for a while, in the form of outbox_state.address.
        CREATE TABLE outbox_suppression (
            address TEXT PRIMARY KEY,
            reason TEXT NOT NULL,
            source TEXT NOT NULL CONSTRAINT source_is_known CHECK (source IN ('refused', 'reported', 'manual')),
            message_id INTEGER,
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX outbox_suppression_message ON outbox_suppression (message_id) WHERE message_id IS NOT NULL;
        CREATE INDEX outbox_suppression_expiring ON outbox_suppression (expires_at);

        -- The configured relays in order of preference, as the running outboxd last saw them.
        CREATE TABLE outbox_relay (
            name TEXT PRIMARY KEY,
            position INTEGER NOT NULL,
            state TEXT NOT NULL CONSTRAINT state_is_known CHECK (
                state IN ('up', 'suspected', 'paused', 'probing')),
            paused_until INTEGER,
            down_since INTEGER,
            fault TEXT,
            reason TEXT,
            stage TEXT,
            detail TEXT,
            setting TEXT,
            -- The connection that was opened last; NULL without TLS.
            tls_version TEXT,
            tls_cipher TEXT,
            certificate_name TEXT,
            certificate_expires_at INTEGER,
            -- The relay's own limit, offered or learnt; NULL if none is known.
            mails_per_connection INTEGER CONSTRAINT a_connection_takes_a_mail CHECK (mails_per_connection > 0),
            updated_at INTEGER NOT NULL,
            CONSTRAINT a_relay_that_is_down_has_a_reason CHECK (
                (state = 'up') = (down_since IS NULL) AND (state = 'up') = (reason IS NULL)),
            CONSTRAINT tls_has_version_and_cipher CHECK ((tls_version IS NULL) = (tls_cipher IS NULL)),
            CONSTRAINT a_certificate_belongs_to_tls CHECK (
                tls_version IS NOT NULL OR (certificate_name IS NULL AND certificate_expires_at IS NULL))
        ) STRICT, WITHOUT ROWID;

        -- The configuration's guidance for the advice, which the view reads. Durations in milliseconds. If the row is
        -- missing, as in a copy of the schema alone, the view uses these defaults.
        CREATE TABLE outbox_guidance (
            id INTEGER PRIMARY KEY CONSTRAINT there_is_one_guidance CHECK (id = 1),
            patience INTEGER NOT NULL DEFAULT 300000 CHECK (patience > 0),
            resends INTEGER NOT NULL DEFAULT 1 CHECK (resends >= 0),
            resend_window INTEGER NOT NULL DEFAULT 3600000 CHECK (resend_window > 0)
        ) STRICT;
        INSERT INTO outbox_guidance (id) VALUES (1);

        -- Idempotency keys stay when their row is deleted, until retention removes them. Retention renews used_at while
        -- the row exists.
        CREATE TABLE outbox_used_key (
            idempotency_key TEXT PRIMARY KEY,
            message_id INTEGER NOT NULL,
            used_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX outbox_used_key_age ON outbox_used_key (used_at, message_id);

        -- Ids of messages that retention removed. Until retention forgets an id, it can't be inserted again: an ORM
        -- that saves an old object whose row is gone would insert it.
        CREATE TABLE outbox_retired_id (
            message_id INTEGER PRIMARY KEY,
            retired_at INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX outbox_retired_id_age ON outbox_retired_id (retired_at);

        -- The results of the messages that retention removed, by kind and by the day of their request (its start, UTC).
        CREATE TABLE outbox_day (
            day INTEGER NOT NULL,
            kind TEXT NOT NULL,
            requested INTEGER NOT NULL,
            -- Within the patience configured at their removal.
            accepted_in_time INTEGER NOT NULL,
            accepted_late INTEGER NOT NULL,
            expired INTEGER NOT NULL,
            rejected INTEGER NOT NULL,
            superseded INTEGER NOT NULL,
            suppressed INTEGER NOT NULL,
            cancelled INTEGER NOT NULL,
            longest_delay INTEGER,
            PRIMARY KEY (day, kind)
        ) STRICT, WITHOUT ROWID;

        -- How many accepted messages took how long. `delay` is the upper bound of a group in milliseconds, at most a
        -- sixteenth above the times that it counts.
        CREATE TABLE outbox_day_delay (
            day INTEGER NOT NULL,
            kind TEXT NOT NULL,
            delay INTEGER NOT NULL,
            mails INTEGER NOT NULL,
            PRIMARY KEY (day, kind, delay)
        ) STRICT, WITHOUT ROWID;

        -- Non-ASCII domains of recipients, in lower case, and their A-labels (RFC 5890 §2.3.2.1): SQL has no IDNA.
        -- outboxd adds a spelling when it first sees it.
        CREATE TABLE outbox_domain (
            spelling TEXT PRIMARY KEY,
            a_labels TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;

        -- Identifies the file, wherever it is and whatever its name: by the identity outboxd finds its mark, which says
        -- outside of the file what outboxd last committed to it.
        CREATE TABLE outbox_file (
            id INTEGER PRIMARY KEY CONSTRAINT there_is_one_file CHECK (id = 1),
            identity TEXT NOT NULL CONSTRAINT identity_has_32_hexadecimal_digits CHECK (
                length(identity) = 32 AND identity NOT GLOB '*[^0-9a-f]*')
        ) STRICT;
        \(identity)

        -- For each of outboxd's newest runs, a number, in part random, and how many changes it has committed. An older copy
        -- of the file has fewer, or lacks the run. AUTOINCREMENT: it is known that there were runs if they are deleted.
        CREATE TABLE outbox_run (
            run INTEGER PRIMARY KEY AUTOINCREMENT,
            commits INTEGER NOT NULL,
            committed_at INTEGER NOT NULL
        ) STRICT;
        """

    /// Gives the file its identity, unless it has one.
    static let identity = "INSERT OR IGNORE INTO outbox_file (id, identity) VALUES (1, lower(hex(randomblob(16))));"
}
