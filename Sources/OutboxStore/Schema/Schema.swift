// The text of the schema, and the expressions that its parts share. Never runs a statement.

/// The outbox's tables, triggers, indexes and views, as SQL.
///
/// Every name begins with `outbox`, because the objects may live in an application's own database file. Tables are
/// STRICT. A rule for an application's data is a CHECK or a trigger whose name or message says what must hold, because
/// the application's developer reads it. The text needs SQLite 3.37, and works with `trusted_schema=OFF`, in defensive
/// mode, and with `foreign_keys` and `recursive_triggers` on or off.
///
/// - `outbox` holds only what an application writes (`Schema+Outbox.swift`).
/// - `outbox_state` and the other tables are outboxd's (`Schema+State.swift`).
/// - `outbox_token` holds what redeeming a token needs (`Schema+Tokens.swift`).
/// - Triggers turn an application's statements into state (`Schema+Triggers.swift`).
/// - `outbox_status` reports the state of each message (`Schema+Status.swift`).
///
/// No table refers to another table by a foreign key: an ORM that reflects the tables would follow it when it deletes.
package enum Schema {
    /// The whole schema as a new file gets it.
    static let text = [outbox, state, records, secrets, tokens, triggers, status, tokenStatus].joined(separator: "\n\n")

    /// The table of the applied versions.
    static let versions = """
        CREATE TABLE outbox_schema (
            version INTEGER PRIMARY KEY,
            applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        ) STRICT;
        """

    /// Everything that a new file gets, for an application's own migrations and test databases.
    package static let script = """
        -- The schema of outboxd, version \(upgrades.count + 1). Run it once, in one transaction. Its triggers contain semicolons,
        -- so a program must not split it at each of them.

        \(versions)

        \(text)

        INSERT INTO outbox_schema (version) VALUES \((1...upgrades.count + 1).map { "(\($0))" }.joined(separator: ", "));
        """

    /// The rows of the schema, for a copy without data, such as an application's structure.sql.
    static let rows = [ballast, "INSERT OR IGNORE INTO outbox_guidance (id) VALUES (1);", identity]
        .joined(separator: "\n")

    /// The scripts that upgrade a file: the first one upgrades version 1 to version 2. A published script never
    /// changes. ``text`` equals the result of version 1 and all of these; a test compares the two.
    static let upgrades: [String] = []

    /// The present in milliseconds since the epoch. `unixepoch('subsec')` would need SQLite 3.42.
    static let now = "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"

    /// The number of octets; `length(text)` counts characters, and only those before a NUL.
    static func octets(_ column: String) -> String { "length(CAST(\(column) AS BLOB))" }

    /// The value contains a non-ASCII character.
    static func isOutsideASCII(_ value: String) -> String {
        "\(value) GLOB '*[^' || char(1) || '-' || char(127) || ']*'"
    }

    /// The condition of the index `outbox_outside_ascii`. It names no column that a delivery changes: SQLite would search
    /// the address for the pattern in each such UPDATE.
    static let hasNonASCIIAddress = "address GLOB '*[^ -~]*'"

    /// An open message has a non-ASCII address.
    static let mayNeedCorrection = "\(hasNonASCIIAddress) AND finished_at IS NULL"

    /// A text of zeros with as many octets as the value. A value of the same size is overwritten in place; a value of
    /// another size is moved, and SQLite does not clear the octets that it leaves behind.
    static func zeros(for value: String) -> String {
        "substr(hex(zeroblob(\(octets(value)))), 1, \(octets(value)))"
    }
}
