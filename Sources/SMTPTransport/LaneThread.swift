// The thread that one lane runs on, as an executor. Knows nothing of SMTP.

import Foundation

/// Runs the jobs of one actor on a thread of its own, so that a blocking call in that actor blocks nobody else. Tasks
/// that work for the actor may prefer it, too: then nothing changes threads between them.
final class LaneThread: SerialExecutor, TaskExecutor {
    /// OpenSSL's handshake and libcurl's buffers need more than the 512 KiB that Foundation gives.
    private static let stackSize = 1 << 20

    private let jobs = JobQueue()

    /// - Parameter name: what the kernel calls the thread, as `top -H` shows it; at most 15 bytes.
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
        // Not before: on Linux, Foundation tells the kernel the name of a thread that runs, and no other.
        thread.name = name
    }

    deinit { jobs.close() }

    /// Whether jobs wait for the one that runs to end.
    var hasWaitingJobs: Bool { jobs.areWaiting }

    /// Runs something that blocks the thread, and tells when a job comes that has to wait for it, or waits already.
    func run(_ body: () -> Void, onArrival: @escaping @Sendable () -> Void) {
        jobs.announceArrivals(to: onArrival)
        body()
        jobs.announceArrivals(to: nil)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        jobs.append(UnownedJob(job), on: self)
    }
}

/// Outlives the executor by as long as its thread needs to come to an end.
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

    /// Whom to tell of each job that comes, and at once if one waits.
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

    /// Waits for a job; `nil` once the queue is closed and empty.
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
