// The open sockets of libcurl, so that they can be shut down. Never reads or writes them.

import Glibc
import Synchronization

/// Lets any thread end libcurl's waits on its sockets while it opens a connection.
final class OpenSockets: Sendable {
    private struct State {
        var descriptors: Set<Int32> = []
        var isShutDown = false
    }

    private let state = Mutex(State())

    /// Whether `shutDown` was called.
    var isShutDown: Bool { state.withLock { $0.isShutDown } }

    /// Notes that libcurl opened a socket.
    func opened(_ descriptor: Int32) {
        state.withLock { state in
            state.descriptors.insert(descriptor)
            if state.isShutDown { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }

    /// Closes a socket for libcurl. The lock is held, so that a descriptor that the system reuses can't be shut down by
    /// mistake.
    func close(_ descriptor: Int32) -> Int32 {
        state.withLock { state in
            state.descriptors.remove(descriptor)
            return Glibc.close(descriptor)
        }
    }

    /// Ends all conversations at once: a reader sees the end of the connection. Sockets opened later are shut down when
    /// they are opened.
    func shutDown() {
        state.withLock { state in
            state.isShutDown = true
            for descriptor in state.descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }
}
