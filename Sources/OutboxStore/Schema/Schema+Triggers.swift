// Where tokens are kept, and the triggers that turn an application's statements into state. Never decides about
// delivery.

extension Schema {
    /// Tokens of open messages.
    ///
    /// SQLite does not clear the octets that a row leaves behind when it moves: neither when the row changes its size
    /// nor when pages are rebalanced, even with `secure_delete` (rebuildPage in btree.c). So a token's row never
    /// changes its size and is never deleted. A token is stored in a slot of one of a few sizes, padded with line
    /// feeds, which no token contains. A freed slot is overwritten in place and reused. New rows are only appended.
    static let secrets = """
        CREATE TABLE outbox_secret (
            slot INTEGER PRIMARY KEY,
            token TEXT NOT NULL
        ) STRICT;
        -- Ballast: with three rows of three fifths of a page each, the root is an interior page from the start. The
        -- first split of a root page leaves its rows behind in it.
        \(ballast)

        CREATE TABLE outbox_free_secret (
            octets INTEGER NOT NULL,
            slot INTEGER NOT NULL,
            PRIMARY KEY (octets, slot)
        ) STRICT, WITHOUT ROWID;

        -- A message that becomes final frees its slot, whichever statement ends it.
        CREATE TRIGGER outbox_secret_given_back AFTER UPDATE OF secret ON outbox_state
        WHEN OLD.secret IS NOT NULL AND NEW.secret IS NULL
        BEGIN
            \(freeSecret)
        END;
        CREATE TRIGGER outbox_secret_deleted AFTER DELETE ON outbox_state WHEN OLD.secret IS NOT NULL BEGIN
            \(freeSecret)
        END;
        """

    /// Adds the ballast rows.
    static let ballast = """
        INSERT OR IGNORE INTO outbox_secret (slot, token)
            SELECT -number, substr(hex(zeroblob(page_size / 2)), 1, page_size * 3 / 5)
            FROM pragma_page_size, (SELECT 1 AS number UNION SELECT 2 UNION SELECT 3);
        """

    private static let freeSecret = """
        UPDATE outbox_secret SET token = printf('%.*c', \(octets("token")), char(10)) WHERE slot = OLD.secret;
            INSERT INTO outbox_free_secret (octets, slot)
                SELECT \(octets("token")), slot FROM outbox_secret WHERE slot = OLD.secret;
        """

    /// The size of the slot for a token: larger than the token, so that there is at least one line feed.
    private static let slotOctets = """
        CASE WHEN octets < 64 THEN 64 WHEN octets < 128 THEN 128 WHEN octets < 256 THEN 256
                    WHEN octets < 512 THEN 512 WHEN octets < 1024 THEN 1024 WHEN octets < 2048 THEN 2048
                    WHEN octets < 4096 THEN 4096 ELSE 4097 END
        """

    static let triggers = """
        -- An id that the application gives. In a BEFORE trigger an id that SQLite will choose reads as -1. A CHECK on
        -- the highest id would refuse every later insert without an id. No EXISTS of a UNION ALL: SQLite 3.51.1 finds
        -- nothing there.
        CREATE TRIGGER outbox_given_id BEFORE INSERT ON outbox WHEN NEW.id > 0 BEGIN
            SELECT RAISE(ABORT, 'id_is_at_most_2_to_the_62') WHERE NEW.id > 4611686018427387904;
            SELECT RAISE(ABORT, 'id_was_used_before') FROM outbox_state WHERE message_id = NEW.id;
            SELECT RAISE(ABORT, 'id_was_used_before') FROM outbox_retired_id WHERE message_id = NEW.id;
        END;

        \(variablesTrigger("outbox_variables_inserted", on: "INSERT", when: "NEW.variables <> '{}'"))

        \(variablesTrigger(
            "outbox_variables_updated",
            on: "UPDATE OF variables",
            when: "NEW.variables <> '{}' AND NEW.variables IS NOT OLD.variables"
        ))

        -- Invalid UTF-8 is read as a different text than the application meant: a mail would go to another address.
        CREATE TRIGGER outbox_text_is_utf8 BEFORE INSERT ON outbox
        WHEN \(["recipient", "account", "idempotency_key", "token"].map { isOutsideASCII("NEW.\($0)") }
            .joined(separator: "\n    OR "))
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
                SELECT NEW.idempotency_key, NEW.id, \(now) WHERE NEW.idempotency_key IS NOT NULL;
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
                    \(now) AS now,
                    (SELECT \(slotOctets) FROM (SELECT \(octets("NEW.token")) AS octets)) AS slot_octets,
                    coalesce(
                        (SELECT lower(substr(NEW.recipient, 1, instr(NEW.recipient, '@'))) || a_labels FROM outbox_domain
                            WHERE spelling = lower(substr(NEW.recipient, instr(NEW.recipient, '@') + 1))
                                AND \(isOutsideASCII("NEW.recipient"))),
                        lower(NEW.recipient)) AS address
                LIMIT 1); -- LIMIT: SQLite does not merge the two SELECTs, so each value is computed once.
            -- Into a free slot, else into a new slot at the end.
            UPDATE outbox_secret
                SET token = NEW.token || printf('%.*c', \(octets("token")) - \(octets("NEW.token")), char(10))
                WHERE slot = (SELECT secret FROM outbox_state WHERE message_id = NEW.id);
            INSERT INTO outbox_secret (slot, token)
                SELECT secret, NEW.token || printf('%.*c', slot_octets - octets, char(10))
                FROM outbox_state, (SELECT octets, \(slotOctets) AS slot_octets
                    FROM (SELECT \(octets("NEW.token")) AS octets))
                WHERE message_id = NEW.id AND secret > coalesce((SELECT max(slot) FROM outbox_secret), 0);
            DELETE FROM outbox_free_secret WHERE (octets, slot) = (
                SELECT \(octets("token")), slot FROM outbox_secret
                WHERE slot = (SELECT secret FROM outbox_state WHERE message_id = NEW.id));
            UPDATE outbox SET token = \(zeros(for: "NEW.token")) WHERE id = NEW.id AND NEW.token IS NOT NULL;
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
            UPDATE outbox SET token = \(zeros(for: "NEW.token")) WHERE id = NEW.id;
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
            \(cancelling("message_id = NEW.id"))
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
        """

    /// Ends the chosen messages that wait, and marks those that are being sent.
    static func cancelling(_ isChosen: String) -> String {
        """
        UPDATE outbox_state SET is_cancelled = 1 WHERE \(isChosen) AND state = 'sending';
            UPDATE outbox_state
                SET state = 'cancelled', due_at = NULL, restored_at = NULL, secret = NULL, finished_at = \(now)
                WHERE \(isChosen) AND (state = 'queued' OR state = 'deferred');
        """
    }

    private static func withoutWhiteSpace(_ text: String) -> String {
        "replace(replace(replace(replace(\(text), ' ', ''), char(9), ''), char(10), ''), char(13), '')"
    }

    /// json_tree is a table, which `trusted_schema=OFF` allows; json_valid and json_type are functions, which it
    /// forbids. Invalid JSON ends with SQLite's own "malformed JSON".
    private static func variablesTrigger(_ name: String, on event: String, when condition: String) -> String {
        """
        CREATE TRIGGER \(name) BEFORE \(event) ON outbox
        WHEN \(condition) AND NEW.variables <> '' AND \(octets("NEW.variables")) <= 65536
        BEGIN
            SELECT RAISE(ABORT, 'variables_is_a_json_object')
                WHERE (SELECT type FROM json_tree(NEW.variables) LIMIT 1) <> 'object';
            -- From 3.42 on SQLite reads JSON5, such as {a:1}, which outboxd does not. SQLite writes the value as JSON
            -- without white space between the tokens, so all white space is removed from both texts, also within
            -- strings.
            SELECT RAISE(ABORT, 'variables_is_strict_json') FROM (
                SELECT value FROM json_tree(NEW.variables) LIMIT 1)
                WHERE value <> NEW.variables
                    AND \(withoutWhiteSpace("value")) <> \(withoutWhiteSpace("NEW.variables"));
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
        """
    }
}
