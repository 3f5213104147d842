// Lets tests wait for the server's events by continuations, without polling or sleeping. Records nothing.

import NIOCore
import Synchronization

/// A wait for the ledger ended without success.
package struct LedgerWaitError: Error, CustomStringConvertible {
    /// The reason for the end of the wait.
    package enum Reason: Sendable, Hashable {
        /// The timeout expired.
        case timedOut(Duration)
        /// The server was stopped, so no more events will come.
        case serverStopped
    }

    /// Why the wait ended.
    package let reason: Reason
    /// The awaited state.
    package let wanted: String
    /// The server's state by then.
    package let seen: String

    /// All of this in one line.
    package var description: String {
        switch reason {
        case .timedOut(let duration): "waited \(duration) for \(wanted); seen: \(seen)"
        case .serverStopped: "the server was stopped while waiting for \(wanted); seen: \(seen)"
        }
    }
}

extension Ledger {
    /// An awaited state; once reached, it stays reached.
    enum Goal: Sendable {
        case accepted(Int)
        case connections(Int)
        case disconnections(Int)
        case firings(Fault, Int)

        var text: String {
            switch self {
            case .accepted(let count): "\(count) accepted mails"
            case .connections(let count): "\(count) connections"
            case .disconnections(let count): "\(count) closed connections"
            case .firings(let fault, let count): "\(count) firings of '\(fault)'"
            }
        }

        func isReached(in state: borrowing State) -> Bool {
            switch self {
            case .accepted(let count): state.mailCount >= count
            case .connections(let count): state.connectionCount >= count
            case .disconnections(let count): state.disconnectionCount >= count
            case .firings(let fault, let count): (state.firingCounts[fault] ?? 0) >= count
            }
        }
    }

    struct Waiter: Sendable {
        let goal: Goal
        let continuation: CheckedContinuation<Void, any Error>
        var timer: Scheduled<Void>?

        func resume(with result: Result<Void, any Error>) {
            timer?.cancel()
            continuation.resume(with: result)
        }
    }

    /// Waits until `count` mails were accepted in total, and returns all accepted mails.
    ///
    /// - Throws: ``LedgerWaitError`` with a summary of the ledger; `CancellationError` if the task is cancelled.
    package func waitForAccepted(count: Int, timeout: Duration = .seconds(30)) async throws -> [Mail] {
        try await wait(for: .accepted(count), timeout: timeout)
        return accepted
    }

    /// Waits until `count` connections were opened in total, and returns all opened connections.
    ///
    /// - Throws: as ``waitForAccepted(count:timeout:)``.
    @discardableResult
    package func waitForConnections(count: Int, timeout: Duration = .seconds(30)) async throws -> [Connection] {
        try await wait(for: .connections(count), timeout: timeout)
        return connections
    }

    /// Waits until `count` connections were closed in total, by either side, and returns all connections.
    ///
    /// - Throws: as ``waitForAccepted(count:timeout:)``.
    @discardableResult
    package func waitForDisconnections(count: Int, timeout: Duration = .seconds(30)) async throws -> [Connection] {
        try await wait(for: .disconnections(count), timeout: timeout)
        return connections
    }

    /// Waits until this fault has fired `count` times, and returns its firings.
    ///
    /// - Throws: as ``waitForAccepted(count:timeout:)``.
    @discardableResult
    package func waitForFiring(
        of fault: Fault,
        count: Int = 1,
        timeout: Duration = .seconds(30)
    ) async throws -> [Firing] {
        try await wait(for: .firings(fault, count), timeout: timeout)
        return firings.filter { $0.fault == fault }
    }

    /// Ends every current and future wait that can't be satisfied any more.
    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters {
            waiter.resume(with: .failure(failure(.serverStopped, waiter.goal)))
        }
    }

    /// Removes the waiters whose goal is reached; they are resumed outside the lock.
    static func takeSatisfiedWaiters(_ state: inout State) -> [Waiter] {
        guard !state.waiters.isEmpty else { return [] }
        let satisfied = state.waiters.filter { $0.value.goal.isReached(in: state) }
        for id in satisfied.keys {
            state.waiters[id] = nil
        }
        return Array(satisfied.values)
    }

    private enum Entry {
        case reached, stopped, waiting
    }

    private func wait(for goal: Goal, timeout: Duration) async throws {
        let id = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let entry = state.withLock { state -> Entry in
                    if goal.isReached(in: state) { return .reached }
                    if state.isClosed { return .stopped }
                    let timer = eventLoop.scheduleTask(in: timeout.timeAmount) {
                        self.giveUp(id) { self.failure(.timedOut(timeout), goal) }
                    }
                    state.waiters[id] = Waiter(goal: goal, continuation: continuation, timer: timer)
                    return .waiting
                }
                switch entry {
                case .reached: continuation.resume()
                case .stopped: continuation.resume(throwing: failure(.serverStopped, goal))
                case .waiting: if Task.isCancelled { giveUp(id) { CancellationError() } }
                }
            }
        } onCancel: {
            giveUp(id) { CancellationError() }
        }
    }

    private func giveUp(_ id: UInt64, because error: () -> any Error) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: id) }
        waiter?.resume(with: .failure(error()))
    }

    private func failure(_ reason: LedgerWaitError.Reason, _ goal: Goal) -> LedgerWaitError {
        LedgerWaitError(reason: reason, wanted: goal.text, seen: summary)
    }

    /// A summary of the ledger in one line.
    package var summary: String {
        state.withLock { state in
            var parts = [
                "\(state.mailCount) accepted mails",
                "\(state.connectionCount) connections (\(state.connectionCount - state.disconnectionCount) open)",
            ]
            let verbs = SMTPVerb.allCases.compactMap { verb in state.verbCounts[verb].map { "\(verb.rawValue) \($0)" } }
            parts.append(verbs.isEmpty ? "no commands" : "commands \(verbs.joined(separator: " "))")
            let faults = state.firingCounts.map { "'\($0.key)' \($0.value) times" }.sorted()
            parts.append(faults.isEmpty ? "no faults fired" : "fired \(faults.joined(separator: ", "))")
            return parts.joined(separator: ", ")
        }
    }
}
