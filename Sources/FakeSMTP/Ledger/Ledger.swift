// Records the events of one server: connections, commands, accepted mail, fired faults. Never decides anything.

import Foundation
import NIOCore
import Synchronization

/// All events of a server, for tests to inspect and to wait for (see `Ledger+Waiting.swift`).
///
/// Read it at any time from any thread; each property is a snapshot.
package final class Ledger: Sendable {
    struct State {
        var connections: [Connection] = []
        var connectionCount = 0
        var disconnectionCount = 0
        var verbCounts: [SMTPVerb: Int] = [:]
        var lastSequence: Int
        var mails: [Mail] = []
        var mailCount = 0
        var firings: [Firing] = []
        var firingCount = 0
        var firingCounts: [Fault: Int] = [:]
        var waiters: [UInt64: Waiter] = [:]
        var lastWaiter: UInt64 = 0
        var isClosed = false
    }

    /// Runs the timeouts of waits.
    let eventLoop: any EventLoop
    let state: Mutex<State>
    private let retention: FakeSMTPServer.Retention

    /// Creates an empty ledger whose first mail gets the number after `lastSequence`.
    init(retention: FakeSMTPServer.Retention, lastSequence: Int, eventLoop: any EventLoop) {
        self.retention = retention
        self.eventLoop = eventLoop
        state = Mutex(State(lastSequence: lastSequence))
    }

    // MARK: Reading

    /// Every connection so far, in order; empty if only counts are kept.
    package var connections: [Connection] { state.withLock { $0.connections } }

    /// How many connections were opened.
    package var connectionCount: Int { state.withLock { $0.connectionCount } }

    /// How many of them were closed, by either side.
    package var disconnectionCount: Int { state.withLock { $0.disconnectionCount } }

    /// Every accepted mail in the order of acceptance; empty if only counts are kept.
    package var accepted: [Mail] { state.withLock { $0.mails } }

    /// How many mails were accepted.
    package var acceptedCount: Int { state.withLock { $0.mailCount } }

    /// Commands by upper-case verb; `?` counts lines without a known verb.
    package var commands: [String: Int] {
        let counts = state.withLock { $0.verbCounts }
        return Dictionary(uniqueKeysWithValues: counts.map { ($0.key.rawValue, $0.value) })
    }

    /// Every firing of a fault, in order; empty if only counts are kept.
    package var firings: [Firing] { state.withLock { $0.firings } }

    /// How many times any fault fired.
    package var firingCount: Int { state.withLock { $0.firingCount } }

    /// How many times this fault fired, over the whole life of the server.
    package func firingCount(of fault: Fault) -> Int { state.withLock { $0.firingCounts[fault] ?? 0 } }

    // MARK: Recording

    /// Records a new connection and numbers it, from 1.
    func openConnection(at time: Date) -> Int {
        update { state in
            state.connectionCount += 1
            if retention == .everything {
                state.connections.append(Connection(id: state.connectionCount, openedAt: time))
            }
            return state.connectionCount
        }
    }

    func closeConnection(_ id: Int) {
        update { state in
            state.disconnectionCount += 1
            Self.change(id, in: &state) { $0.isClosed = true }
        }
    }

    func noteTLS(on id: Int) {
        update { Self.change(id, in: &$0) { $0.isSecure = true } }
    }

    func noteUser(_ user: String, on id: Int) {
        update { Self.change(id, in: &$0) { $0.user = user } }
    }

    func notePipelining(isAllowed: Bool, on id: Int) {
        update { state in
            Self.change(id, in: &state) { connection in
                if isAllowed {
                    connection.pipelinedCommands += 1
                } else {
                    connection.synchronizationErrors += 1
                }
            }
        }
    }

    func noteDiscardedPlaintext(_ count: Int, on id: Int) {
        update { Self.change(id, in: &$0) { $0.discardedPlaintext += count } }
    }

    func noteCommand(_ verb: SMTPVerb) {
        state.withLock { $0.verbCounts[verb, default: 0] += 1 }
    }

    /// The number of the next mail.
    func nextSequence() -> Int {
        state.withLock { state in
            state.lastSequence += 1
            return state.lastSequence
        }
    }

    func accept(_ mail: Mail) {
        update { state in
            state.mailCount += 1
            if retention == .everything {
                state.mails.append(mail)
            }
        }
    }

    func noteFiring(_ firing: Firing) {
        update { state in
            state.firingCount += 1
            state.firingCounts[firing.fault, default: 0] += 1
            if retention == .everything {
                state.firings.append(firing)
            }
        }
    }

    private static func change(_ id: Int, in state: inout State, _ body: (inout Connection) -> Void) {
        // If only counts are kept, there is no record to change.
        guard state.connections.indices.contains(id - 1) else { return }
        body(&state.connections[id - 1])
    }

    /// Changes the state and resumes the waiters whose goal is reached.
    private func update<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        let (result, satisfied) = state.withLock { state in
            let result = body(&state)
            return (result, Self.takeSatisfiedWaiters(&state))
        }
        for waiter in satisfied {
            waiter.resume(with: .success(()))
        }
        return result
    }
}
