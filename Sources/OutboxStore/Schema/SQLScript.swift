// Splits a text of several statements. Never runs one.

import GRDBSQLite

/// A text of SQL with several statements.
enum SQLScript {
    /// The statements without the comments between them and without the semicolons behind them. SQLite itself says where
    /// one ends (https://sqlite.org/c3ref/complete.html): the statements of a trigger end with semicolons, too.
    static func statements(_ script: String) -> [String] {
        var statements: [String] = []
        var begin = script.startIndex
        var place = begin
        while let semicolon = script.utf8[place...].firstIndex(of: UInt8(ascii: ";")) {
            place = script.utf8.index(after: semicolon)
            guard sqlite3_complete(String(script[begin..<place])) != 0 else { continue }
            statements.append(withoutLeadingComments(script[begin..<semicolon]))
            begin = place
        }
        return statements
    }

    private static func withoutLeadingComments(_ statement: Substring) -> String {
        var rest = statement.drop(while: \.isWhitespace)
        while rest.hasPrefix("--") { rest = rest.drop { !$0.isNewline }.drop(while: \.isWhitespace) }
        return String(rest)
    }
}
