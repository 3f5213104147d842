// Ends what a lane does or waits for, from outside. Never closes a connection itself.

import Synchronization

/// What any thread may want of a lane that blocks its own: that it sends nothing any more, or that it stops waiting for an
/// answer on which nothing hangs.
final class Interruption: Sendable {
    private struct State {
        var isAborted = false
        var opening: OpenSockets?
        var wake: WakeDescriptor?
    }

    private let state = Mutex(State())

    /// The lane sends nothing any more.
    var isAborted: Bool { state.withLock(\.isAborted) }

    /// What to wait for in poll(2) beside the socket; made when a lane first needs it. `nil` where the process may have no
    /// more descriptors.
    var wake: WakeDescriptor? {
        state.withLock { state in
            if state.wake == nil {
                state.wake = WakeDescriptor()
                if state.isAborted { state.wake?.signal() }
            }
            return state.wake
        }
    }

    /// libcurl opens a connection over these sockets: an abort shuts them down.
    ///
    /// - Returns: whether it may.
    func begins(_ sockets: OpenSockets) -> Bool {
        state.withLock { state in
            state.opening = sockets
            return !state.isAborted
        }
    }

    /// libcurl is done with opening.
    func hasOpened() {
        state.withLock { $0.opening = nil }
    }

    /// Ends what is under way, for good.
    func abort() {
        state.withLock { state in
            state.isAborted = true
            state.opening?.shutDown()
            state.wake?.signal()
        }
    }

    /// Ends the wait that is under way, and those that begin before ``settle()``.
    func endWait() {
        state.withLock { $0.wake?.signal() }
    }

    /// The wait is over. An abort stays.
    func settle() {
        state.withLock { state in
            if !state.isAborted { state.wake?.clear() }
        }
    }
}
