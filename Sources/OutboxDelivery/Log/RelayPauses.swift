// What was said of the pauses of all relays, shared by the copies of one log. Writes nothing.

import OutboxCore
import Synchronization

/// What was said of the relays' pauses.
final class RelayPauses: Sendable {
    /// What kept a relay from being up when that began.
    struct Beginning {
        let trouble: RelayTrouble
        let isSuspicion: Bool
    }

    private struct State {
        var logs: [String: [FailureReason: PauseLog]] = [:]
        var beginnings: [String: Beginning] = [:]
    }

    private let state = Mutex(State())

    /// - Returns: how many were not said before; `nil` where this one isn't either.
    func begins(_ relay: String, _ trouble: RelayTrouble, isSuspicion: Bool = false, now: Duration) -> Int? {
        state.withLock { state in
            state.beginnings[relay] = Beginning(trouble: trouble, isSuspicion: isSuspicion)
            return state.logs[relay, default: [:]][trouble.reason, default: PauseLog()].begins(now: now)
        }
    }

    /// - Returns: what began, and how many were not said before, where it is to be said only now.
    func lasts(_ relay: String, now: Duration) -> (began: Beginning, unsaid: Int)? {
        state.withLock { state in
            guard let began = state.beginnings[relay] else { return nil }
            let unsaid = state.logs[relay, default: [:]][began.trouble.reason, default: PauseLog()].lasts(now: now)
            return unsaid.map { (began, $0) }
        }
    }

    /// - Returns: whether it is said.
    func ends(_ relay: String, now: Duration) -> Bool {
        state.withLock { state in
            guard let began = state.beginnings[relay] else { return true }
            return state.logs[relay, default: [:]][began.trouble.reason, default: PauseLog()].ends(now: now)
        }
    }
}
