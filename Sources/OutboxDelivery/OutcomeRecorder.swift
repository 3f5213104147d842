// Collects the results of attempts and commits many together. Never decides what follows from a failure.

import OutboxCore
import OutboxStore

/// Records outcomes in group commits: outcomes that arrive during a commit go into the next one.
///
/// A lane doesn't wait for the disk. The message stays claimed until the commit, so that a crash in between makes its
/// attempt `uncertain`, never lost.
final class OutcomeRecorder: Sendable {
    private struct Batch {
        var completions: [Completion] = []
        /// The newest status of each relay, by its name.
        var relays: [String: RelayStatus] = [:]
        /// Messages whose refusals turned out to be the relay's fault.
        var cleared: [Int64] = []

        var isEmpty: Bool { completions.isEmpty && relays.isEmpty && cleared.isEmpty }

        /// Appends a later batch, whose relay statuses replace older ones.
        mutating func append(_ later: Batch) {
            completions += later.completions
            relays.merge(later.relays) { $1 }
            cleared += later.cleared
        }
    }

    private struct State {
        var waiting = Batch()
        var flush: Task<Void, Never>?
        /// How many outcomes are not committed yet.
        var unrecorded = 0
        /// Outcomes that a rule of the application rejects, by message. They are tried again with growing pauses.
        var refused: [Int64: Refused] = [:]
    }

    private struct Refused {
        let completion: Completion
        let pause: Duration
        /// `nil` during an attempt.
        var retry: Task<Void, Never>?
    }

    private let store: any DeliveryStore
    private let configuration: CurrentConfiguration
    private let environment: DeliveryEnvironment
    private let clock: SharedClockWatch
    private let gathering: Duration
    private let log: DeliveryLog
    private let onRecorded: @Sendable ([Completion]) -> Void

    private let state = Guarded(State())

    /// The longest pause before a failed commit is tried again. Outcomes in memory must reach the disk well within a
    /// lease, and within the time of a shutdown.
    private static let longestPause = Duration.seconds(5)
    /// The first and the longest pause for an outcome that a rule rejects.
    private static let refusedPause = (first: Duration.seconds(10), longest: Duration.seconds(3600))

    /// - Parameter onRecorded: called after a commit, with the recorded outcomes.
    init(
        store: any DeliveryStore,
        configuration: CurrentConfiguration,
        environment: DeliveryEnvironment,
        clock: SharedClockWatch,
        gathering: Duration,
        log: DeliveryLog,
        onRecorded: @escaping @Sendable ([Completion]) -> Void
    ) {
        self.store = store
        self.configuration = configuration
        self.environment = environment
        self.clock = clock
        self.gathering = gathering
        self.log = log
        self.onRecorded = onRecorded
    }

    /// Takes over outcomes and relay statuses, which are committed within moments.
    func record(_ completions: [Completion], relays: [RelayStatus] = [], cleared: [Int64] = []) {
        state.withLock { state in
            state.waiting.completions += completions
            state.unrecorded += completions.count
            for relay in relays { state.waiting.relays[relay.name] = relay }
            state.waiting.cleared += cleared
            if state.flush == nil { state.flush = Task { await commitAll() } }
        }
    }

    /// Whether everything taken over is committed, except for outcomes that a rule rejects.
    var isIdle: Bool { state.withLock { $0.unrecorded == 0 } }

    /// Waits until everything taken over is committed, or until the calling task is cancelled. Outcomes that a rule
    /// rejected are tried once more: the operator may have fixed the rule, and a known acceptance must not be lost.
    ///
    /// - Returns: how many outcomes are not committed.
    func finish() async -> Int {
        let refused = state.withLock { $0.refused.values.filter { $0.retry != nil } }
        for entry in refused {
            entry.retry?.cancel()
            tryAgain(entry.completion)
        }
        let running = state.withLock(\.flush)
        await withTaskCancellationHandler {
            await running?.value
        } onCancel: {
            running?.cancel()
        }
        return state.withLock { state in state.unrecorded + state.refused.values.count { $0.retry != nil } }
    }

    private func commitAll() async {
        while hasWork() {
            // Cancellation only shortens the collecting: the store tells whether there is still time to commit.
            try? await environment.sleep(gathering)
            var batch = takeWaiting()
            do {
                try await commit(&batch)
                log.storeWorks(.recording)
            } catch {
                state.withLock { [batch] state in
                    var all = batch
                    all.append(state.waiting)
                    state.waiting = all
                }
                let pause = min(log.storeTrouble(.recording, error), Self.longestPause)
                // A lost file accepts no more commits.
                if case OutboxDatabaseError.lost = error { return state.withLock { $0.flush = nil } }
                do {
                    try Task.checkCancellation()
                    try await environment.sleep(pause)
                } catch {
                    // `finish()` was cancelled.
                    return state.withLock { $0.flush = nil }
                }
            }
        }
    }

    /// - Returns: whether anything waits. If not, the flush ends, and the next record starts another one.
    private func hasWork() -> Bool {
        state.withLock { state in
            if state.waiting.isEmpty { state.flush = nil }
            return !state.waiting.isEmpty
        }
    }

    private func tryAgain(_ completion: Completion) {
        state.withLock { $0.refused[completion.claim.message.id]?.retry = nil }
        record([completion])
    }

    /// Counts the recorded outcomes, and sets those aside that a rule rejected.
    private func settle(_ recorded: [Completion], refused: [Completion]) {
        state.withLock { state in
            state.unrecorded -= recorded.count + refused.count
            if !state.refused.isEmpty {
                for completion in recorded { state.refused[completion.claim.message.id] = nil }
            }
            for completion in refused {
                let id = completion.claim.message.id
                let pause = min(
                    (state.refused[id]?.pause).map { $0 * 2 } ?? Self.refusedPause.first,
                    Self.refusedPause.longest
                )
                let retry = Task { [environment] in
                    do { try await environment.sleep(pause) } catch { return }
                    tryAgain(completion)
                }
                state.refused[id] = Refused(completion: completion, pause: pause, retry: retry)
            }
        }
    }

    private func takeWaiting() -> Batch {
        state.withLock { state in
            defer { state.waiting = Batch() }
            return state.waiting
        }
    }

    /// Reads the stored clock, and notices a step that nobody has seen yet: everything recorded from now on uses the
    /// new clock, and must not be mistaken for times of the old one.
    private func presentTime() -> Timestamp {
        let moment = environment.moment()
        _ = clock.unfollowedStep(at: moment)
        return moment.now
    }

    /// Commits the batch, and removes the committed outcomes from it.
    private func commit(_ batch: inout Batch) async throws {
        if !batch.completions.isEmpty {
            let completions = batch.completions
            let rules = configuration.value.settings.rules
            let result = try await store.finish(completions, clock: { [self] in presentTime() }, rules: rules)
            batch.completions = []
            let refused = Set(result.refused.map(\.completion))
            let recorded = refused.isEmpty ? completions : completions.filter { !refused.contains($0) }
            settle(recorded, refused: result.refused.map(\.completion))
            log.recorded(recorded, lost: Set(result.lost))
            log.refused(result.refused.map(\.refusal))
            onRecorded(recorded)
        }
        if !batch.cleared.isEmpty {
            try await store.liftSuppressions(causedBy: batch.cleared)
            batch.cleared = []
        }
        if !batch.relays.isEmpty {
            try await store.record(batch.relays.values.sorted { $0.position < $1.position })
            log.relaysRecorded(batch.relays.values.map(\.name).sorted())
            batch.relays = [:]
        }
    }
}
