// Notices when another process commits to the database file, and when the file is gone. Never reads a row.

import Dispatch
import Foundation
import Glibc
import OutboxCore
import Synchronization

/// Reports commits of other connections soon after they happen.
///
/// The kernel reports every write to the database file and its write-ahead log (inotify(7)). A write precedes the
/// visibility of its commit by up to one fsync, so after each write the commit counter is polled repeatedly for a
/// moment. Polling every `pollInterval` is the fallback for file systems without notifications.
package final class CommitWatcher: Sendable {
    private let store: OutboxDatabase
    private let pollInterval: Duration

    /// - Parameters:
    ///   - store: the outbox to watch.
    ///   - pollInterval: how often to poll even without a notification.
    package init(store: OutboxDatabase, pollInterval: Duration) {
        self.store = store
        self.pollInterval = pollInterval
    }

    /// Calls `onCommit` after commits of other connections until the task is cancelled. Commits close together give one
    /// call.
    ///
    /// Watching also ends when the file is lost, which `OutboxDatabase.fileLoss` reports.
    /// - Parameters:
    ///   - onLook: called at each poll, for other checks that must be repeated from time to time.
    ///   - onTrouble: receives an error of a poll; watching continues.
    package func run(
        onCommit: @Sendable () async -> Void,
        onLook: @Sendable () async -> Void = {},
        onTrouble: @Sendable (any Error) async -> Void
    ) async {
        let polls = PollSchedule(paths: [store.path, store.path + "-wal"], pollInterval: pollInterval)
        defer { polls.stop() }
        var known: Int?
        for await _ in polls.due {
            do {
                try store.checkPlace()
                await onLook()
                let counter = try await store.commitCounter()
                // The first poll counts as a commit, because earlier commits are unknown.
                if counter != known {
                    known = counter
                    await onCommit()
                }
            } catch is CancellationError {
                return
            } catch OutboxDatabaseError.lost {
                return
            } catch {
                await onTrouble(error)
            }
        }
    }
}

/// Polls soon after each write with growing gaps, and otherwise every `pollInterval`, as an asynchronous sequence.
/// Missed ticks are merged.
private final class PollSchedule: Sendable {
    let due: AsyncStream<Void>

    /// Milliseconds after a write at which to poll. The gaps are small, so that a commit is seen with at most a quarter
    /// of its delay added. Our own commits are followed by polls as well; each costs a few microseconds.
    private static let afterWrite = [
        1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256,
    ]
    /// The poll after which the files are watched again: until then, one notification says as much as the hundreds that
    /// would follow it.
    private static let watchesAgainAfter = 4

    private let continuation: AsyncStream<Void>.Continuation
    private let pollInterval: Duration
    private let queue = DispatchQueue(label: "outbox.commit-watcher")
    private let notifications: Notifications?
    private let nextPoll = Mutex(0)
    // Dispatch sources may be used from any thread; only their protocol isn't declared Sendable.
    private nonisolated(unsafe) let timer: any DispatchSourceTimer

    init(paths: [String], pollInterval: Duration) {
        (due, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.pollInterval = pollInterval
        timer = DispatchSource.makeTimerSource(queue: queue)
        notifications = Notifications(paths: paths, queue: queue)
        nextPoll.withLock { $0 = Self.afterWrite.count }
        timer.setEventHandler { [weak self] in self?.pollDue() }
        notifications?.start { [weak self] in self?.fileWritten() }
        timer.schedule(deadline: .now())
        timer.activate()
    }

    func stop() {
        timer.cancel()
        notifications?.stop()
        continuation.finish()
    }

    private func fileWritten() {
        continuation.yield()
        nextPoll.withLock { $0 = 0 }
        schedule(inMilliseconds: Self.afterWrite[0])
    }

    private func pollDue() {
        let look = nextPoll.withLock { look in
            defer { look = min(look + 1, Self.afterWrite.count) }
            return look
        }
        if look >= Self.watchesAgainAfter { notifications?.watch() }
        continuation.yield()
        guard look + 1 < Self.afterWrite.count else {
            let leeway = DispatchTimeInterval.milliseconds(50)
            let interval = DispatchTimeInterval.milliseconds(Int(pollInterval.inMilliseconds))
            return timer.schedule(deadline: .now() + interval, leeway: leeway)
        }
        schedule(inMilliseconds: Self.afterWrite[look + 1] - Self.afterWrite[look])
    }

    private func schedule(inMilliseconds delay: Int) {
        timer.schedule(deadline: .now() + .milliseconds(delay), leeway: .microseconds(100))
    }
}

/// The kernel's notifications about writes to some files, and about the files themselves. Each call of `watch()` gives
/// one notification.
private final class Notifications: Sendable {
    private let paths: [String]
    private let descriptor: Int32
    private nonisolated(unsafe) let source: any DispatchSourceRead

    /// Returns `nil` where the kernel refuses an instance (this user's limit is reached).
    init?(paths: [String], queue: DispatchQueue) {
        self.paths = paths
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
    }

    func start(onWrite: @escaping @Sendable () -> Void) {
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        source.setEventHandler {
            // The content of the event doesn't matter; reading removes it from the queue.
            _ = handle.availableData
            onWrite()
        }
        source.setCancelHandler { [descriptor] in close(descriptor) }
        watch()
        source.activate()
    }

    /// Requests a notification of the next write; repeated requests are merged. A missing file can't be written to.
    func watch() {
        // Unlinking the last name of an open file changes its attributes: the link count.
        let events = UInt32(IN_MODIFY) | UInt32(IN_ATTRIB) | UInt32(IN_MOVE_SELF) | UInt32(IN_DELETE_SELF)
        for path in paths { _ = inotify_add_watch(descriptor, path, events | UInt32(IN_ONESHOT)) }
    }

    func stop() { source.cancel() }
}
