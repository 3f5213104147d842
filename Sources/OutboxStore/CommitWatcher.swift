// Notices that another process committed to the database file. Never reads a row.

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
    /// After a write, the counter is looked at once each of these has passed.
    private static let looks: [Duration] = [1, 2, 4, 8, 16, 32, 64, 128].map { .milliseconds($0) }

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
    /// - Parameter onTrouble: gets an error of looking at the file; watching goes on.
    package func run(
        onCommit: @Sendable () async -> Void,
        onTrouble: @Sendable (any Error) async -> Void
    ) async {
        let writes = FileWrites(paths: [store.path, store.path + "-wal"], pollInterval: pollInterval)
        defer { writes.stop() }
        var known: Int?
        for await _ in writes.events {
            for delay in writes.takeNotice() ? [.zero] + Self.looks : [.zero] {
                do {
                    if delay > .zero { try await Task.sleep(for: delay) }
                    let counter = try await store.commitCounter()
                    // The first look counts as news: nobody knows what was committed before it.
                    let isNews = counter != known
                    known = counter
                    if isNews {
                        await onCommit()
                        break
                    }
                } catch is CancellationError {
                    return
                } catch {
                    await onTrouble(error)
                }
            }
        }
    }
}

/// Writes to files, and the fallback's ticks, as an asynchronous sequence. What comes while nobody looks is one event.
private final class FileWrites: Sendable {
    let events: AsyncStream<Void>

    private let continuation: AsyncStream<Void>.Continuation
    private let notice = Notice()
    // Dispatch sources may be used from any thread; only their protocol isn't declared Sendable.
    private nonisolated(unsafe) let sources: [any DispatchSourceProtocol]

    private final class Notice: Sendable {
        let isGiven = Atomic<Bool>(false)
    }

    init(paths: [String], pollInterval: Duration) {
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let queue = DispatchQueue(label: "outbox.commit-watcher")
        let tick = DispatchSource.makeTimerSource(queue: queue)
        let interval = DispatchTimeInterval.milliseconds(Int(pollInterval.inMilliseconds))
        tick.schedule(deadline: .now(), repeating: interval, leeway: .milliseconds(50))
        tick.setEventHandler { [continuation] in continuation.yield() }

        let notifications = Self.notifications(paths: paths, queue: queue) { [continuation, notice] in
            notice.isGiven.store(true, ordering: .releasing)
            continuation.yield()
        }
        sources = [tick] + (notifications.map { [$0] } ?? [])
        for source in sources { source.activate() }
    }

    /// Whether a write was notified since the last call.
    func takeNotice() -> Bool { notice.isGiven.exchange(false, ordering: .acquiringAndReleasing) }

    func stop() {
        for source in sources { source.cancel() }
        continuation.finish()
    }

    /// - Returns: `nil` where the kernel gives no notifications (this user's limit of instances is reached); the ticks
    ///   remain.
    private static func notifications(
        paths: [String],
        queue: DispatchQueue,
        onWrite: @escaping @Sendable () -> Void
    ) -> (any DispatchSourceProtocol)? {
        let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        for path in paths { _ = inotify_add_watch(descriptor, path, UInt32(IN_MODIFY)) }
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: false)
        source.setEventHandler {
            // What was written where doesn't matter; reading takes the notifications off the queue.
            _ = handle.availableData
            onWrite()
        }
        source.setCancelHandler { close(descriptor) }
        return source
    }
}
