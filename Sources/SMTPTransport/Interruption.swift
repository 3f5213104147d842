// Interrupts a lane's work or wait from outside. Never closes a connection itself.

import Synchronization

/// Requests from any thread to a lane that blocks its own thread: to send nothing any more, or to stop waiting for an
/// answer that is not needed.
final class Interruption: Sendable {
    private struct State {
        var isAborted = false
        var opening: OpenSockets?
        var wake: WakeDescriptor?
    }

    private let state = Mutex(State())

    /// The lane must send nothing any more.
    var isAborted: Bool { state.withLock(\.isAborted) }

    /// The descriptor to poll(2) beside the socket, created at first use. `nil` where the process can't open more
    /// descriptors.
    var wake: WakeDescriptor? {
        state.withLock { state in
            if state.wake == nil {
                state.wake = WakeDescriptor()
                if state.isAborted { state.wake?.signal() }
            }
            return state.wake
        }
    }

    /// Notes that libcurl opens a connection over these sockets; an abort shuts them down.
    ///
    /// - Returns: whether opening is permitted.
    func begins(_ sockets: OpenSockets) -> Bool {
        state.withLock { state in
            state.opening = sockets
            return !state.isAborted
        }
    }

    /// Notes that libcurl has finished opening.
    func hasOpened() {
        state.withLock { $0.opening = nil }
    }

    /// Ends the current work permanently.
    func abort() {
        state.withLock { state in
            state.isAborted = true
            state.opening?.shutDown()
            state.wake?.signal()
        }
    }

    /// Ends the current wait, and waits that begin before ``settle()``.
    func endWait() {
        state.withLock { $0.wake?.signal() }
    }

    /// Notes that the wait is over. An abort persists.
    func settle() {
        state.withLock { state in
            if !state.isAborted { state.wake?.clear() }
        }
    }
}
