// Checks the outbox's own tables for damage. Never checks an application's tables, and never uses the working
// connection.

import Dispatch
import GRDB
import OutboxCore
import Synchronization

/// The result of an inspection.
package enum Inspection: Sendable, Hashable {
    /// The outbox's tables are sound.
    case sound
    /// The tables are damaged; the first findings, in SQLite's words.
    case damaged([String])
    /// The limit ended the inspection before these tables.
    case unfinished([String])
}

extension OutboxDatabase {
    /// Checks the outbox's tables with `PRAGMA quick_check(TABLE)` (https://sqlite.org/pragma.html#pragma_quick_check).
    ///
    /// Inspecting the whole file would fail where an application's index has a collation or a function that only the
    /// application has. The check reads every page of the tables. It takes no lock that a writer waits for, but it
    /// keeps a snapshot, which prevents truncating the write-ahead log. So it runs table by table and within a limit.
    /// - Parameter limit: how long it may take. Cancelling the task ends it at once.
    /// - Throws: `OutboxDatabaseError` where the file can't be read for a reason other than damage.
    package func inspect(limit: Duration) async throws -> Inspection {
        try checkPlace()
        var configuration = Configuration()
        configuration.readonly = true
        configuration.label = "outbox.inspection"
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let clock = InspectionTime(limit: limit, of: queue)
            defer { clock.stop() }
            return try await withTaskCancellationHandler {
                // Each table has its own transaction; an error of damage would end a common one.
                try await queue.writeWithoutTransaction { try Self.inspect($0, clock: clock) }
            } onCancel: {
                clock.end()
            }
        } catch let error as DatabaseError where Self.isDamage(error) {
            return .damaged([error.message ?? error.resultCode.description])
        } catch let error as DatabaseError {
            throw translated(error)
        }
    }

    private static func isDamage(_ error: DatabaseError) -> Bool {
        [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
    }

    private static func inspect(_ database: Database, clock: InspectionTime) throws -> Inspection {
        // Small tables first, so that a large outbox leaves as few tables as possible unchecked.
        let tables = try String.fetchAll(
            database,
            sql: """
                SELECT name FROM sqlite_schema WHERE type = 'table' AND (name = 'outbox' OR name GLOB 'outbox_*')
                ORDER BY name IN ('outbox', 'outbox_state', 'outbox_attempt', 'outbox_secret'), name
                """
        )
        // The clock starts here: an earlier interrupt would be an error instead of a result.
        clock.start()
        var findings: [String] = []
        for (index, table) in tables.enumerated() {
            let rest = Array(tables[index...])
            if clock.isOver { return findings.isEmpty ? .unfinished(rest) : .damaged(findings) }
            do {
                let answers = try String.fetchAll(
                    database,
                    sql: "PRAGMA quick_check(\(table.quotedDatabaseIdentifier))"
                )
                if answers != ["ok"] { findings += answers.map { "\(table): \($0)" } }
            } catch let error as DatabaseError where isDamage(error) {
                findings.append("\(table): \(error.message ?? error.resultCode.description)")
            } catch let error as DatabaseError where error.resultCode == .SQLITE_INTERRUPT {
                return findings.isEmpty ? .unfinished(rest) : .damaged(findings)
            }
        }
        return findings.isEmpty ? .sound : .damaged(findings)
    }
}

/// Interrupts a connection's work when the limit is reached.
///
/// SQLite calls no progress handler while it checks a table, but it does check for interrupts
/// (https://sqlite.org/c3ref/interrupt.html). An interrupt between two statements is forgotten, so it is repeated.
private final class InspectionTime: Sendable {
    private static let repetition = DispatchTimeInterval.milliseconds(50)

    private let queue: DatabaseQueue
    private let state = Mutex((hasStarted: false, isOver: false))
    // Dispatch sources may be used from any thread; only their protocol isn't declared Sendable.
    private nonisolated(unsafe) let timer: any DispatchSourceTimer

    init(limit: Duration, of queue: DatabaseQueue) {
        self.queue = queue
        timer = DispatchSource.makeTimerSource()
        state.withLock { $0.isOver = limit <= .zero }
        timer.setEventHandler { [weak self] in self?.end() }
        timer.schedule(deadline: .now() + .milliseconds(Int(limit.inMilliseconds)), repeating: Self.repetition)
        timer.activate()
    }

    /// Nothing is interrupted before this call.
    func start() { state.withLock { $0.hasStarted = true } }

    var isOver: Bool { state.withLock(\.isOver) }

    func end() {
        let hasStarted = state.withLock { state in
            state.isOver = true
            return state.hasStarted
        }
        if hasStarted { queue.interrupt() }
    }

    func stop() { timer.cancel() }
}
