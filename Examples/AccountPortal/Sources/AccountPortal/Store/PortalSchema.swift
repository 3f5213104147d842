// The portal's own tables, in one file with the outbox. Never touches a table of the outbox.

import GRDB

/// The schema of the portal. All names begin with `portal`, as all names of the outbox begin with `outbox`.
enum PortalSchema {
    /// Creates what is missing.
    static func migrate(_ database: any DatabaseWriter) throws {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("portal 1") { database in
            try database.execute(
                sql: """
                    CREATE TABLE portal_user (
                        -- AUTOINCREMENT: a mail for a removed user never belongs to another one.
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        address TEXT NOT NULL COLLATE NOCASE UNIQUE,
                        -- A scrypt hash; NULL until an invited person has chosen a password.
                        password TEXT,
                        locale TEXT NOT NULL,
                        has_full_access INTEGER NOT NULL DEFAULT 0 CHECK (has_full_access IN (0, 1)),
                        verified_at INTEGER,
                        created_at INTEGER NOT NULL
                    ) STRICT;

                    CREATE TABLE portal_session (
                        -- SHA-256 of the cookie.
                        digest BLOB PRIMARY KEY,
                        user_id INTEGER NOT NULL,
                        expires_at INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX portal_session_user ON portal_session (user_id);

                    -- What browsers asked for: only they see how the mail fares, and may redeem its link without the code.
                    CREATE TABLE portal_request (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        -- SHA-256 of the browser's cookie.
                        browser BLOB NOT NULL,
                        kind TEXT NOT NULL,
                        address TEXT NOT NULL COLLATE NOCASE,
                        locale TEXT NOT NULL,
                        -- NULL where the address has no account, and until the request is carried out.
                        message_id INTEGER,
                        is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
                        requested_at INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX portal_request_browser ON portal_request (browser, requested_at);
                    CREATE INDEX portal_request_old ON portal_request (requested_at);
                    CREATE INDEX portal_request_open ON portal_request (id) WHERE is_open = 1;

                    CREATE TABLE portal_throttle (
                        rule TEXT NOT NULL,
                        -- Whom the rule counts: an address, a network, a domain.
                        subject TEXT NOT NULL,
                        ends_at INTEGER NOT NULL,
                        count INTEGER NOT NULL,
                        PRIMARY KEY (rule, subject)
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX portal_throttle_end ON portal_throttle (ends_at);

                    CREATE TABLE portal_audit (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        at INTEGER NOT NULL,
                        actor TEXT NOT NULL,
                        action TEXT NOT NULL,
                        subject TEXT NOT NULL
                    ) STRICT;
                    """
            )
        }
        try migrator.migrate(database)
    }
}
