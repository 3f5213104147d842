// What redeeming a mailed token needs, and the trigger that books a redemption. Never holds a token or a code.

extension Schema {
    /// One row for each message whose token or code can be redeemed, from its first attempt on.
    ///
    /// An application redeems with one UPDATE in its own transaction, and reads the result from RETURNING
    /// (docs/tokens.md). A refusal is a value, not an error: an error would undo the count of a wrong code.
    static let tokens = """
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
            presented_at INTEGER \(isInMilliseconds("presented_at")),
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
        """

    /// For pages that show a form, and for finding the message whose code a person typed. Changes nothing.
    static let tokenStatus = """
        CREATE VIEW outbox_token_status AS
        WITH clock (now) AS (SELECT \(now))
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
        """
}
