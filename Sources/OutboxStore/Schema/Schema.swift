// The text of the schema, and the expressions that its parts share. Never runs a statement.

/// The outbox's tables, triggers, indexes and views, as SQL.
///
/// Every name begins with `outbox`, because the objects may live in an application's own database file. Tables are STRICT.
/// A rule for what an application writes is a CHECK or a trigger whose name or message says what must hold, because an
/// application's developer gets to read it. The text needs SQLite 3.37, and works with `trusted_schema=OFF`, in
/// defensive mode, and with `foreign_keys` and `recursive_triggers` on or off.
///
/// - `outbox` holds what an application writes and nothing else (`Schema+Outbox.swift`).
/// - `outbox_state` and the other tables are outboxd's (`Schema+State.swift`).
/// - Triggers turn an application's statements into state (`Schema+Triggers.swift`).
/// - `outbox_status` answers what became of a message (`Schema+Status.swift`).
///
/// No table refers to another one by a foreign key: an ORM that reflects the tables would follow it when it deletes.
enum Schema {
    /// The whole schema as a new file gets it.
    static let text = [outbox, state, records, secrets, triggers, status].joined(separator: "\n\n")

    /// The rows that the schema brings along, for a copy of the schema alone, such as an application's structure.sql.
    static let rows = [ballast, "INSERT OR IGNORE INTO outbox_guidance (id) VALUES (1);"].joined(separator: "\n")

    /// What brings a file from version n + 1 to version n + 2: the first script makes version 2 of version 1. A published
    /// script never changes. ``text`` is what a file of version 1 and all of these amount to; a test compares the two.
    static let upgrades: [String] = []

    /// The present in milliseconds since the epoch. `unixepoch('subsec')` would need SQLite 3.42.
    static let now = "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"

    /// Octets, where `length(text)` counts characters, and only those before a NUL.
    static func octets(_ column: String) -> String { "length(CAST(\(column) AS BLOB))" }

    /// A character outside ASCII stands in the value.
    static func isOutsideASCII(_ value: String) -> String {
        "\(value) GLOB '*[^' || char(1) || '-' || char(127) || ']*'"
    }

    /// The address of an open message is outside ASCII: the condition of the index `outbox_outside_ascii`.
    static let mayNeedCorrection = "address GLOB '*[^ -~]*' AND finished_at IS NULL"

    /// A text of zeros that has as many octets as the value. A value of the same size is overwritten in place; one of
    /// another size is moved, and SQLite does not clear the octets that it leaves behind.
    static func zeros(for value: String) -> String {
        "substr(hex(zeroblob(\(octets(value)))), 1, \(octets(value)))"
    }
}
