// Claims due messages whenever lanes have room for them, and does what falls due by time. Never opens a socket.

import OutboxCore
import OutboxStore

/// Keeps the relay desk supplied: woken by other processes' commits, by lanes that run out of work, by recorded
/// outcomes, and by the next moment at which something falls due.
actor Dispatcher {
    private let store: any DeliveryStore
    private let settings: DeliverySettings
    private let environment: DeliveryEnvironment
    private let desk: RelayDesk
    private let wake: Signal
    private let log: DeliveryLog

    private var alarm: Task<Void, Never>?
    private var hasWorkedSinceTruncation = true
    /// Up to which insert, by its sequence, the outbox was looked through for messages that make older ones void.
    private var newestSeen: Int64?

    /// How long to wait after the store failed.
    private static let troubleDelay = Duration.seconds(1)

    init(
        store: any DeliveryStore,
        settings: DeliverySettings,
        environment: DeliveryEnvironment,
        desk: RelayDesk,
        wake: Signal,
        log: DeliveryLog
    ) {
        self.store = store
        self.settings = settings
        self.environment = environment
        self.desk = desk
        self.wake = wake
        self.log = log
    }

    /// Works until the signal is closed.
    func run() async {
        wake.give()
        for await _ in wake.calls {
            alarm?.cancel()
            do {
                try await work()
            } catch {
                log.storeTrouble(.working, error)
                setAlarm(in: Self.troubleDelay)
            }
        }
        alarm?.cancel()
    }

    /// Does everything that is due, then sets the alarm for what will be.
    private func work() async throws {
        while true {
            let now = environment.now()
            let hasMore = try await supersede(now)
            let moments = try await store.nextMoments(now: now)
            if let lease = moments.lease, lease <= now {
                log.rescued(try await store.rescue(now: now, rules: settings.rules))
            }
            if let expiry = moments.expiry, expiry <= now { log.expired(try await store.expire(now: now)) }
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
            let batch = try await store.claim(limit: room, now: now, lease: settings.lease, rules: settings.rules)
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
        let found = try await store.supersede(newerThan: newestSeen, now: now, rules: settings.rules)
        newestSeen = found.newest
        log.superseded(found.superseded)
        desk.withdraw(found.claimed, as: .supersededUnsent)
        desk.withdraw(found.withdrawn, as: .cancelledUnsent)
        return found.hasMore
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
