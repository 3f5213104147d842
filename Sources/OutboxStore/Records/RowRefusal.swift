// Keeps one row that a rule of the application refuses from stopping all others. Never decides what follows for it.

import GRDB
import OutboxCore

/// A row that the database refused to change, because of a CHECK, a trigger or another rule that an application may have
/// put on the outbox's tables.
package struct RowRefusal: Sendable, Hashable {
    /// The message whose row it is.
    package let messageID: Int64
    /// SQLite's words, which name the rule.
    package let rule: String

    /// Makes one.
    package init(messageID: Int64, rule: String) {
        self.messageID = messageID
        self.rule = rule
    }
}

extension DatabaseError {
    /// The error lies in one row's values: the same statement may succeed for other rows.
    ///
    /// RAISE in a trigger is a constraint error; an error of a function that a trigger calls, such as json(), is a plain
    /// one (https://sqlite.org/rescode.html).
    fileprivate var isAboutOneRow: Bool {
        switch resultCode {
        case .SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_TOOBIG, .SQLITE_ERROR: true
        default: false
        }
    }
}

extension DatabaseError {
    /// A trigger with RAISE(IGNORE) passes over a change without an error (https://sqlite.org/lang_createtrigger.html).
    static let ignoredByTrigger = DatabaseError(
        resultCode: .SQLITE_CONSTRAINT,
        message: "a trigger ignores the change (RAISE(IGNORE))"
    )
}

extension Database {
    /// Changes rows all together, or one by one where that fails for a reason that lies in a row.
    ///
    /// - Parameters:
    ///   - rows: what to change.
    ///   - messageID: the message that a row belongs to.
    ///   - change: changes some of the rows. What it did is undone where it throws.
    /// - Returns: what `change` returned, and the rows that were refused.
    /// - Throws: errors that lie in no row, such as a full disk.
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

/// Rows that were refused lately, and when they are tried again: each time later than the time before.
struct RowsAside: Sendable {
    private struct Entry {
        let until: Timestamp
        let pause: Duration
    }

    private var entries: [Int64: Entry] = [:]

    private static let shortest = Duration.seconds(10)
    private static let longest = Duration.seconds(3600)

    /// The rows that are not to be tried now.
    func sequences(at now: Timestamp) -> [Int64] {
        entries.filter { $0.value.until > now && $0.value.until <= now + Self.longest }.keys.sorted()
    }

    /// When the first of them is tried again.
    func next(after now: Timestamp) -> Timestamp? { entries.values.map(\.until).filter { $0 > now }.min() }

    /// A row was refused.
    mutating func add(_ sequence: Int64, now: Timestamp) {
        let pause = min((entries[sequence]?.pause).map { $0 * 2 } ?? Self.shortest, Self.longest)
        entries[sequence] = Entry(until: now + pause, pause: pause)
    }

    /// Rows were taken after all, or are gone.
    mutating func remove(_ sequences: [Int64]) {
        if entries.isEmpty { return }
        for sequence in sequences { entries[sequence] = nil }
    }
}
