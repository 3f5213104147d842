// Claims due messages whenever lanes have room for them, and does what falls due by time. Never opens a socket.

import OutboxCore
import OutboxStore

/// Keeps the relay desk supplied: woken by other processes' commits, by lanes that run out of work, by recorded
/// outcomes, and by the next moment at which something falls due.
actor Dispatcher {
    private let store: any DeliveryStore
    private let configuration: CurrentConfiguration
    private let environment: DeliveryEnvironment
    private let desk: RelayDesk
    private let wake: Signal
    private let log: DeliveryLog
    private let pulse: DeliveryPulse

    private var alarm: Task<Void, Never>?
    private var hasWorkedSinceTruncation = true
    /// Up to which insert, by its sequence, the outbox was looked through for messages that make older ones void.
    private var newestSeen: Int64?
    /// When the first message fell due that is not claimed, as far as the last look tells.
    private var dueSince: Timestamp?
    private var shownAt: ContinuousClock.Instant?

    /// How long to wait after the store failed.
    private static let troubleDelay = Duration.seconds(1)

    init(
        store: any DeliveryStore,
        configuration: CurrentConfiguration,
        environment: DeliveryEnvironment,
        desk: RelayDesk,
        wake: Signal,
        log: DeliveryLog,
        pulse: DeliveryPulse
    ) {
        self.store = store
        self.configuration = configuration
        self.environment = environment
        self.desk = desk
        self.wake = wake
        self.log = log
        self.pulse = pulse
    }

    /// Works until the signal is closed.
    func run() async {
        wake.give()
        for await _ in wake.calls {
            alarm?.cancel()
            do {
                try await work()
                show(trouble: nil)
            } catch {
                log.storeTrouble(.working, error)
                setAlarm(in: Self.troubleDelay)
                pulse.onStep()
                show(trouble: "\(error)")
            }
        }
        alarm?.cancel()
    }

    /// Does everything that is due, then sets the alarm for what will be.
    private func work() async throws {
        while true {
            let now = environment.now()
            let settings = configuration.value.settings
            let hasMore = try await step { try await supersede(now) }
            let moments = try await step { try await store.nextMoments(now: now) }
            dueSince = moments.due.flatMap { $0 <= now ? $0 : nil }
            if let lease = moments.lease, lease <= now {
                log.rescued(try await step { try await store.rescue(now: now, rules: settings.rules) })
            }
            if let expiry = moments.expiry, expiry <= now {
                log.expired(try await step { try await store.expire(now: now) })
            }
            guard moments.due.map({ $0 <= now }) ?? false else {
                if hasMore { continue }
                if moments.due == nil && moments.lease == nil { try await truncateLog() }
                if let next = moments.next { setAlarm(in: next.timeSince(now)) }
                return
            }
            hasWorkedSinceTruncation = true
            let room = desk.room
            // Without room, the desk wakes us when half of what waits is gone, or a relay works again.
            guard room > 0 else {
                if hasMore { continue }
                if let next = [moments.lease, moments.expiry].compactMap(\.self).min() {
                    setAlarm(in: next.timeSince(now))
                }
                return
            }
            let batch = try await step {
                try await store.claim(limit: room, now: now, lease: settings.lease, rules: settings.rules)
            }
            log.expired(batch.expired)
            log.superseded(batch.superseded)
            log.suppressed(batch.suppressed)
            log.held(batch.held)
            log.withoutToken(batch.withoutToken)
            log.refused(batch.refused)
            log.claimed(batch.claims)
            let refused = desk.add(batch.claims)
            if !refused.isEmpty { try await store.returnUnsent(refused, now: now, rules: settings.rules) }
        }
    }

    /// Makes messages void for which newer ones have arrived, those that wait for a lane included.
    ///
    /// - Returns: whether there are more new messages to look at.
    private func supersede(_ now: Timestamp) async throws -> Bool {
        let rules = configuration.value.settings.rules
        let found = try await store.supersede(newerThan: newestSeen, now: now, rules: rules)
        newestSeen = found.newest
        log.superseded(found.superseded)
        desk.withdraw(found.claimed, as: .supersededUnsent)
        desk.withdraw(found.withdrawn, as: .cancelledUnsent)
        return found.hasMore
    }

    /// Does one thing that may wait for the store, and shows that it has ended.
    private func step<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let value = try await body()
        pulse.onStep()
        return value
    }

    /// Shows how delivery is, once a second at most; a trouble at once.
    private func show(trouble: String?) {
        let now = ContinuousClock.now
        if trouble == nil, let shownAt, now - shownAt < .seconds(1) { return }
        shownAt = now
        pulse.onRound(
            DeliveryState(dueSince: dueSince, underWay: desk.underWay, relays: desk.statuses, trouble: trouble)
        )
    }

    private func setAlarm(in delay: Duration) {
        alarm = Task { [environment, wake] in
            do {
                try await environment.sleep(max(delay, .milliseconds(1)))
                wake.give()
            } catch {
                // Cancelled: something woke the dispatcher earlier.
            }
        }
    }

    /// Once after each spell of work, when nothing waits any more: until then the log changes all the time.
    private func truncateLog() async throws {
        guard hasWorkedSinceTruncation else { return }
        hasWorkedSinceTruncation = try await !store.truncateLog()
    }
}
