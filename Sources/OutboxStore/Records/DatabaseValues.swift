// How values are stored in columns. Never decides which column.

package import GRDB
package import OutboxCore

/// A column of milliseconds since the Unix epoch.
extension Timestamp: DatabaseValueConvertible, StatementColumnConvertible {
    package var databaseValue: DatabaseValue { milliseconds.databaseValue }

    package static func fromDatabaseValue(_ value: DatabaseValue) -> Timestamp? {
        Int64.fromDatabaseValue(value).map(Timestamp.init(milliseconds:))
    }

    package init(sqliteStatement: SQLiteStatement, index: CInt) {
        self.init(milliseconds: Int64(sqliteStatement: sqliteStatement, index: index))
    }
}

// Stored as their raw values.
extension MessageState: DatabaseValueConvertible {}
extension Verdict.Fault: DatabaseValueConvertible {}
extension FailureReason: DatabaseValueConvertible {}
extension SMTPStage: DatabaseValueConvertible {}
extension ReportedAction: DatabaseValueConvertible {}

/// A code in a column that only explains: a code that this version knows, or the text that a newer version wrote. The
/// schema lists the codes of states, outcomes, actions and sources, so a new one of those needs a newer schema, which
/// this version refuses to open.
package struct StoredCode<Code: RawRepresentable<String>>: RawRepresentable, Hashable, Codable, Sendable,
    DatabaseValueConvertible, CustomStringConvertible
{
    /// The text in the column.
    package let rawValue: String

    /// Takes any text.
    package init(rawValue: String) { self.rawValue = rawValue }

    /// Takes a known code.
    package init(_ code: Code) { rawValue = code.rawValue }

    /// The code; `nil` where this version doesn't know it.
    package var known: Code? { Code(rawValue: rawValue) }

    package var description: String { rawValue }
}
