// Bounds how long a connection may wait for the answer to QUIT. Never says QUIT itself.

import Synchronization

/// Ends the wait for QUIT's answer after a while, or earlier where something more important comes.
///
/// libcurl waits for it, by default for two minutes, and nothing hangs on the answer: whatever was sent has been answered
/// by then. Postfix doesn't wait at all (`smtp_skip_quit_response`). A moment is granted so that a relay that limits its
/// connections has counted this one off before the lane opens the next.
final class ClosingLimit: Sendable {
    /// How long a relay may take to answer QUIT.
    static let standard = Duration.seconds(1)

    private let sockets: OpenSockets
    private let isOver = Mutex(false)
    private let timer: Mutex<Task<Void, Never>?>

    /// The time runs from now on.
    init(_ sockets: OpenSockets, after timeout: Duration) {
        self.sockets = sockets
        timer = Mutex(nil)
        let task = Task.detached { [weak self] in
            do { try await Task.sleep(for: timeout) } catch { return }
            self?.expire()
        }
        timer.withLock { $0 = task }
    }

    /// Ends the wait now.
    func expire() {
        isOver.withLock { isOver in
            if !isOver { sockets.hangUp() }
        }
    }

    /// The connection is closed: whatever is open from now on is another one, and left alone.
    func end() {
        isOver.withLock { $0 = true }
        timer.withLock { $0?.cancel() }
    }
}
