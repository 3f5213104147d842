// Runs one prepared statement for many rows. Holds no SQL.

import GRDB

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

    /// Runs the statement to its end, with a value for each `?` in their order.
    ///
    /// - Throws: `DatabaseError`. The statement can't be used again then (https://sqlite.org/c3ref/reset.html): GRDB has
    ///   removed it from its cache, and who tries again needs a new `RowStatement`.
    func execute<each Value: StatementBinding>(_ values: repeat each Value) throws {
        statement.setUncheckedArguments(StatementArguments())
        var index: CInt = 1
        for value in repeat each values {
            let code = ResultCode(rawValue: value.bind(to: statement.sqliteStatement, at: index))
            guard code == .SQLITE_OK else {
                throw DatabaseError(resultCode: code, message: "value \(index)", sql: statement.sql)
            }
            index += 1
        }
        try statement.execute()
    }
}
