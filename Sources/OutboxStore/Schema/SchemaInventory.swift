// Compares the outbox's objects in a file with those that this program makes. Never changes anything.

import GRDB

/// The outbox's tables, indexes, triggers and views in one database.
///
/// Tools of applications remove objects or make them from their own description of a table, which has neither rules nor
/// triggers. A table is compared by what delivery needs of it: an application may have added a column, and SQLite may
/// have rewritten its text. All other objects are compared by their text. Names are compared in lower case, because
/// SQLite does not distinguish cases either.
struct SchemaInventory {
    struct Table: Sendable {
        struct Column: Sendable, Equatable {
            let name: String
            let type: String
            let isNotNull: Bool
            let standard: String?
            let place: Int
            let isGenerated: Bool
        }

        let columns: [Column]
        /// The columns of each UNIQUE constraint.
        let unique: Set<[String]>
        let isStrict: Bool
        let isWithoutRowID: Bool
        let isAutoincrementing: Bool
        /// The names of the rules.
        let rules: Set<String>
    }

    struct Object: Sendable {
        let type: String
        let name: String
        /// The table of an index or a trigger; otherwise its own name.
        let table: String
        /// The statement that makes it.
        let text: String

        var description: String { "\(type) \(name)" }
        /// The type with its article.
        var phrase: String { type == "index" ? "an index" : "a \(type)" }
        /// Whether the statement reads or writes a table, or belongs to it.
        func uses(_ table: String) -> Bool {
            let words = text.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            return zip(words, words.dropFirst()).contains { before, name in
                name == table && ["FROM", "JOIN", "INTO", "UPDATE", "ON"].contains(before)
            }
        }

        /// A trigger may have the name of another object (https://sqlite.org/schematab.html).
        var key: String { type == "trigger" ? "trigger \(name.lowercased())" : name.lowercased() }
    }

    /// In the order of their creation.
    let objects: [Object]
    /// By name, in lower case.
    private let tables: [String: Table]

    private static let isOurs = "(lower(name) = 'outbox' OR lower(name) GLOB 'outbox_*')"

    /// The statements that made the outbox's objects.
    static func texts(_ database: Database) throws -> Set<String> {
        try String.fetchSet(database, sql: "SELECT sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND \(isOurs)")
    }

    /// The inventory of a database that some statements make.
    init(madeBy sql: String) throws {
        self = try DatabaseQueue().write { database in
            try database.execute(sql: sql)
            return try SchemaInventory(database)
        }
    }

    /// - Parameter expected: the shapes of tables with other names than these are not read. SQLite can't read an
    ///   application's virtual table without the application's module.
    init(_ database: Database, comparedWith expected: SchemaInventory? = nil) throws {
        objects = try Row.fetchAll(
            database,
            sql: """
                SELECT CASE WHEN type = 'table' AND rootpage = 0 THEN 'virtual table' ELSE type END AS type,
                    name, tbl_name, sql
                FROM main.sqlite_schema WHERE sql IS NOT NULL AND \(Self.isOurs) ORDER BY rowid
                """
        ).map { Object(type: $0["type"], name: $0["name"], table: $0["tbl_name"], text: $0["sql"]) }
        let known = expected.map { Set($0.objects.map(\.key)) }
        tables = try objects.filter { $0.type == "table" }.reduce(into: [:]) { tables, object in
            if let known, !known.contains(object.key) { return }
            tables[object.key] = try Table(object, in: database)
        }
    }

    /// Whether nothing here has a name of the expected schema.
    func isDisjoint(from expected: SchemaInventory) -> Bool {
        Set(objects.map(\.key)).isDisjoint(with: expected.objects.map(\.key))
    }

    /// The deviations from the expected schema, or `nil` where there is none.
    ///
    /// - Parameter database: to find tables that were renamed.
    func problem(expected: SchemaInventory, in database: Database) throws -> SchemaProblem? {
        let present = Dictionary(objects.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        var missing: [Object] = []
        var changed: [Object] = []
        var reshaped: [SchemaProblem.Reshaped] = []
        var foreign: [String] = []
        for object in expected.objects {
            guard let found = present[object.key] else {
                missing.append(object)
                continue
            }
            if found.type != object.type {
                let columns = tables[found.key]?.columns.map(\.name) ?? []
                if found.type == "table", columns.contains("id"), object.type == "view" {
                    reshaped.append(.init(found, "is \(found.phrase) and should be \(object.phrase)"))
                } else {
                    foreign.append(Self.words(found, columns))
                }
            } else if object.type == "table" {
                guard let table = tables[found.key], let wanted = expected.tables[object.key] else { continue }
                if table.isForeign(to: wanted) {
                    foreign.append(Self.words(found, table.columns.map(\.name)))
                } else if let difference = table.difference(from: wanted) {
                    reshaped.append(.init(found, difference))
                }
            } else if found.table.lowercased() != object.table.lowercased() {
                foreign.append("\(found.description) on \(found.table)")
            } else if Self.plain(found.text) != Self.plain(object.text) {
                changed.append(object)
            }
        }
        for table in missing where table.type == "table" {
            if let name = try renamed(table.name, expected, in: database) {
                // In this mode SQLite leaves the texts of views and triggers as they are, in both directions.
                let isLegacy = expected.objects.contains { object in
                    (object.type == "view" || object.type == "trigger") && object.uses(table.name)
                        && present[object.key].map { Self.plain($0.text) == Self.plain(object.text) } ?? false
                }
                return .renamed(from: table.name, to: name, isLegacy: isLegacy)
            }
        }
        if !foreign.isEmpty { return .foreign(foreign) }
        if !reshaped.isEmpty { return .reshaped(reshaped) }
        return missing.isEmpty && changed.isEmpty ? nil : .incomplete(missing: missing, changed: changed)
    }

    /// The present name of one of our tables that was renamed: SQLite took its indexes and triggers along.
    private func renamed(_ table: String, _ expected: SchemaInventory, in database: Database) throws -> String? {
        let ours = Set(expected.objects.filter { $0.table == table && $0.type != "table" }.map(\.key))
        guard let wanted = expected.tables[table.lowercased()] else { return nil }
        let names = Set(objects.filter { ours.contains($0.key) && $0.table.lowercased() != table }.map(\.table))
        if let name = try names.sorted().first(where: { name in
            let columns = try database.columns(in: name).map(\.name)
            return Set(wanted.columns.filter { !$0.isGenerated }.map(\.name)).isSubset(of: columns)
        }) {
            return name
        }
        // A table without indexes and triggers is found by its shape. A copy that an application made as an archive
        // has none of the rules.
        return try Row.fetchAll(
            database,
            sql: """
                SELECT type, name, tbl_name, sql FROM main.sqlite_schema
                WHERE type = 'table' AND rootpage > 0 AND name NOT GLOB 'sqlite_*'
                """
        ).map { Object(type: $0["type"], name: $0["name"], table: $0["tbl_name"], text: $0["sql"]) }
            .first { object in
                try expected.tables[object.key] == nil && wanted.columns.count > 3
                    && Table(object, in: database).difference(from: wanted) == nil
            }?.name
    }

    private static func words(_ object: Object, _ columns: [String]) -> String {
        object.description + (columns.isEmpty ? "" : " (its columns: \(columns.joined(separator: ", ")))")
    }

    /// Leaves out the things that tools change when they copy a statement: line breaks, indentation, quotes around
    /// names, and the comment with the columns that sqlite3's `.schema` writes behind a view.
    private static func plain(_ text: String) -> String {
        text.replacing(/\/\*[^*]*\*\/\s*$/, with: "").filter { !$0.isWhitespace && !"\"`[]".contains($0) }
            .lowercased()
    }
}

/// Why delivery can't work with the outbox that a file holds.
enum SchemaProblem: Error {
    /// A table or a view that another tool has made.
    struct Reshaped {
        let object: String
        /// Its description and what it lacks, as a clause.
        let difference: String

        init(_ object: SchemaInventory.Object, _ difference: String) {
            self.object = object.name
            self.difference = "\(object.name) \(difference)"
        }
    }

    /// Objects are missing or have another text. No table that is there is wrong.
    case incomplete(missing: [SchemaInventory.Object], changed: [SchemaInventory.Object])
    /// Tables lack what delivery needs.
    case reshaped([Reshaped])
    /// Somebody else's objects have names of the outbox.
    case foreign([String])
    /// A table has another name; it was renamed with or without `PRAGMA legacy_alter_table`.
    case renamed(from: String, to: String, isLegacy: Bool)
}

extension SchemaInventory.Table {
    fileprivate init(_ object: SchemaInventory.Object, in database: Database) throws {
        let list = try Row.fetchOne(
            database,
            sql: "SELECT strict, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?",
            arguments: [object.name]
        )
        isStrict = list?["strict"] ?? false
        isWithoutRowID = list?["wr"] ?? false
        columns = try Row.fetchAll(
            database,
            sql: """
                SELECT name, type, "notnull" AS is_not_null, dflt_value, pk, hidden FROM pragma_table_xinfo(?)
                """,
            arguments: [object.name]
        ).map { column in
            Column(
                name: column["name"],
                type: (column["type"] as String).uppercased(),
                isNotNull: column["is_not_null"],
                standard: column["dflt_value"],
                place: column["pk"],
                isGenerated: column["hidden"] as Int != 0
            )
        }
        let indexes = try String.fetchAll(
            database,
            sql: "SELECT name FROM pragma_index_list(?) WHERE \"unique\" AND origin = 'u' AND NOT partial",
            arguments: [object.name]
        )
        unique = Set(
            try indexes.map { index in
                try String.fetchAll(
                    database,
                    sql: "SELECT name FROM pragma_index_info(?) ORDER BY seqno",
                    arguments: [index]
                )
            }
        )
        isAutoincrementing = object.text.contains(/(?i)PRIMARY\s+KEY\s+AUTOINCREMENT/)
        rules = Set(object.text.matches(of: /CONSTRAINT "?(\w+)/).map { String($0.output.1) })
    }

    /// Whether this is somebody else's table. A model of an application's own has at least what a message needs; other
    /// tables have at least half of our columns, small ones all of them.
    fileprivate func isForeign(to wanted: Self) -> Bool {
        let names = Set(columns.map { $0.name.lowercased() })
        let common = wanted.columns.count { names.contains($0.name) }
        if wanted.columns.contains(where: { $0.name == "recipient" }) {
            return !names.isSuperset(of: ["kind", "recipient"])
        }
        return wanted.columns.count <= 3 ? common < wanted.columns.count : common * 2 < wanted.columns.count
    }

    /// What this table lacks, as a predicate of a sentence; `nil` where it lacks nothing.
    fileprivate func difference(from wanted: Self) -> String? {
        for column in wanted.columns {
            guard let found = columns.first(where: { $0.name == column.name }) else {
                return "has no column \(column.name)"
            }
            guard found == column else { return "has another definition of the column \(column.name)" }
        }
        if let rule = wanted.rules.subtracting(rules).min() { return "has no rule \(rule)" }
        if let columns = wanted.unique.subtracting(unique).first {
            return "has no UNIQUE (\(columns.joined(separator: ", ")))"
        }
        if wanted.isAutoincrementing, !isAutoincrementing { return "has no AUTOINCREMENT" }
        if isStrict != wanted.isStrict { return "is not STRICT" }
        if isWithoutRowID != wanted.isWithoutRowID { return "has row ids where it should have none, or the reverse" }
        return nil
    }
}
