// Ends a lane's sending from outside. Never closes a connection itself.

import Synchronization

/// The wish, from any thread, that a lane sends nothing any more.
final class Abort: Sendable {
    private struct State {
        var isRequested = false
        var opening: OpenSockets?
    }

    /// Readable from the request on, for who waits in poll(2).
    let wake = WakeDescriptor()
    private let state = Mutex(State())

    var isRequested: Bool { state.withLock(\.isRequested) }

    /// libcurl opens a connection over these sockets: an abort shuts them down.
    ///
    /// - Returns: whether it may.
    func begins(_ sockets: OpenSockets) -> Bool {
        state.withLock { state in
            state.opening = sockets
            return !state.isRequested
        }
    }

    /// libcurl is done with opening.
    func hasOpened() {
        state.withLock { $0.opening = nil }
    }

    /// Ends what is under way.
    func now() {
        state.withLock { state in
            state.isRequested = true
            state.opening?.shutDown()
        }
        wake.signal()
    }
}
