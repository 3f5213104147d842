// Remembers which pauses of all relays were logged; shared by the copies of one log. Writes nothing.

import OutboxCore
import Synchronization

/// The logged pauses of all relays.
final class RelayPauses: Sendable {
    /// The trouble that began the pause.
    struct Beginning {
        let trouble: RelayTrouble
        let isSuspicion: Bool
    }

    private struct State {
        var logs: [String: [FailureReason: PauseLog]] = [:]
        var beginnings: [String: Beginning] = [:]
    }

    private let state = Mutex(State())

    /// - Returns: how many pauses were not logged before; `nil` if this pause isn't logged either.
    func begins(_ relay: String, _ trouble: RelayTrouble, isSuspicion: Bool = false, now: Duration) -> Int? {
        state.withLock { state in
            state.beginnings[relay] = Beginning(trouble: trouble, isSuspicion: isSuspicion)
            return state.logs[relay, default: [:]][trouble.reason, default: PauseLog()].begins(now: now)
        }
    }

    /// - Returns: the beginning and the number of unlogged pauses, if the pause should be logged now; otherwise `nil`.
    func lasts(_ relay: String, now: Duration) -> (began: Beginning, unsaid: Int)? {
        state.withLock { state in
            guard let began = state.beginnings[relay] else { return nil }
            let unsaid = state.logs[relay, default: [:]][began.trouble.reason, default: PauseLog()].lasts(now: now)
            return unsaid.map { (began, $0) }
        }
    }

    /// - Returns: whether to log the end.
    func ends(_ relay: String, now: Duration) -> Bool {
        state.withLock { state in
            guard let began = state.beginnings[relay] else { return true }
            return state.logs[relay, default: [:]][began.trouble.reason, default: PauseLog()].ends(now: now)
        }
    }
}
