// Keeps one row that a rule of the application refuses from stopping all others. Never decides what follows for the
// row.

import GRDB
import OutboxCore

/// A row that the database refused to change, because of a CHECK, a trigger or another rule that an application may
/// have added to the outbox's tables.
package struct RowRefusal: Sendable, Hashable {
    /// The message whose row it is.
    package let messageID: Int64
    /// SQLite's words, which name the rule.
    package let rule: String

    /// Creates a refusal.
    package init(messageID: Int64, rule: String) {
        self.messageID = messageID
        self.rule = rule
    }
}

extension DatabaseError {
    /// The error is caused by one row's values: the same statement may succeed for other rows.
    ///
    /// RAISE in a trigger is a constraint error; an error in a function that a trigger calls, such as json(), is a
    /// plain error (https://sqlite.org/rescode.html).
    fileprivate var isAboutOneRow: Bool {
        switch resultCode {
        case .SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_TOOBIG, .SQLITE_ERROR: true
        default: false
        }
    }
}

extension DatabaseError {
    /// A trigger with RAISE(IGNORE) ignores a change without an error (https://sqlite.org/lang_createtrigger.html).
    static let ignoredByTrigger = DatabaseError(
        resultCode: .SQLITE_CONSTRAINT,
        message: "a trigger ignores the change (RAISE(IGNORE))"
    )
}

extension Database {
    /// Changes all rows together; if an error concerns a single row, changes the rows one by one.
    ///
    /// - Parameters:
    ///   - rows: the rows to change.
    ///   - messageID: the message that a row belongs to.
    ///   - change: changes some of the rows. If it throws, its changes are undone.
    /// - Returns: what `change` returned, and the rows that were refused.
    /// - Throws: errors that don't concern a single row, such as a full disk.
    func changeRows<Row, Value>(
        _ rows: [Row],
        messageID: (Row) -> Int64,
        _ change: ([Row]) throws -> [Value]
    ) throws -> (values: [Value], refused: [(row: Row, refusal: RowRefusal)]) {
        if rows.isEmpty { return ([], []) }
        do {
            return (try inSavepointReturning { try change(rows) }, [])
        } catch let error as DatabaseError where error.isAboutOneRow {
            var values: [Value] = []
            var refused: [(Row, RowRefusal)] = []
            for row in rows {
                do {
                    values += try inSavepointReturning { try change([row]) }
                } catch let error as DatabaseError where error.isAboutOneRow {
                    let rule = error.message ?? error.resultCode.description
                    refused.append((row, RowRefusal(messageID: messageID(row), rule: rule)))
                }
            }
            return (values, refused)
        }
    }

    private func inSavepointReturning<Value>(_ body: () throws -> Value) throws -> Value {
        var value: Value?
        try inSavepoint {
            value = try body()
            return .commit
        }
        guard let value else { preconditionFailure("a savepoint that did not run did not fail") }
        return value
    }
}

/// Recently refused rows, and when they are retried: after a longer delay each time.
struct RowsAside: Sendable {
    private struct Entry {
        let until: Timestamp
        let pause: Duration
    }

    private var entries: [Int64: Entry] = [:]

    private static let shortest = Duration.seconds(10)
    private static let longest = Duration.seconds(3600)

    /// The rows that must not be tried now.
    func sequences(at now: Timestamp) -> [Int64] {
        entries.filter { $0.value.until > now && $0.value.until <= now + Self.longest }.keys.sorted()
    }

    /// When the next of them is retried.
    func next(after now: Timestamp) -> Timestamp? { entries.values.map(\.until).filter { $0 > now }.min() }

    /// Notes a refused row.
    mutating func add(_ sequence: Int64, now: Timestamp) {
        let pause = min((entries[sequence]?.pause).map { $0 * 2 } ?? Self.shortest, Self.longest)
        entries[sequence] = Entry(until: now + pause, pause: pause)
    }

    /// Forgets rows that were accepted after all, or are gone.
    mutating func remove(_ sequences: [Int64]) {
        if entries.isEmpty { return }
        for sequence in sequences { entries[sequence] = nil }
    }
}
