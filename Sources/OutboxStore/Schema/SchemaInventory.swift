// Compares the outbox's objects in a file with those that this program makes. Never changes anything.

import GRDB

/// The outbox's tables, indexes, triggers and views in one database.
///
/// Tools of applications remove objects or make them from their own description of a table, which has neither rules nor
/// triggers. A table is compared by what delivery needs of it: an application may have added a column, and SQLite may
/// have rewritten its text. All other objects are compared by their text.
struct SchemaInventory {
    struct Table: Sendable {
        struct Column: Sendable, Equatable {
            let name: String
            let type: String
            let isNotNull: Bool
            let place: Int
            let isGenerated: Bool
        }

        let columns: [Column]
        let isStrict: Bool
        let isWithoutRowID: Bool
        let text: String

        /// The names of the rules in the table's text.
        var rules: Set<String> { Set(text.matches(of: /CONSTRAINT (\w+)/).map { String($0.output.1) }) }
    }

    struct Object: Sendable {
        let type: String
        let name: String
        /// The statement that makes it.
        let text: String

        var description: String { "\(type) \(name)" }
        /// The type with its article.
        var phrase: String { type == "index" ? "an index" : "a \(type)" }
        /// A trigger may have the name of another object (https://sqlite.org/schematab.html).
        var key: String { type == "trigger" ? description : name }
    }

    /// In the order of their creation.
    let objects: [Object]
    private let tables: [String: Table]

    /// The inventory of a database that some statements make.
    init(madeBy sql: String) throws {
        self = try DatabaseQueue().write { database in
            try database.execute(sql: sql)
            return try SchemaInventory(database)
        }
    }

    private static let isOurs = "(name = 'outbox' OR name GLOB 'outbox_*')"

    /// The statements that made the outbox's objects.
    static func texts(_ database: Database) throws -> Set<String> {
        try String.fetchSet(database, sql: "SELECT sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND \(isOurs)")
    }

    init(_ database: Database) throws {
        objects = try Row.fetchAll(
            database,
            sql:
                "SELECT type, name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND \(Self.isOurs) ORDER BY rowid"
        ).map { Object(type: $0["type"], name: $0["name"], text: $0["sql"]) }
        let texts = Dictionary(objects.map { ($0.key, $0.text) }, uniquingKeysWith: { first, _ in first })
        tables = try Row.fetchAll(
            database,
            sql:
                "SELECT name, strict, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND \(Self.isOurs)"
        ).reduce(into: [:]) { tables, row in
            let name: String = row["name"]
            let columns = try Row.fetchAll(
                database,
                sql: """
                    SELECT name, type, "notnull" AS is_not_null, pk, hidden FROM pragma_table_xinfo(?)
                    """,
                arguments: [name]
            ).map { column in
                Table.Column(
                    name: column["name"],
                    type: (column["type"] as String).uppercased(),
                    isNotNull: column["is_not_null"],
                    place: column["pk"],
                    isGenerated: column["hidden"] as Int != 0
                )
            }
            tables[name] = Table(
                columns: columns,
                isStrict: row["strict"],
                isWithoutRowID: row["wr"],
                text: texts[name] ?? ""
            )
        }
    }

    /// Whether nothing here has a name of the expected schema.
    func isDisjoint(from expected: SchemaInventory) -> Bool {
        Set(objects.map(\.key)).isDisjoint(with: expected.objects.map(\.key))
    }

    /// The deviations from the expected schema, or `nil` where there is none.
    func problem(expected: SchemaInventory) -> SchemaProblem? {
        let present = Dictionary(objects.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        if let outbox = present["outbox"] {
            let columns = tables["outbox"]?.columns.map(\.name) ?? []
            guard columns.contains("kind"), columns.contains("recipient") else {
                return .foreign(type: outbox.type, columns: columns)
            }
        }
        var missing: [Object] = []
        var changed: [Object] = []
        var reshaped: [String] = []
        for object in expected.objects {
            guard let found = present[object.key] else {
                missing.append(object)
                continue
            }
            if found.type != object.type {
                reshaped.append("\(object.name) is \(found.phrase) and should be \(object.phrase)")
            } else if object.type == "table" {
                if let table = tables[object.name], let wanted = expected.tables[object.name],
                    let difference = table.difference(from: wanted)
                {
                    reshaped.append("\(object.name) \(difference)")
                }
            } else if Self.withoutSpace(found.text) != Self.withoutSpace(object.text) {
                changed.append(object)
            }
        }
        if !reshaped.isEmpty { return .reshaped(reshaped) }
        return missing.isEmpty && changed.isEmpty ? nil : .incomplete(missing: missing, changed: changed)
    }

    /// Some tools wrap and indent the statements that they copy.
    private static func withoutSpace(_ text: String) -> String { text.filter { !$0.isWhitespace } }
}

/// Why delivery can't work with the outbox that a file holds.
enum SchemaProblem: Error {
    /// Objects are missing or have another text. No table that is there is wrong.
    case incomplete(missing: [SchemaInventory.Object], changed: [SchemaInventory.Object])
    /// Tables lack what delivery needs: one clause each, which begins with the table's name.
    case reshaped([String])
    /// Somebody else's object has the name `outbox`.
    case foreign(type: String, columns: [String])
}

extension SchemaInventory.Table {
    /// What this table lacks, as a predicate of a sentence; `nil` where it lacks nothing.
    fileprivate func difference(from wanted: Self) -> String? {
        for column in wanted.columns {
            guard let found = columns.first(where: { $0.name == column.name }) else {
                return "has no column \(column.name)"
            }
            guard found == column else { return "has another definition of the column \(column.name)" }
        }
        if let rule = wanted.rules.subtracting(rules).min() { return "has no rule \(rule)" }
        if isStrict != wanted.isStrict { return "is not STRICT" }
        if isWithoutRowID != wanted.isWithoutRowID { return "has row ids where it should have none, or the reverse" }
        return nil
    }
}
