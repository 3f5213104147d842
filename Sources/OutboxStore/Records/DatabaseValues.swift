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

/// A code in a column that no decision depends on, such as a reason: a code that this version knows, or the text that a
/// newer version wrote. States, outcomes, actions and sources are no such codes: the schema lists them, so a new one needs
/// a newer schema, and this version refuses to open that.
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
