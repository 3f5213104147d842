// Counts the steps of SQLite's virtual machine, which are the same in every run. Never changes a statement.

import GRDB
import GRDBSQLite

/// Counts the steps of a connection's statements (https://sqlite.org/c3ref/progress_handler.html).
final class StepCounter: @unchecked Sendable {
    private(set) var steps = 0

    /// Starts counting. The counter must outlive ``detach(from:)``.
    func attach(to database: Database) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        sqlite3_progress_handler(
            database.sqliteConnection,
            1,
            { context in
                if let context { Unmanaged<StepCounter>.fromOpaque(context).takeUnretainedValue().steps += 1 }
                return 0
            },
            context
        )
    }

    /// Stops counting.
    func detach(from database: Database) { sqlite3_progress_handler(database.sqliteConnection, 0, nil, nil) }
}
