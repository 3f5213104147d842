// The thread that one lane runs on, as an executor. Knows nothing of SMTP.

import Foundation

/// Runs the jobs of one actor on a dedicated thread, so that a blocking call in the actor blocks no other code. Tasks
/// that work for the actor may also prefer this executor; then no thread switch happens between them.
final class LaneThread: SerialExecutor, TaskExecutor {
    /// OpenSSL's handshake and libcurl's buffers need more than Foundation's default of 512 KiB.
    private static let stackSize = 1 << 20

    private let jobs = JobQueue()

    /// - Parameter name: the thread's name in the kernel, as shown by `top -H`; at most 15 bytes.
    init(name: String) {
        let jobs = jobs
        let thread = Thread {
            while let (job, lane) = jobs.next() {
                job.runSynchronously(
                    isolatedTo: lane.asUnownedSerialExecutor(),
                    taskExecutor: lane.asUnownedTaskExecutor()
                )
            }
        }
        thread.stackSize = Self.stackSize
        thread.start()
        // Set here, because on Linux Foundation sets the name only for a running thread.
        thread.name = name
    }

    deinit { jobs.close() }

    /// Whether jobs are waiting for the current job to end.
    var hasWaitingJobs: Bool { jobs.areWaiting }

    /// Runs code that blocks the thread, and calls `onArrival` when a job arrives that must wait, or is already
    /// waiting.
    func run(_ body: () -> Void, onArrival: @escaping @Sendable () -> Void) {
        jobs.announceArrivals(to: onArrival)
        body()
        jobs.announceArrivals(to: nil)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        jobs.append(UnownedJob(job), on: self)
    }
}

/// Outlives the executor until its thread has ended.
private final class JobQueue: @unchecked Sendable {
    private let condition = NSCondition()
    private var waiting: [(UnownedJob, LaneThread)] = []
    private var isClosed = false
    private var onArrival: (@Sendable () -> Void)?

    var areWaiting: Bool { condition.withLock { !waiting.isEmpty } }

    func append(_ job: UnownedJob, on lane: LaneThread) {
        condition.withLock {
            waiting.append((job, lane))
            condition.signal()
            onArrival?()
        }
    }

    /// Sets the receiver of notifications about arriving jobs; it is called at once if a job is waiting.
    func announceArrivals(to receiver: (@Sendable () -> Void)?) {
        condition.withLock {
            onArrival = receiver
            if !waiting.isEmpty { receiver?() }
        }
    }

    func close() {
        condition.withLock {
            isClosed = true
            condition.signal()
        }
    }

    /// Waits for a job; returns `nil` once the queue is closed and empty.
    func next() -> (UnownedJob, LaneThread)? {
        condition.withLock {
            while waiting.isEmpty {
                if isClosed { return nil }
                condition.wait()
            }
            return waiting.removeFirst()
        }
    }
}
