-- The schema of outboxd, version 1. Run it once, in one transaction. Its triggers contain semicolons,
-- so a program must not split it at each of them.

CREATE TABLE outbox_schema (
    version INTEGER PRIMARY KEY,
    applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE TABLE outbox (
    -- AUTOINCREMENT: an id that support has quoted is never given to another message.
    id INTEGER PRIMARY KEY AUTOINCREMENT
        CONSTRAINT id_is_positive CHECK (id > 0),
    kind TEXT NOT NULL
        CONSTRAINT kind_is_lower_case_letters_digits_and_hyphens CHECK (
            kind GLOB '[a-z]*' AND kind NOT GLOB '*[^a-z0-9-]*'
            AND length(kind) <= 64 AND length(CAST(kind AS BLOB)) = length(kind)),
    recipient TEXT NOT NULL
        CONSTRAINT recipient_is_not_empty CHECK (recipient <> '')
        CONSTRAINT recipient_has_no_control_characters CHECK (
        instr(CAST(recipient AS BLOB), x'00') = 0
        AND recipient NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*')
        CONSTRAINT recipient_has_no_invisible_characters CHECK (
            recipient NOT GLOB '*[^ -~]*' OR (
                recipient NOT GLOB '*[' || char(160) || char(173) || char(847) || char(1536, 45, 1541) || char(1564) || char(1757) || char(1807) || char(2192, 45, 2193) || char(2274) || char(4447, 45, 4448) || char(5760) || char(6068, 45, 6069) || char(6155, 45, 6159) || char(8192, 45, 8203) || char(8206, 45, 8207) || char(8232, 45, 8239) || char(8287, 45, 8303) || char(10240) || char(12288) || char(12644) || char(57344, 45, 63743) || char(64976, 45, 65007) || char(65279) || char(65440) || char(65520, 45, 65535) || char(69821) || char(69837) || char(78896, 45, 78911) || char(113824, 45, 113827) || char(119155, 45, 119162) || char(131070, 45, 131071) || char(196606, 45, 196607) || char(262142, 45, 1114111) || ']*'
                AND recipient NOT GLOB '*[' || char(8204, 45, 8205) || char(65024, 45, 65039) || ']*@*'
                AND recipient NOT GLOB '*[ -~][' || char(8204, 45, 8205) || ']*'))
        CONSTRAINT recipient_is_one_bare_address_with_one_at_sign CHECK (
            length(recipient) - length(replace(recipient, '@', '')) = 1
            AND recipient NOT GLOB '*[]<>()[\,;:" ]*')
        CONSTRAINT recipient_local_part_is_1_to_64_octets CHECK (
            instr(CAST(recipient AS BLOB), x'40') BETWEEN 2 AND 65)
        CONSTRAINT recipient_is_at_most_254_octets CHECK (length(CAST(recipient AS BLOB)) <= 254)
        CONSTRAINT recipient_domain_is_a_host_name CHECK (
            recipient NOT GLOB '*@' AND recipient NOT GLOB '*@[.-]*' AND recipient NOT GLOB '*@*.[.-]*'
            AND recipient NOT GLOB '*@*-.*' AND recipient NOT GLOB '*[.-]'
            AND recipient NOT GLOB '*@*[!-,/:-?[-`{-~]*'
            -- The last label is not a number, and labels have at most 63 characters.
            AND rtrim(recipient, '0123456789') NOT GLOB '*[@.]'
            AND (length(recipient) < 66 OR recipient NOT GLOB '*@*[^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.][^.]*')),
    -- Only passes through: the insert trigger moves it into outbox_secret, so a reader sees NULL. A row without
    -- a token gets one when it is sent.
    token TEXT
        CONSTRAINT token_is_not_empty CHECK (token <> '')
        CONSTRAINT token_has_no_control_characters CHECK (
        instr(CAST(token AS BLOB), x'00') = 0
        AND token NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*')
        CONSTRAINT token_is_at_most_4096_octets CHECK (length(CAST(token AS BLOB)) <= 4096),
    locale TEXT
        CONSTRAINT locale_is_a_language_tag CHECK (
            length(locale) BETWEEN 1 AND 35 AND locale NOT GLOB '*[^A-Za-z0-9_-]*'
            AND length(CAST(locale AS BLOB)) = length(locale)),
    -- The name of a time zone (IANA); outboxd knows which exist, and writes UTC for any other.
    time_zone TEXT
        CONSTRAINT time_zone_is_a_name_such_as_europe_berlin CHECK (
            length(time_zone) BETWEEN 1 AND 64 AND time_zone GLOB '[A-Za-z]*'
            AND time_zone NOT GLOB '*[^A-Za-z0-9_+/-]*' AND length(CAST(time_zone AS BLOB)) = length(time_zone)),
    account TEXT
        CONSTRAINT account_is_1_to_255_octets CHECK (length(CAST(account AS BLOB)) BETWEEN 1 AND 255)
        CONSTRAINT account_has_no_control_characters CHECK (
        instr(CAST(account AS BLOB), x'00') = 0
        AND account NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*')
        -- A language bound the number as floating point, so it no longer identifies the account.
        CONSTRAINT account_is_not_a_number_with_point_zero CHECK (
            NOT (account GLOB '[0-9]*.0' AND substr(account, 1, length(account) - 2) NOT GLOB '*[^0-9]*')),
    -- Triggers check that it is a JSON object: json_valid() in a CHECK would make the whole file unreadable for
    -- a connection with trusted_schema=OFF.
    variables TEXT DEFAULT '{}'
        CONSTRAINT variables_is_at_most_65536_octets CHECK (length(CAST(variables AS BLOB)) <= 65536),
    idempotency_key TEXT UNIQUE
        CONSTRAINT idempotency_key_is_1_to_255_octets CHECK (length(CAST(idempotency_key AS BLOB)) BETWEEN 1 AND 255),
    not_before INTEGER CONSTRAINT not_before_is_in_milliseconds_since_1970 CHECK (not_before BETWEEN 100000000000 AND 100000000000000),
    expires_at INTEGER CONSTRAINT expires_at_is_in_milliseconds_since_1970 CHECK (expires_at BETWEEN 100000000000 AND 100000000000000),
    -- In place of expires_at: how long the token works from the attempt on that hands the mail over.
    valid_for INTEGER
        CONSTRAINT valid_for_is_1_minute_to_366_days_in_milliseconds CHECK (
            valid_for BETWEEN 60000 AND 31622400000),
    priority INTEGER DEFAULT 0
        CONSTRAINT priority_is_from_minus_9_to_9 CHECK (priority BETWEEN -9 AND 9),
    -- The application sets it to 1 to cancel the message.
    cancelled INTEGER DEFAULT 0
        CONSTRAINT cancelled_is_0_or_1 CHECK (cancelled IN (0, 1)),
    CONSTRAINT expires_at_and_valid_for_are_not_both_given CHECK (expires_at IS NULL OR valid_for IS NULL)
) STRICT;

-- For a status by address and by account.
CREATE INDEX outbox_recipient ON outbox (recipient COLLATE NOCASE);
CREATE INDEX outbox_account ON outbox (account) WHERE account IS NOT NULL;

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
CREATE INDEX outbox_outside_ascii ON outbox_state (sequence) WHERE address GLOB '*[^ -~]*';
-- The rows that are forgiven when an address is taken off the suppression list.
CREATE INDEX outbox_blamed ON outbox_state (address) WHERE blames_address = 1;
-- The mails that were sent or are being sent to an address: for the limits on resends.
CREATE INDEX outbox_address_sent ON outbox_state (address, kind, accepted_at)
    WHERE accepted_at IS NOT NULL OR lease_expires_at IS NOT NULL;

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
INSERT OR IGNORE INTO outbox_file (id, identity) VALUES (1, lower(hex(randomblob(16))));

-- For each of outboxd's newest runs, a number, in part random, and how many changes it has committed. An older copy
-- of the file has fewer, or lacks the run. AUTOINCREMENT: it is known that there were runs if they are deleted.
CREATE TABLE outbox_run (
    run INTEGER PRIMARY KEY AUTOINCREMENT,
    commits INTEGER NOT NULL,
    committed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE outbox_secret (
    slot INTEGER PRIMARY KEY,
    token TEXT NOT NULL
) STRICT;
-- Ballast: with three rows of three fifths of a page each, the root is an interior page from the start. The
-- first split of a root page leaves its rows behind in it.
INSERT OR IGNORE INTO outbox_secret (slot, token)
    SELECT -number, substr(hex(zeroblob(page_size / 2)), 1, page_size * 3 / 5)
    FROM pragma_page_size, (SELECT 1 AS number UNION SELECT 2 UNION SELECT 3);

CREATE TABLE outbox_free_secret (
    octets INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (octets, slot)
) STRICT, WITHOUT ROWID;

-- A message that becomes final frees its slot, whichever statement ends it.
CREATE TRIGGER outbox_secret_given_back AFTER UPDATE OF secret ON outbox_state
WHEN OLD.secret IS NOT NULL AND NEW.secret IS NULL
BEGIN
    UPDATE outbox_secret SET token = printf('%.*c', length(CAST(token AS BLOB)), char(10)) WHERE slot = OLD.secret;
    INSERT INTO outbox_free_secret (octets, slot)
        SELECT length(CAST(token AS BLOB)), slot FROM outbox_secret WHERE slot = OLD.secret;
END;
CREATE TRIGGER outbox_secret_deleted AFTER DELETE ON outbox_state WHEN OLD.secret IS NOT NULL BEGIN
    UPDATE outbox_secret SET token = printf('%.*c', length(CAST(token AS BLOB)), char(10)) WHERE slot = OLD.secret;
    INSERT INTO outbox_free_secret (octets, slot)
        SELECT length(CAST(token AS BLOB)), slot FROM outbox_secret WHERE slot = OLD.secret;
END;

CREATE TABLE outbox_token (
    message_id INTEGER PRIMARY KEY,
    -- The order of the messages, as in outbox_state.
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    person TEXT NOT NULL,
    -- SHA-256 of the token as mailed. NULL for a given token that could be guessed from its digest.
    digest BLOB CONSTRAINT digest_is_a_sha256 CHECK (length(digest) = 32),
    -- The key that made token and code; NULL where the application gave the token and the mail shows no code.
    key_id TEXT,
    -- HMAC-SHA256 of the code under the check key; NULL where the mail shows no code.
    code_mac BLOB CONSTRAINT code_mac_is_a_sha256 CHECK (length(code_mac) = 32),
    expires_at INTEGER,
    -- Another token of the person and kind may replace this one: its kind is not in keep_older.
    is_replaceable INTEGER NOT NULL CHECK (is_replaceable IN (0, 1)),
    -- A newer mail was handed over, or another token of the person and kind was redeemed.
    replaced_at INTEGER,
    redeemed_at INTEGER,
    -- How many wrong codes were tried.
    tries INTEGER NOT NULL DEFAULT 0,
    -- What an application writes in order to redeem: the present, and the digest of a link or the proof of a
    -- code. The trigger takes it out again.
    presented_at INTEGER CONSTRAINT presented_at_is_in_milliseconds_since_1970 CHECK (presented_at BETWEEN 100000000000 AND 100000000000000),
    presented BLOB,
    -- What became of it. Nobody learns the state of a token without the token or the code.
    result TEXT GENERATED ALWAYS AS (
        CASE
            WHEN presented IS NULL THEN NULL
            WHEN presented IS NOT digest AND tries >= 5 THEN 'too-many-tries'
            WHEN presented IS NOT digest AND presented IS NOT code_mac THEN 'wrong-code'
            WHEN redeemed_at IS NOT NULL THEN 'used'
            WHEN replaced_at IS NOT NULL THEN 'replaced'
            WHEN expires_at <= presented_at THEN 'expired'
            ELSE 'ok'
        END) VIRTUAL
) STRICT;
-- Not unique: an application may give one token to two messages.
CREATE INDEX outbox_token_digest ON outbox_token (digest) WHERE digest IS NOT NULL;
CREATE INDEX outbox_token_open ON outbox_token (person, kind, sequence)
    WHERE redeemed_at IS NULL AND replaced_at IS NULL AND is_replaceable = 1;
CREATE INDEX outbox_token_redeemed ON outbox_token (person, kind, redeemed_at) WHERE redeemed_at IS NOT NULL;
-- The newest mails with a code of a person.
CREATE INDEX outbox_token_code ON outbox_token (person, kind, sequence) WHERE code_mac IS NOT NULL;

-- A forgotten value must not pass for a right one. No try is lost here, so an error is right.
CREATE TRIGGER outbox_token_is_presented_whole BEFORE UPDATE OF presented_at ON outbox_token
WHEN NEW.presented_at IS NULL OR NEW.presented IS NULL
BEGIN
    SELECT RAISE(ABORT, 'presented_at_and_presented_are_both_required');
END;

CREATE TRIGGER outbox_token_presented AFTER UPDATE OF presented_at ON outbox_token BEGIN
    UPDATE outbox_token SET tries = tries + 1
        WHERE message_id = NEW.message_id AND NEW.result = 'wrong-code';
    UPDATE outbox_token SET replaced_at = NEW.presented_at
        WHERE NEW.result = 'ok' AND NEW.is_replaceable = 1 AND person = NEW.person AND kind = NEW.kind
            AND message_id <> NEW.message_id
            AND redeemed_at IS NULL AND replaced_at IS NULL AND is_replaceable = 1;
    UPDATE outbox_token SET redeemed_at = NEW.presented_at
        WHERE message_id = NEW.message_id AND NEW.result = 'ok';
    UPDATE outbox_token SET presented = NULL WHERE message_id = NEW.message_id;
END;

-- An id that the application gives. In a BEFORE trigger an id that SQLite will choose reads as -1. A CHECK on
-- the highest id would refuse every later insert without an id. No EXISTS of a UNION ALL: SQLite 3.51.1 finds
-- nothing there.
CREATE TRIGGER outbox_given_id BEFORE INSERT ON outbox WHEN NEW.id > 0 BEGIN
    SELECT RAISE(ABORT, 'id_is_at_most_2_to_the_62') WHERE NEW.id > 4611686018427387904;
    SELECT RAISE(ABORT, 'id_was_used_before') FROM outbox_state WHERE message_id = NEW.id;
    SELECT RAISE(ABORT, 'id_was_used_before') FROM outbox_retired_id WHERE message_id = NEW.id;
END;

CREATE TRIGGER outbox_variables_inserted BEFORE INSERT ON outbox
WHEN NEW.variables <> '{}' AND NEW.variables <> '' AND length(CAST(NEW.variables AS BLOB)) <= 65536
BEGIN
    SELECT RAISE(ABORT, 'variables_is_a_json_object')
        WHERE (SELECT type FROM json_tree(NEW.variables) LIMIT 1) <> 'object';
    -- From 3.42 on SQLite reads JSON5, such as {a:1}, which outboxd does not. SQLite writes the value as JSON
    -- without white space between the tokens, so all white space is removed from both texts, also within
    -- strings.
    SELECT RAISE(ABORT, 'variables_is_strict_json') FROM (
        SELECT value FROM json_tree(NEW.variables) LIMIT 1)
        WHERE value <> NEW.variables
            AND replace(replace(replace(replace(value, ' ', ''), char(9), ''), char(10), ''), char(13), '') <> replace(replace(replace(replace(NEW.variables, ' ', ''), char(9), ''), char(10), ''), char(13), '');
    -- The depth is checked only where there are enough brackets for it.
    SELECT RAISE(ABORT, 'variables_is_at_most_32_levels_deep')
        WHERE length(NEW.variables) - length(replace(replace(NEW.variables, '{', ''), '[', '')) > 32
        AND EXISTS (
            WITH RECURSIVE
            node AS MATERIALIZED (
                SELECT id, parent FROM json_tree(NEW.variables) WHERE type = 'object' OR type = 'array'),
            level (id, depth) AS (
                SELECT id, 1 FROM node WHERE parent IS NULL
                UNION ALL
                SELECT node.id, depth + 1 FROM level JOIN node ON node.parent = level.id WHERE depth <= 32)
            SELECT 1 FROM level WHERE depth > 32);
END;

CREATE TRIGGER outbox_variables_updated BEFORE UPDATE OF variables ON outbox
WHEN NEW.variables <> '{}' AND NEW.variables IS NOT OLD.variables AND NEW.variables <> '' AND length(CAST(NEW.variables AS BLOB)) <= 65536
BEGIN
    SELECT RAISE(ABORT, 'variables_is_a_json_object')
        WHERE (SELECT type FROM json_tree(NEW.variables) LIMIT 1) <> 'object';
    -- From 3.42 on SQLite reads JSON5, such as {a:1}, which outboxd does not. SQLite writes the value as JSON
    -- without white space between the tokens, so all white space is removed from both texts, also within
    -- strings.
    SELECT RAISE(ABORT, 'variables_is_strict_json') FROM (
        SELECT value FROM json_tree(NEW.variables) LIMIT 1)
        WHERE value <> NEW.variables
            AND replace(replace(replace(replace(value, ' ', ''), char(9), ''), char(10), ''), char(13), '') <> replace(replace(replace(replace(NEW.variables, ' ', ''), char(9), ''), char(10), ''), char(13), '');
    -- The depth is checked only where there are enough brackets for it.
    SELECT RAISE(ABORT, 'variables_is_at_most_32_levels_deep')
        WHERE length(NEW.variables) - length(replace(replace(NEW.variables, '{', ''), '[', '')) > 32
        AND EXISTS (
            WITH RECURSIVE
            node AS MATERIALIZED (
                SELECT id, parent FROM json_tree(NEW.variables) WHERE type = 'object' OR type = 'array'),
            level (id, depth) AS (
                SELECT id, 1 FROM node WHERE parent IS NULL
                UNION ALL
                SELECT node.id, depth + 1 FROM level JOIN node ON node.parent = level.id WHERE depth <= 32)
            SELECT 1 FROM level WHERE depth > 32);
END;

-- Invalid UTF-8 is read as a different text than the application meant: a mail would go to another address.
CREATE TRIGGER outbox_text_is_utf8 BEFORE INSERT ON outbox
WHEN NEW.recipient GLOB '*[^' || char(1) || '-' || char(127) || ']*'
    OR NEW.account GLOB '*[^' || char(1) || '-' || char(127) || ']*'
    OR NEW.idempotency_key GLOB '*[^' || char(1) || '-' || char(127) || ']*'
    OR NEW.token GLOB '*[^' || char(1) || '-' || char(127) || ']*'
BEGIN
    SELECT RAISE(ABORT, 'recipient_account_idempotency_key_and_token_are_utf8') WHERE EXISTS (
        WITH RECURSIVE
        text (value) AS (
            SELECT NEW.recipient UNION ALL SELECT NEW.account
            UNION ALL SELECT NEW.idempotency_key UNION ALL SELECT NEW.token),
        piece (value, position, character) AS (
            SELECT value, 1, substr(value, 1, 1) FROM text WHERE value IS NOT NULL
            UNION ALL
            SELECT value, position + 1, substr(value, position + 1, 1) FROM piece
            WHERE position < length(value))
        SELECT 1 FROM piece WHERE CAST(char(unicode(character)) AS BLOB) <> CAST(character AS BLOB));
END;

-- One trigger for all effects of an insert: the order of several triggers on one event is undefined.
CREATE TRIGGER outbox_inserted AFTER INSERT ON outbox BEGIN
    SELECT RAISE(ABORT, 'idempotency_key_was_used_before') WHERE NEW.idempotency_key IS NOT NULL AND EXISTS (
        SELECT 1 FROM outbox_used_key WHERE idempotency_key = NEW.idempotency_key);
    INSERT INTO outbox_used_key (idempotency_key, message_id, used_at)
        SELECT NEW.idempotency_key, NEW.id, CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) WHERE NEW.idempotency_key IS NOT NULL;
    INSERT INTO outbox_state (message_id, envelope_id, kind, person, address, priority, requested_at, not_before,
        expires_at, valid_for, state, due_at, finished_at, has_given_token, secret)
    SELECT
        NEW.id,
        printf('%012x', now) || lower(hex(randomblob(10))),
        NEW.kind,
        coalesce('account:' || NEW.account, 'address:' || address),
        address,
        coalesce(NEW.priority, 0),
        now,
        NEW.not_before,
        NEW.expires_at,
        NEW.valid_for,
        CASE WHEN NEW.cancelled THEN 'cancelled' ELSE 'queued' END,
        CASE WHEN NEW.cancelled THEN NULL ELSE coalesce(NEW.not_before, now) END,
        CASE WHEN NEW.cancelled THEN now END,
        NEW.token IS NOT NULL,
        CASE WHEN NEW.cancelled OR NEW.token IS NULL THEN NULL ELSE coalesce(
            (SELECT min(slot) FROM outbox_free_secret WHERE octets = slot_octets),
            (SELECT max(coalesce(max(slot), 0), 0) + 1 FROM outbox_secret)) END
    FROM (
        SELECT
            CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) AS now,
            (SELECT CASE WHEN octets < 64 THEN 64 WHEN octets < 128 THEN 128 WHEN octets < 256 THEN 256
            WHEN octets < 512 THEN 512 WHEN octets < 1024 THEN 1024 WHEN octets < 2048 THEN 2048
            WHEN octets < 4096 THEN 4096 ELSE 4097 END FROM (SELECT length(CAST(NEW.token AS BLOB)) AS octets)) AS slot_octets,
            coalesce(
                (SELECT lower(substr(NEW.recipient, 1, instr(NEW.recipient, '@'))) || a_labels FROM outbox_domain
                    WHERE spelling = lower(substr(NEW.recipient, instr(NEW.recipient, '@') + 1))
                        AND NEW.recipient GLOB '*[^' || char(1) || '-' || char(127) || ']*'),
                lower(NEW.recipient)) AS address
        LIMIT 1); -- LIMIT: SQLite does not merge the two SELECTs, so each value is computed once.
    -- Into a free slot, else into a new slot at the end.
    UPDATE outbox_secret
        SET token = NEW.token || printf('%.*c', length(CAST(token AS BLOB)) - length(CAST(NEW.token AS BLOB)), char(10))
        WHERE slot = (SELECT secret FROM outbox_state WHERE message_id = NEW.id);
    INSERT INTO outbox_secret (slot, token)
        SELECT secret, NEW.token || printf('%.*c', slot_octets - octets, char(10))
        FROM outbox_state, (SELECT octets, CASE WHEN octets < 64 THEN 64 WHEN octets < 128 THEN 128 WHEN octets < 256 THEN 256
            WHEN octets < 512 THEN 512 WHEN octets < 1024 THEN 1024 WHEN octets < 2048 THEN 2048
            WHEN octets < 4096 THEN 4096 ELSE 4097 END AS slot_octets
            FROM (SELECT length(CAST(NEW.token AS BLOB)) AS octets))
        WHERE message_id = NEW.id AND secret > coalesce((SELECT max(slot) FROM outbox_secret), 0);
    DELETE FROM outbox_free_secret WHERE (octets, slot) = (
        SELECT length(CAST(token AS BLOB)), slot FROM outbox_secret
        WHERE slot = (SELECT secret FROM outbox_state WHERE message_id = NEW.id));
    UPDATE outbox SET token = substr(hex(zeroblob(length(CAST(NEW.token AS BLOB)))), 1, length(CAST(NEW.token AS BLOB))) WHERE id = NEW.id AND NEW.token IS NOT NULL;
    UPDATE outbox SET token = NULL WHERE id = NEW.id AND NEW.token IS NOT NULL;
    -- Some ORMs send NULL for a column that has a default. NOT NULL ON CONFLICT REPLACE doesn't help: with
    -- INSERT OR IGNORE the row would vanish.
    UPDATE outbox SET
        variables = coalesce(nullif(variables, ''), '{}'),
        priority = coalesce(priority, 0),
        cancelled = coalesce(cancelled, 0)
    WHERE id = NEW.id AND (NEW.variables IS NULL OR NEW.variables = '' OR NEW.priority IS NULL
        OR NEW.cancelled IS NULL);
END;

-- A late save() of a whole row brings back the token that the ORM once wrote. All ORMs accept this, and
-- none accepts an error. OLD.token IS NULL keeps the trigger from calling itself.
CREATE TRIGGER outbox_token_stays_away AFTER UPDATE OF token ON outbox
WHEN OLD.token IS NULL AND NEW.token IS NOT NULL
BEGIN
    UPDATE outbox SET token = substr(hex(zeroblob(length(CAST(NEW.token AS BLOB)))), 1, length(CAST(NEW.token AS BLOB))) WHERE id = NEW.id;
    UPDATE outbox SET token = NULL WHERE id = NEW.id;
END;

CREATE TRIGGER outbox_row_stays BEFORE UPDATE OF id, kind, recipient, account, idempotency_key, not_before,
    expires_at, valid_for, priority ON outbox
WHEN NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.recipient IS NOT OLD.recipient
    OR NEW.account IS NOT OLD.account OR NEW.idempotency_key IS NOT OLD.idempotency_key
    OR NEW.not_before IS NOT OLD.not_before OR NEW.expires_at IS NOT OLD.expires_at
    OR NEW.valid_for IS NOT OLD.valid_for
    OR coalesce(NEW.priority, 0) IS NOT coalesce(OLD.priority, 0)
BEGIN
    SELECT RAISE(ABORT, 'only_variables_locale_time_zone_and_cancelled_can_be_changed; insert a new row instead');
END;

-- Ends a waiting message. A message that is being sent is marked, and ends unless a relay accepts it.
CREATE TRIGGER outbox_cancelled AFTER UPDATE OF cancelled ON outbox
WHEN coalesce(OLD.cancelled, 0) = 0 AND NEW.cancelled = 1
BEGIN
    UPDATE outbox_state SET is_cancelled = 1 WHERE message_id = NEW.id AND state = 'sending';
    UPDATE outbox_state
        SET state = 'cancelled', due_at = NULL, restored_at = NULL, secret = NULL, finished_at = CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)
        WHERE message_id = NEW.id AND (state = 'queued' OR state = 'deferred');
END;

-- With foreign keys on or off, everything is deleted with the row except its idempotency key.
CREATE TRIGGER outbox_deleted AFTER DELETE ON outbox BEGIN
    DELETE FROM outbox_state WHERE message_id = OLD.id;
    DELETE FROM outbox_attempt WHERE message_id = OLD.id;
    DELETE FROM outbox_report WHERE message_id = OLD.id;
    DELETE FROM outbox_token WHERE message_id = OLD.id;
END;

CREATE TRIGGER outbox_final_is_final BEFORE UPDATE OF state ON outbox_state
WHEN OLD.finished_at IS NOT NULL AND NEW.state <> OLD.state
    AND NOT (OLD.state = 'accepted' AND NEW.state = 'bounced')
BEGIN
    SELECT RAISE(ABORT, 'outbox: a message in a final state stays in it; insert a new row instead');
END;

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
                    AND other.finished_at IS NULL AND other.not_before <= CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)), 0),
            coalesce((SELECT max(other.sequence) FROM outbox_state AS other
                WHERE other.person = message.person AND other.kind = message.kind
                    AND other.finished_at IS NOT NULL AND other.state <> 'cancelled'), 0)), 0),
        (SELECT max(other.sequence) FROM outbox_state AS other
            WHERE other.person = message.person AND other.kind = message.kind AND other.finished_at IS NULL),
        message.sequence) AS current_sequence
FROM outbox_state AS message;

CREATE VIEW outbox_status AS
WITH
clock (now) AS (SELECT CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)),
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
                WHEN current.returned_at > max(coalesce(current.delivered_at, 0), coalesce(current.delayed_at, 0)) THEN 'contact-support'
                WHEN current.delivered_at IS NULL AND clock.now < current.delayed_at + 86400000
                    AND (current.expires_at IS NULL OR clock.now < current.expires_at) THEN 'delivery-delayed'
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
        WHEN current.returned_at > max(coalesce(current.delivered_at, 0), coalesce(current.delayed_at, 0)) THEN current.returned_at
        WHEN current.delivered_at IS NULL AND clock.now < current.delayed_at + 86400000
                    AND (current.expires_at IS NULL OR clock.now < current.expires_at) THEN current.delayed_at
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

CREATE VIEW outbox_token_status AS
WITH clock (now) AS (SELECT CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER))
SELECT
    token.message_id,
    token.sequence,
    token.kind,
    token.person,
    -- The collation lets a plain "recipient = ?" use the index and ignore case.
    message.recipient COLLATE NOCASE AS recipient,
    message.account,
    token.digest,
    state.envelope_id,
    token.key_id,
    token.code_mac,
    token.expires_at,
    token.redeemed_at,
    -- What redeeming the link would say now.
    CASE
        WHEN token.redeemed_at IS NOT NULL THEN 'used'
        WHEN token.replaced_at IS NOT NULL THEN 'replaced'
        WHEN token.expires_at <= clock.now THEN 'expired'
        ELSE 'ok'
    END AS result
FROM outbox_token AS token
JOIN outbox AS message ON message.id = token.message_id
JOIN outbox_state AS state ON state.message_id = token.message_id
CROSS JOIN clock;

INSERT INTO outbox_schema (version) VALUES (1);
