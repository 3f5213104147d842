// Runs one prepared statement for many rows. Holds no SQL.

import GRDB
import GRDBSQLite

/// A prepared statement that runs once for each row of a batch.
///
/// It binds the values to SQLite itself. `Statement.execute(arguments:)` first makes a list of them, checks their names and
/// nests a closure for each: with twelve values that costs half as much as the UPDATE of the row.
struct RowStatement {
    private let statement: Statement

    /// Takes the statement from the connection's cache, or prepares it.
    ///
    /// - Throws: `DatabaseError`.
    init(_ database: Database, sql: String) throws {
        statement = try database.cachedStatement(sql: sql)
    }

    /// Runs the statement to its end.
    ///
    /// - Parameter bind: binds a value to each `?`, in their order.
    /// - Throws: `DatabaseError`. The statement can't be used again then (https://sqlite.org/c3ref/reset.html): GRDB has
    ///   removed it from its cache, and who tries again needs a new `RowStatement`.
    func execute(_ bind: (inout Values) throws -> Void) throws {
        statement.setUncheckedArguments(StatementArguments())
        var values = Values(statement: statement)
        try bind(&values)
        assert(values.index == sqlite3_bind_parameter_count(statement.sqliteStatement), "a value is missing")
        try statement.execute()
    }

    /// The values of one row. A parameter pack would be slower, because the compiler doesn't specialise its code for the
    /// types across functions.
    struct Values {
        fileprivate let statement: Statement
        fileprivate private(set) var index: CInt = 0

        fileprivate init(statement: Statement) { self.statement = statement }

        /// Binds the next value.
        mutating func bind(_ value: some StatementBinding) throws {
            index += 1
            let code = ResultCode(rawValue: value.bind(to: statement.sqliteStatement, at: index))
            guard code == .SQLITE_OK else {
                throw DatabaseError(resultCode: code, message: "value \(index)", sql: statement.sql)
            }
        }
    }
}
