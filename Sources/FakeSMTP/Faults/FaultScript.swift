// Owns the faults of one server and their counters, and decides which of them fire. Does no I/O: the connection handler
// executes the decision, and the ledger records it.

import Synchronization

/// The faults of a running server. They can be changed while connections query them.
final class FaultScript: Sendable {
    /// The script's decision at a stage that was reached.
    struct Decision: Sendable, Equatable {
        /// How long to wait first: the sum of all delays that fired.
        var delay: Duration = .zero
        /// The action instead of the usual one; `nil` to continue as usual. Never a delay.
        var action: Fault.Action?
        /// Every fault that fired, in order.
        var fired: [Fault] = []
    }

    private struct Entry {
        let fault: Fault
        var reached = 0
        var generator: SeededGenerator

        /// Counts that the stage was reached, and returns whether the fault is due.
        mutating func isDue() -> Bool {
            reached += 1
            switch fault.when {
            case .always: return true
            case .nth(let count): return reached == count
            case .first(let count): return reached <= count
            case .every(let count): return reached.isMultiple(of: count)
            case .odds(let odds): return Double.random(in: 0..<1, using: &generator) < odds
            }
        }
    }

    private struct State {
        var entries: [Entry] = []
        var added: UInt64 = 0
    }

    private let seed: UInt64
    private let state = Mutex(State())

    init(seed: UInt64) {
        self.seed = seed
    }

    /// The faults in the order of their evaluation.
    var faults: [Fault] {
        state.withLock { $0.entries.map(\.fault) }
    }

    /// Replaces all faults. All counters and random sequences start again.
    func set(_ faults: [Fault]) {
        state.withLock { state in
            state = State()
            for fault in faults {
                append(fault, to: &state)
            }
        }
    }

    /// Adds a fault after the others.
    func add(_ fault: Fault) {
        state.withLock { append(fault, to: &$0) }
    }

    /// Removes every fault equal to this one, and returns whether there was any.
    func remove(_ fault: Fault) -> Bool {
        state.withLock { state in
            let count = state.entries.count
            state.entries.removeAll { $0.fault == fault }
            return state.entries.count < count
        }
    }

    /// Evaluates every fault of this stage. Each counts that the stage was reached, including those after the deciding
    /// one.
    func decide(at stage: Fault.Stage, recipients: [String]) -> Decision {
        state.withLock { state in
            var decision = Decision()
            for index in state.entries.indices {
                let fault = state.entries[index].fault
                guard fault.stage == stage, Self.matches(fault.recipient, recipients),
                    state.entries[index].isDue()
                else { continue }
                if case .delay(let duration) = fault.action {
                    decision.delay += duration
                    decision.fired.append(fault)
                } else if decision.action == nil {
                    decision.action = fault.action
                    decision.fired.append(fault)
                }
            }
            return decision
        }
    }

    private static func matches(_ wanted: String?, _ recipients: [String]) -> Bool {
        guard let wanted else { return true }
        return recipients.contains { $0.lowercased() == wanted.lowercased() }
    }

    /// Each fault has its own sequence, so that its nth decision does not depend on evaluations of other faults.
    private func append(_ fault: Fault, to state: inout State) {
        let generator = SeededGenerator(seed: seed &+ state.added &* 0xD1B5_4A32_D192_ED03)
        state.entries.append(Entry(fault: fault, generator: generator))
        state.added += 1
    }
}

extension FaultScript.Decision {
    /// Not a fault of the script: the server already serves the maximum number of connections.
    static let tooManyConnections = FaultScript.Decision(
        action: .reply(421, enhanced: "4.7.0", text: "Too many connections")
    )
}
