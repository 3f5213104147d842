// Notices that a client has been silent for too long. The connection handler decides what follows.

import NIOCore

/// A timer that is cheap to restart: activity only stores the time, and the only scheduled task checks it when it runs.
/// Lives on its event loop.
final class IdleTimer {
    private let timeout: TimeAmount
    private let eventLoop: any EventLoop
    private let onIdle: () -> Void
    private var lastActivity: NIODeadline
    private var task: Scheduled<Void>?

    /// Starts at once. `onIdle` runs on the event loop, and again after every further timeout until cancelled.
    init(timeout: TimeAmount, eventLoop: any EventLoop, onIdle: @escaping () -> Void) {
        self.timeout = timeout
        self.eventLoop = eventLoop
        self.onIdle = onIdle
        lastActivity = eventLoop.now
        schedule()
    }

    /// Notes activity.
    func touch() {
        lastActivity = eventLoop.now
    }

    func cancel() {
        task?.cancel()
        task = nil
    }

    private func schedule() {
        task = eventLoop.assumeIsolated().scheduleTask(deadline: lastActivity + timeout) {
            if self.eventLoop.now >= self.lastActivity + self.timeout {
                self.lastActivity = self.eventLoop.now
                self.onIdle()
            }
            if self.task != nil { self.schedule() }
        }
    }
}
