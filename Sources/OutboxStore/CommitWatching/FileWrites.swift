// Waits for writes to files. Never opens or reads the files.

import Glibc
import OutboxCore
import Synchronization

/// The kernel's notifications about writes to some files and about the files themselves (inotify(7)), and a signal that
/// ends the wait.
///
/// Where the kernel refuses a descriptor because this user's limit is reached, the waits just last as long as they may.
final class FileWrites: Sendable {
    private let paths: [String]
    private let notifications: Int32
    /// The ends of a pipe: a wait ends once the writing end is closed.
    private let ending: Int32
    private let openEnd: Mutex<Int32>
    private let hasStopped = Mutex(false)

    /// How long a wait may last that `stop` can't end.
    private static let longestDeafWait = Duration.milliseconds(100)

    init(paths: [String]) {
        self.paths = paths
        notifications = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 { for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) } }
        ending = ends[0]
        openEnd = Mutex(ends[1])
    }

    deinit {
        stop()
        for descriptor in [notifications, ending] where descriptor >= 0 { close(descriptor) }
    }

    /// Whether the watching was stopped.
    var isStopped: Bool { hasStopped.withLock(\.self) }

    /// Ends the current wait and all later ones.
    func stop() {
        hasStopped.withLock { $0 = true }
        openEnd.withLock { descriptor in
            if descriptor >= 0 { close(descriptor) }
            descriptor = -1
        }
    }

    /// Requests one notification of the next write to each file; repeated requests are merged. A missing file can't be
    /// written to.
    func watch() {
        guard notifications >= 0 else { return }
        // Unlinking the last name of an open file changes its attributes: the link count.
        let events = UInt32(IN_MODIFY) | UInt32(IN_ATTRIB) | UInt32(IN_MOVE_SELF) | UInt32(IN_DELETE_SELF)
        for path in paths { _ = inotify_add_watch(notifications, path, events | UInt32(IN_ONESHOT)) }
    }

    /// Waits for a notification, but not beyond a moment and not after `stop`. Returns whether there was one.
    func wait(until moment: ContinuousClock.Instant) -> Bool {
        let clock = ContinuousClock()
        while !isStopped {
            var descriptors = [
                pollfd(fd: notifications, events: Int16(POLLIN), revents: 0),
                pollfd(fd: ending, events: Int16(POLLIN), revents: 0),
            ]
            var rest = max(moment - clock.now, .zero)
            if ending < 0 { rest = min(rest, Self.longestDeafWait) }
            // Rounded up, so that the wait is not repeated for a fraction of a millisecond.
            let milliseconds = Int32(clamping: (rest + .microseconds(999)).inMilliseconds)
            let count = poll(&descriptors, nfds_t(descriptors.count), milliseconds)
            if count > 0, descriptors[0].revents != 0 {
                readAll()
                return true
            }
            if clock.now >= moment { return false }
        }
        return false
    }

    /// The content of the events doesn't matter; reading removes them from the queue.
    private func readAll() {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while read(notifications, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
