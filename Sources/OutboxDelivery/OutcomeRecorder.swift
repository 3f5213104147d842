// Gathers how attempts ended and commits many together. Never decides what follows from a failure.

import OutboxCore
import OutboxStore

/// Records outcomes in group commits: what comes in while a commit is under way goes into the next one.
///
/// A lane doesn't wait for the disk. Until the commit the message stays claimed, so a crash in between makes its
/// attempt `uncertain`, never lost.
actor OutcomeRecorder {
    private let store: any DeliveryStore
    private let environment: DeliveryEnvironment
    private let gathering: Duration
    private let log: DeliveryLog
    private let onRecorded: @Sendable ([Completion]) -> Void

    private var waiting: [Completion] = []
    private var flush: Task<Void, Never>?

    /// How long to wait before a failed commit is tried again.
    private static let retryDelay = Duration.seconds(1)

    /// - Parameter onRecorded: gets what a commit recorded, after it.
    init(
        store: any DeliveryStore,
        environment: DeliveryEnvironment,
        gathering: Duration,
        log: DeliveryLog,
        onRecorded: @escaping @Sendable ([Completion]) -> Void
    ) {
        self.store = store
        self.environment = environment
        self.gathering = gathering
        self.log = log
        self.onRecorded = onRecorded
    }

    /// Takes an outcome over; it will be committed within moments.
    func record(_ completion: Completion) {
        waiting.append(completion)
        if flush == nil { flush = Task { await commitAll() } }
    }

    /// Waits until everything taken over is committed, or the calling task is cancelled.
    ///
    /// - Returns: how many outcomes are not committed.
    func finish() async -> Int {
        let running = flush
        await withTaskCancellationHandler {
            await running?.value
        } onCancel: {
            running?.cancel()
        }
        return waiting.count
    }

    private func commitAll() async {
        defer { flush = nil }
        while !waiting.isEmpty {
            // A cancelled gathering only shortens it: whether there is still time to commit is the store's answer.
            try? await environment.sleep(gathering)
            let batch = waiting
            waiting = []
            do {
                let lost = try await store.finish(batch, now: environment.now())
                log.recorded(batch, lost: Set(lost))
                onRecorded(batch)
            } catch {
                waiting = batch + waiting
                log.storeTrouble(.recording, error)
                if Task.isCancelled { return }
                do { try await environment.sleep(Self.retryDelay) } catch { return }
            }
        }
    }
}
