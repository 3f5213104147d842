// Knows the open connections of one server, so that the server can close them when it stops. Closes none itself.

import NIOCore
import Synchronization

/// The channels that are open now.
final class ConnectionRegistry: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isStopped = false
    }

    private let state = Mutex(State())

    /// Remembers a channel until it closes. After the stop, a new channel is closed at once.
    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isStopped = state.withLock { state in
            if !state.isStopped { state.channels[id] = channel }
            return state.isStopped
        }
        if isStopped {
            channel.close(promise: nil)
        }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { $0.channels[id] = nil }
        }
    }

    /// The channels that are open now.
    var open: [any Channel] { state.withLock { Array($0.channels.values) } }

    /// Accepts no more channels and returns the open ones.
    func stop() -> [any Channel] {
        state.withLock { state in
            state.isStopped = true
            return Array(state.channels.values)
        }
    }
}
