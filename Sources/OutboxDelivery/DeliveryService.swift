// Wires the delivery services together and winds them down in order. Never does their work.

package import MailComposer
import OutboxCore
package import OutboxStore
package import SMTPTransport
import ServiceLifecycle

/// Everything between the outbox and the relay, as one service.
///
/// On graceful shutdown nothing new is claimed, what waits for a lane goes back to the queue, what is being sent may
/// finish within the grace, and its outcome is recorded.
package struct DeliveryService: Service, CustomStringConvertible {
    private let store: OutboxDatabase
    private let composer: MailComposer
    private let relay: SMTPRelay
    private let settings: DeliverySettings
    private let environment: DeliveryEnvironment
    private let log: DeliveryLog
    private let onReady: @Sendable () -> Void

    /// Makes the service; nothing happens before `run`.
    ///
    /// - Parameter onReady: called once everything runs.
    package init(
        store: OutboxDatabase,
        composer: MailComposer,
        relay: SMTPRelay,
        settings: DeliverySettings,
        environment: DeliveryEnvironment,
        log: DeliveryLog,
        onReady: @escaping @Sendable () -> Void = {}
    ) {
        self.store = store
        self.composer = composer
        self.relay = relay
        self.settings = settings
        self.environment = environment
        self.log = log
        self.onReady = onReady
    }

    /// What the log calls it.
    package var description: String { "delivery" }

    /// Delivers until graceful shutdown.
    package func run() async throws {
        let wake = Signal()
        let ready = ReadyQueue(capacity: settings.connections * DeliverySettings.claimsPerLane) { wake.give() }
        let recorder = OutcomeRecorder(
            store: store,
            environment: environment,
            gathering: settings.gathering,
            log: log,
            // A deferred message has a new moment to wake up at, which the dispatcher looks up.
            onRecorded: { recorded in if recorded.contains(where: \.isDeferred) { wake.give() } }
        )
        let dispatcher = Dispatcher(
            store: store,
            settings: settings,
            environment: environment,
            ready: ready,
            wake: wake,
            log: log
        )
        let lanes = (1...settings.connections).map { SMTPLane(relay: relay, number: $0) }

        await withTaskGroup(of: Void.self) { background in
            background.addTask { await watch(wake) }
            background.addTask { [keeper] in await keeper.run() }
            let dispatching = Task { await dispatcher.run() }
            let sending = Task { await send(through: lanes, from: ready, to: recorder) }
            log.started(connections: lanes.count, relay: relay.name, database: store.path)
            onReady()

            // Fails only when the task is cancelled, which means the same: stop.
            try? await gracefulShutdown()

            wake.close()
            await dispatching.value
            let unsent = ready.close()
            log.stopping(returned: unsent.count)
            await giveBack(unsent)
            await windDown(sending, lanes: lanes, recorder: recorder)
            background.cancelAll()
        }
        await truncateLog()
        log.stopped()
    }

    private var keeper: LeaseKeeper {
        LeaseKeeper(store: store, lease: settings.lease, environment: environment, log: log)
    }

    private func watch(_ wake: Signal) async {
        await CommitWatcher(store: store, pollInterval: settings.pollInterval).run(
            onCommit: { wake.give() },
            onTrouble: { log.watchTrouble($0) }
        )
    }

    private func send(through lanes: [SMTPLane], from ready: ReadyQueue, to recorder: OutcomeRecorder) async {
        await withTaskGroup(of: Void.self) { group in
            for lane in lanes {
                let worker = LaneWorker(
                    lane: lane,
                    ready: ready,
                    composer: composer,
                    settings: settings,
                    environment: environment,
                    recorder: recorder
                )
                group.addTask { await worker.run() }
            }
        }
    }

    private func giveBack(_ claims: [Claim]) async {
        do { try await store.returnUnsent(claims) } catch {
            log.storeTrouble(.returning, error)
        }
    }

    /// Lets lanes finish within the grace, then ends what they send; records what came of it.
    private func windDown(_ sending: Task<Void, Never>, lanes: [SMTPLane], recorder: OutcomeRecorder) async {
        let grace = Task { [environment, settings, log] in
            do { try await environment.sleep(settings.shutdownGrace) } catch { return }
            log.graceOver(after: settings.shutdownGrace)
            for lane in lanes { lane.abortSending() }
        }
        await sending.value
        grace.cancel()
        let unrecorded = await recorder.finish()
        if unrecorded > 0 { log.notRecorded(count: unrecorded) }
    }

    private func truncateLog() async {
        do { try await store.truncateLog() } catch {
            log.storeTrouble(.truncating, error)
        }
    }
}

extension Completion {
    fileprivate var isDeferred: Bool {
        if case .deferred = outcome { true } else { false }
    }
}
