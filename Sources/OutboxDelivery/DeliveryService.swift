// Wires the delivery services together and shuts them down in order. Never does their work.

import OutboxCore
package import OutboxStore
import SMTPTransport
import ServiceLifecycle
import Synchronization

/// Everything between the outbox and the relays, as one service.
///
/// On graceful shutdown nothing new is claimed, and claims that wait for a lane return to the queue. Messages that are
/// being sent may finish within the grace period, and their outcomes are recorded.
package struct DeliveryService: Service, CustomStringConvertible {
    private let store: OutboxDatabase
    private let configuration: CurrentConfiguration
    private let environment: DeliveryEnvironment
    private let log: DeliveryLog
    private let pulse: DeliveryPulse
    private let onReady: @Sendable () -> Void

    /// How long shutdown waits for outcomes that can't be recorded at once. With `shutdown_grace` and two waits for a
    /// lock of 5 s each, the total stays below the unit's TimeoutStopSec.
    private static let recordingGrace = Duration.seconds(12)

    /// A lane and its relay's place in the order of preference.
    private typealias PlacedLane = (relay: Int, number: Int, lane: SMTPLane)

    /// Creates the service; nothing happens before `run`.
    ///
    /// - Parameters:
    ///   - configuration: has at least one relay. Later changes to it apply from the next message on.
    ///   - onReady: called once everything runs.
    package init(
        store: OutboxDatabase,
        configuration: CurrentConfiguration,
        environment: DeliveryEnvironment,
        log: DeliveryLog,
        pulse: DeliveryPulse = DeliveryPulse(),
        onReady: @escaping @Sendable () -> Void = {}
    ) {
        self.store = store
        self.configuration = configuration
        self.environment = environment
        self.log = log
        self.pulse = pulse
        self.onReady = onReady
    }

    /// The service's name in the log.
    package var description: String { "delivery" }

    /// Delivers until graceful shutdown.
    ///
    /// - Throws: `DatabaseLost` if the database file was moved or deleted; the log has said so.
    package func run() async throws {
        let wake = WakeUp()
        let clock = SharedClockWatch()
        let leases = LeaseBook()
        let wantsQuiet = Flag()
        let isClosing = Flag()
        let hasBacklog = Flag()
        let relays = configuration.value.relays
        let settings = configuration.value.settings
        let recorder = OutcomeRecorder(
            store: store,
            configuration: configuration,
            environment: environment,
            clock: clock,
            gathering: settings.gathering,
            log: log,
            // A reopened message has a new due time, which the dispatcher looks up.
            onRecorded: { recorded in
                if wantsQuiet.value || recorded.contains(where: \.leavesMessageOpen) { wake.call() }
            }
        )
        let pool = RelayPool(
            configuration: configuration,
            environment: environment,
            clock: clock,
            recorder: recorder,
            log: log,
            known: try await store.relays(),
            onRoom: { wake.call() }
        )
        let dispatcher = Dispatcher(
            store: store,
            configuration: configuration,
            environment: environment,
            clock: clock,
            recorder: recorder,
            wantsQuiet: wantsQuiet,
            isClosing: isClosing,
            hasBacklog: hasBacklog,
            pool: pool,
            wake: wake,
            log: log,
            pulse: pulse
        )
        let lanes = relays.indices.flatMap { index in
            (1...relays[index].configuration.connections).map { number in
                (relay: index, number: number, lane: SMTPLane(relay: relays[index].smtp, number: number))
            }
        }
        try await store.replaceRelays(pool.statuses)
        store.showDaemon()
        let tokens = TokenKeeping(environment: environment, log: log)
        tokens.keep(relays)
        defer { tokens.keep([]) }

        let loss = await withTaskGroup(of: Void.self) { background in
            background.addTask { await watch(wake, hasBacklog, every: settings.times.pollInterval) }
            background.addTask { await keeper(of: settings.times.lease, leases).run() }
            background.addTask { await inspectionKeeper(hasBacklog).run() }
            background.addTask { [retentionKeeper] in await retentionKeeper.run() }
            background.addTask { await reload(lanes, pool, tokens) }
            background.addTask { await askForRounds(wake) }
            let dispatching = Task { await dispatcher.run() }
            let sending = Task { await send(through: lanes, from: pool, leases, clock) }
            log.started(relays: relays, database: store.path)
            onReady()

            let loss = await untilStopped()

            isClosing.value = true
            wake.close()
            if let loss {
                log.lost(loss)
                // Nothing is sent any more, and no outcome can be recorded.
                for (_, _, lane) in lanes { lane.abortSending() }
                background.cancelAll()
                _ = pool.close()
                await sending.value
                await abandon(recorder, pool)
                return loss as FileLoss?
            }
            await dispatching.value
            let unsent = pool.close()
            log.stopping(returned: unsent.count)
            let deadline = await windDown(sending, lanes: lanes, pool: pool, recorder: recorder)
            await giveBack(unsent, until: deadline)
            background.cancelAll()
            return nil
        }
        if loss != nil { throw DatabaseLost() }
        await truncateLog()
        log.stopped()
    }

    /// Waits for graceful shutdown, or until the database file is lost.
    private func untilStopped() async -> FileLoss? {
        await withTaskGroup(of: FileLoss?.self) { group in
            group.addTask {
                // Fails only when the task is cancelled, which also means: stop.
                try? await gracefulShutdown()
                return nil
            }
            group.addTask { [store] in await store.fileLoss() }
            let first = await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }

    private func inspectionKeeper(_ hasBacklog: Flag) -> InspectionKeeper {
        InspectionKeeper(
            inspect: { [store, configuration] in
                try await store.inspect(limit: configuration.value.settings.inspectionLimit)
            },
            hasBacklog: { hasBacklog.value },
            environment: environment,
            database: store.path,
            log: log
        )
    }

    private var retentionKeeper: RetentionKeeper {
        RetentionKeeper(
            store: store,
            retention: { [configuration] in configuration.value.settings.times.retention },
            environment: environment,
            log: log
        )
    }

    /// Logs how many outcomes are lost with the file.
    private func abandon(_ recorder: OutcomeRecorder, _ pool: RelayPool) async {
        pool.releaseRejections()
        let finishing = Task { await recorder.finish() }
        finishing.cancel()
        let unrecorded = await finishing.value
        if unrecorded > 0 { log.notRecorded(count: unrecorded) }
    }

    private func keeper(of lease: Duration, _ leases: LeaseBook) -> LeaseKeeper {
        LeaseKeeper(store: store, lease: lease, leases: leases, environment: environment, log: log)
    }

    /// Only asks for a round: the dispatcher shows that it lives by making one.
    private func askForRounds(_ wake: WakeUp) async {
        guard let interval = pulse.interval else { return }
        while true {
            do { try await environment.sleep(interval) } catch { return }
            wake.call()
        }
    }

    private func watch(_ wake: WakeUp, _ hasBacklog: Flag, every pollInterval: Duration) async {
        let hasCompany = Mutex(false)
        await CommitWatcher(store: store, pollInterval: pollInterval).run(
            onCommit: { wake.call() },
            hasBacklog: { hasBacklog.value },
            onLook: {
                let isThere = store.hasOtherDaemon
                let isNews = hasCompany.withLock { known in
                    defer { known = isThere }
                    return known != isThere
                }
                if isNews { log.hasCompany(isThere, database: store.path) }
                log.storeWorks(.watching)
            },
            onSchema: { problem in
                if let problem { log.storeTrouble(.keepingSchema, problem) } else { log.storeWorks(.keepingSchema) }
            },
            onTrouble: { log.storeTrouble(.watching, $0) }
        )
    }

    private func send(
        through lanes: [PlacedLane],
        from pool: RelayPool,
        _ leases: LeaseBook,
        _ clock: SharedClockWatch
    ) async {
        let tokenTimes = TokenTimes()
        await withTaskGroup(of: Void.self) { group in
            for (relay, number, lane) in lanes {
                let worker = LaneWorker(
                    id: LaneID(relay: relay, number: number),
                    pool: pool,
                    configuration: configuration,
                    environment: environment,
                    leases: leases,
                    tokenTimes: tokenTimes,
                    clock: clock
                )
                group.addTask(executorPreference: lane.taskExecutor) { await worker.run(on: lane) }
            }
        }
    }

    /// Gives each lane the new configuration after its current transmission. Relays that are down are then probed at
    /// once.
    private func reload(_ lanes: [PlacedLane], _ pool: RelayPool, _ tokens: TokenKeeping) async {
        for await _ in configuration.changes.calls {
            pool.limitsChanged()
            let relays = configuration.value.relays
            tokens.keep(relays)
            await withTaskGroup(of: Void.self) { group in
                for (index, number, lane) in lanes {
                    group.addTask {
                        await lane.use(relays[index].smtp)
                        pool.reconfigured(LaneID(relay: index, number: number))
                    }
                }
            }
            log.relaysReconfigured()
        }
    }

    /// - Parameter deadline: in uptime; one attempt is always made.
    private func giveBack(_ claims: [Claim], until deadline: Duration) async {
        let rules = configuration.value.settings.rules
        while true {
            do { return try await store.returnUnsent(claims, now: environment.now(), rules: rules) } catch {
                log.storeTrouble(.returning, error)
            }
            // If these leases are left to expire, the messages become uncertain although nothing of them was sent.
            guard environment.uptime() < deadline else { return }
            do { try await environment.sleep(.seconds(1)) } catch { return }
        }
    }

    /// Lets lanes finish within the grace period, then aborts their transmissions and records the outcomes.
    ///
    /// - Returns: the uptime until which failed requests to the store may be repeated.
    private func windDown(
        _ sending: Task<Void, Never>,
        lanes: [PlacedLane],
        pool: RelayPool,
        recorder: OutcomeRecorder
    ) async -> Duration {
        let grace = Task { [environment, log, grace = configuration.value.settings.times.shutdownGrace] in
            do { try await environment.sleep(grace) } catch { return }
            log.graceOver(after: grace)
            for (_, _, lane) in lanes { lane.abortSending() }
        }
        await sending.value
        grace.cancel()
        pool.releaseRejections()
        let deadline = environment.uptime() + Self.recordingGrace
        let unrecorded = await finishRecording(recorder)
        if unrecorded > 0 { log.notRecorded(count: unrecorded) }
        return deadline
    }

    /// Outcomes that can't be recorded, such as on a full disk, must not keep the service from ending.
    private func finishRecording(_ recorder: OutcomeRecorder) async -> Int {
        let recording = Task { await recorder.finish() }
        let limit = Task { [environment] in
            do { try await environment.sleep(Self.recordingGrace) } catch { return }
            recording.cancel()
        }
        defer { limit.cancel() }
        return await recording.value
    }

    private func truncateLog() async {
        // A concurrent reader does no harm: the next process that opens the file truncates the log.
        do { _ = try await store.truncateLog() } catch {
            log.storeTrouble(.truncating, error)
        }
    }
}

/// Delivery ended because the database file was moved or deleted, as the log says. A new start uses the file that is
/// there then.
package struct DatabaseLost: Error {}

extension Completion {
    fileprivate var leavesMessageOpen: Bool {
        switch outcome {
        case .deferred, .returnedUnsent: true
        case .accepted, .rejected, .expired, .expiredUnsent, .supersededUnsent, .cancelledUnsent: false
        }
    }
}
