// Notices that another process committed to the database file, or that the file is gone. Never reads a row.

import Dispatch
import Foundation
import Glibc
import OutboxCore
import Synchronization

/// Tells, soon after it happened, that somebody else's commit changed the outbox.
///
/// The kernel reports every write to the database file and its write-ahead log (inotify(7)). A write comes shortly
/// before its commit becomes visible, by as much as an fsync takes, so after one the commit counter is looked at
/// repeatedly for a moment. A look at every `pollInterval` is the fallback, for file systems without notifications.
package final class CommitWatcher: Sendable {
    private let store: OutboxDatabase
    private let pollInterval: Duration

    /// - Parameters:
    ///   - store: the outbox to watch.
    ///   - pollInterval: how often to look even without a notification.
    package init(store: OutboxDatabase, pollInterval: Duration) {
        self.store = store
        self.pollInterval = pollInterval
    }

    /// Calls `onCommit` after each commit of another connection, several close ones together, until the task is
    /// cancelled.
    ///
    /// Watching ends as well when the file is lost, which `OutboxDatabase.fileLoss` tells.
    /// - Parameters:
    ///   - onLook: called at each look, so that what else can only be asked now and then is asked there.
    ///   - onTrouble: gets an error of looking at the file; watching goes on.
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
                // The first look counts as news: nobody knows what was committed before it.
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

/// When to look, as an asynchronous sequence: after writes to the files, ever less often, and else now and then. What
/// falls due while nobody polls is one look.
private final class PollSchedule: Sendable {
    let due: AsyncStream<Void>

    /// Milliseconds after a write at which to poll. Close together, so that a commit is seen at most a quarter later
    /// than it was made; our own commits, too, are followed by polls, each of which costs some microseconds.
    private static let afterWrite = [
        1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256,
    ]
    /// The poll after which the files are watched again: one notification tells as much as the hundreds that come with
    /// it.
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

/// The kernel's notifications of writes to some files, and of what happens to the files themselves, one for each time
/// that they are watched.
private final class Notifications: Sendable {
    private let paths: [String]
    private let descriptor: Int32
    private nonisolated(unsafe) let source: any DispatchSourceRead

    /// `nil` where the kernel gives none (this user's limit of instances is reached).
    init?(paths: [String], queue: DispatchQueue) {
        self.paths = paths
        descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
    }

    func start(onWrite: @escaping @Sendable () -> Void) {
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        source.setEventHandler {
            // What was written where doesn't matter; reading takes the notifications off the queue.
            _ = handle.availableData
            onWrite()
        }
        source.setCancelHandler { [descriptor] in close(descriptor) }
        watch()
        source.activate()
    }

    /// Asks for the next write; asking twice is asking once. A file that isn't there can't be written to.
    func watch() {
        // A file that is open and loses its last name changes its attributes: the number of its names.
        let events = UInt32(IN_MODIFY) | UInt32(IN_ATTRIB) | UInt32(IN_MOVE_SELF) | UInt32(IN_DELETE_SELF)
        for path in paths { _ = inotify_add_watch(descriptor, path, events | UInt32(IN_ONESHOT)) }
    }

    func stop() { source.cancel() }
}
