// Claims due messages whenever lanes have room for them, and does what falls due by time. Never opens a socket.

import OutboxCore
import OutboxStore

/// Keeps the relay pool supplied: woken by other processes' commits, by lanes that run out of work, by recorded
/// outcomes, and by the next moment at which something falls due.
actor Dispatcher {
    private let store: any DeliveryStore
    private let configuration: CurrentConfiguration
    private let environment: DeliveryEnvironment
    private let pool: RelayPool
    private let wake: WakeUp
    private let log: DeliveryLog
    private let pulse: DeliveryPulse

    private var alarm: Task<Void, Never>?
    private var hasWorkedSinceTruncation = true
    /// Up to which insert, by its sequence, the outbox was looked through for messages that make older ones void.
    private var newestSeen: Int64?
    /// When the first message fell due that is not claimed, as far as the last look tells.
    private var dueSince: Timestamp?
    private var shownAt: ContinuousClock.Instant?

    private let clock: SharedClockWatch
    private let recorder: OutcomeRecorder
    private let wantsQuiet: Flag
    private let isClosing: Flag
    private var lostClaims: LostClaims
    /// When, in uptime, to look at other daemons' claims again.
    private var nextLostLook: Duration?
    /// When, in uptime, to try again to truncate the log.
    private var nextTruncation: Duration?
    private var truncationPause = Dispatcher.firstTruncationPause
    /// A message is under way that is tried alone.
    private var isTryingAlone = false
    private var hasFollowedClock = false
    private var saidStep: ClockStep?
    /// Since when, in uptime, a message that is to be tried alone waits for the others' outcomes, or is under way.
    private var aloneSince: Duration?
    /// Until when, in uptime, no message is tried alone: others had to wait for it.
    private var noneAloneBefore = Duration.zero

    /// However far away the next moment is, the clock may be set meanwhile.
    private static let longestSleep = Duration.seconds(60)
    private static let firstTruncationPause = Duration.seconds(1)
    /// How long others wait for a message that is tried alone: what ends outboxd does so while the mail is made or begins to
    /// be sent.
    private static let longestAlone = Duration.seconds(2)
    private static let pauseBetweenAlone = Duration.seconds(5)

    init(
        store: any DeliveryStore,
        configuration: CurrentConfiguration,
        environment: DeliveryEnvironment,
        clock: SharedClockWatch,
        recorder: OutcomeRecorder,
        wantsQuiet: Flag,
        isClosing: Flag,
        pool: RelayPool,
        wake: WakeUp,
        log: DeliveryLog,
        pulse: DeliveryPulse
    ) {
        self.clock = clock
        self.recorder = recorder
        self.wantsQuiet = wantsQuiet
        self.isClosing = isClosing
        lostClaims = LostClaims(lease: configuration.value.settings.times.lease)
        self.store = store
        self.configuration = configuration
        self.environment = environment
        self.pool = pool
        self.wake = wake
        self.log = log
        self.pulse = pulse
    }

    /// Works until the signal is closed.
    func run() async {
        wake.call()
        for await _ in wake.calls {
            alarm?.cancel()
            do {
                try await work()
                log.storeWorks(.working)
                show(trouble: nil)
            } catch {
                setAlarm(in: log.storeTrouble(.working, error))
                pulse.onStep()
                show(trouble: "\(error)")
            }
        }
        alarm?.cancel()
    }

    /// Does everything that is due, then sets the alarm for what will be.
    private func work() async throws {
        while !isClosing.value {
            let moment = environment.moment()
            let now = moment.now
            try await followClock(moment)
            let settings = configuration.value.settings
            let hasMore = try await step { try await supersede(now) }
            let moments = try await step { try await store.nextMoments(now: now) }
            dueSince = moments.due.flatMap { $0 <= now ? $0 : nil }
            // What was taken over is due now, which these moments don't know.
            if try await rescue(moments, now, settings) { continue }
            let hasExpired = try await expire(moments, moment)
            switch try await claim(moments, now, settings) {
            case .claimed: continue
            case .full: if hasMore || hasExpired { continue }
            case .nothingDue:
                if hasMore || hasExpired { continue }
                if !moments.isSending { try await truncateLog() }
            }
            setAlarm(moments, now)
            return
        }
    }

    /// What became of looking for messages to claim.
    private enum ClaimResult {
        case claimed
        /// Something is due, and the pool wakes the dispatcher when there is room, or the recorder when it is quiet.
        case full
        case nothingDue
    }

    private func claim(_ moments: NextMoments, _ now: Timestamp, _ settings: DeliverySettings) async throws
        -> ClaimResult
    {
        let uptime = environment.uptime()
        if isTryingAlone {
            if isQuiet {
                isTryingAlone = false
                aloneSince = nil
            } else if let aloneSince, uptime < aloneSince + Self.longestAlone {
                return .full
            } else {
                // It did not end outboxd; what takes so long is the relay's answer, for which nobody else must wait.
                try await step { try await store.endTryingAlone() }
                isTryingAlone = false
                aloneSince = nil
                noneAloneBefore = uptime + Self.pauseBetweenAlone
            }
        }
        if let dueAlone = moments.dueAlone, dueAlone <= now, uptime >= noneAloneBefore, pool.room > 0 {
            if isQuiet {
                aloneSince = uptime
                return try await claim(.interruptedOne, limit: 1, now, settings)
            }
            // Nothing else is claimed until what is under way has an outcome on record, but not for long.
            if uptime < (aloneSince ?? uptime) + Self.longestAlone {
                aloneSince = aloneSince ?? uptime
                return .full
            }
            aloneSince = nil
            noneAloneBefore = uptime + Self.pauseBetweenAlone
        }
        wantsQuiet.value = false
        guard let due = moments.due, due <= now else { return .nothingDue }
        hasWorkedSinceTruncation = true
        var room = pool.room
        if moments.hasInterrupted {
            // One of them may end outboxd again: no more than the lanes can try belongs beside it.
            room = min(room, pool.laneCount - pool.underWay)
            wantsQuiet.value = true
        }
        if room > 0 { return try await claim(.ordinary(), limit: room, now, settings) }
        if let urgent = moments.highestDuePriority {
            let urgentRoom = pool.roomForUrgent(priority: urgent)
            if urgentRoom > 0 {
                return try await claim(.ordinary(fromPriority: urgent), limit: urgentRoom, now, settings)
            }
        }
        // Without room, the pool wakes us when half of what waits is gone, or a relay works again.
        return .full
    }

    private func claim(
        _ selection: ClaimSelection,
        limit: Int,
        _ now: Timestamp,
        _ settings: DeliverySettings
    ) async throws -> ClaimResult {
        let uptime = environment.uptime()
        let expiryHold = clock.expiryHold(at: environment.moment())
        var batch = try await step {
            try await store.claim(
                selection,
                limit: limit,
                now: now,
                lease: settings.times.lease,
                rules: settings.rules,
                expiryHold: expiryHold
            )
        }
        log.expired(batch.expired)
        log.superseded(batch.superseded)
        log.suppressed(batch.suppressed)
        log.held(batch.held)
        log.withoutToken(batch.withoutToken)
        log.refused(batch.refused)
        log.claimed(batch.claims)
        batch.lease(until: uptime + settings.times.lease)
        if selection == .interruptedOne, !batch.claims.isEmpty {
            isTryingAlone = true
            log.triedAlone(batch.claims)
        }
        let refused = pool.add(batch.claims)
        if !refused.isEmpty { try await store.returnUnsent(refused, now: now, rules: settings.rules) }
        log.withoutRow(batch.withoutRow)
        // A round that changed nothing would change nothing the next time either.
        return batch.isEmpty ? .nothingDue : .claimed
    }

    /// Nothing is with a lane, waits for one, or has an outcome that is not on record. Else the recorder wakes the
    /// dispatcher after each commit from now on.
    private var isQuiet: Bool {
        wantsQuiet.value = true
        return pool.underWay == 0 && recorder.isIdle
    }

    /// Sets due times right after the clock was set, and at the start, when nobody knows what the clock did before.
    private func followClock(_ moment: Moment) async throws {
        let now = moment.now
        let step = clock.unfollowedStep(at: moment)
        guard step != nil || !hasFollowedClock else { return }
        if let step, step != saidStep {
            log.clockStepped(by: step.distance, expiryHold: clock.expiryHold(at: moment))
            saidStep = step
        }
        let longest = configuration.value.settings.schedule.longestDelay
        while try await self.step({
            try await store.followClock(
                step: step?.distance,
                since: step?.since ?? now,
                clock: environment.now,
                longestDelay: longest
            ) > 0
        }) {}
        // Only now: a store that fails, as under a lock, is asked again.
        if let step { clock.followed(step) }
        hasFollowedClock = true
    }

    /// Takes over what other daemons left, once they have had the time to show that they live.
    ///
    /// - Returns: whether it took something over.
    private func rescue(_ moments: NextMoments, _ now: Timestamp, _ settings: DeliverySettings) async throws -> Bool {
        guard let lease = moments.lease, lease <= now || lease > now + settings.times.lease else {
            nextLostLook = nil
            return false
        }
        let began = environment.uptime()
        if let nextLostLook, began < nextLostLook { return false }
        let expired = try await step { try await store.expiredClaims(now: now, lease: settings.times.lease) }
        let ended = environment.uptime()
        let lost = lostClaims.look(expired, took: ended - began, uptime: ended)
        if !lost.isEmpty {
            let rescue = try await step { try await store.rescue(lost, now: now, rules: settings.rules) }
            log.rescued(rescue.rescued)
            log.endsOutboxd(rescue.ended)
        }
        nextLostLook = ended + lostClaims.interval
        return !lost.isEmpty
    }

    /// - Returns: whether there may be more to expire.
    private func expire(_ moments: NextMoments, _ moment: Moment) async throws -> Bool {
        let now = moment.now
        guard let expiry = moments.expiry, expiry <= now, clock.expiryHold(at: moment) == nil else {
            return false
        }
        let expired = try await step { try await store.expire(now: now) }
        log.expired(expired)
        return !expired.isEmpty
    }

    private func setAlarm(_ moments: NextMoments, _ now: Timestamp) {
        let uptime = environment.uptime()
        var delay = Self.longestSleep
        for moment in [moments.due, moments.dueAlone, moments.lease, moments.expiry].compactMap(\.self)
        where moment > now {
            delay = min(delay, moment.timeSince(now))
        }
        // One that is past waits for room.
        let alone = aloneSince.map { $0 + Self.longestAlone }.flatMap { $0 > uptime ? $0 : nil }
        let nextAlone = moments.dueAlone != nil && noneAloneBefore > uptime ? noneAloneBefore : nil
        for moment in [alone, nextAlone].compactMap(\.self) { delay = min(delay, moment - uptime) }
        // One that is past waits for something else than time: that nothing is due or being sent.
        for moment in [nextLostLook, nextTruncation].compactMap(\.self) where moment > uptime {
            delay = min(delay, moment - uptime)
        }
        if let hold = clock.expiryHold(at: environment.moment()) { delay = min(delay, hold) }
        setAlarm(in: delay)
    }

    /// Makes messages void for which newer ones have arrived, those that wait for a lane included.
    ///
    /// - Returns: whether there are more new messages to look at.
    private func supersede(_ now: Timestamp) async throws -> Bool {
        let rules = configuration.value.settings.rules
        let found = try await store.supersede(newerThan: newestSeen, now: now, rules: rules)
        newestSeen = found.newest
        log.superseded(found.superseded)
        pool.withdraw(found.claimed, as: .supersededUnsent)
        pool.withdraw(found.withdrawn, as: .cancelledUnsent)
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
            DeliveryState(dueSince: dueSince, underWay: pool.underWay, relays: pool.statuses, trouble: trouble)
        )
    }

    private func setAlarm(in delay: Duration) {
        alarm = Task { [environment, wake] in
            do {
                try await environment.sleep(max(delay, .milliseconds(1)))
                wake.call()
            } catch {
                // Cancelled: something woke the dispatcher earlier.
            }
        }
    }

    /// Once after each spell of work, when nothing is due or being sent: until then the log changes all the time. Where a
    /// reader is in the way it is tried again, each time later.
    private func truncateLog() async throws {
        let uptime = environment.uptime()
        guard hasWorkedSinceTruncation, uptime >= nextTruncation ?? .zero else { return }
        if try await step({ try await store.truncateLog() }) {
            hasWorkedSinceTruncation = false
            truncationPause = Self.firstTruncationPause
            nextTruncation = nil
        } else {
            nextTruncation = uptime + truncationPause
            truncationPause = min(truncationPause * 2, Self.longestSleep)
        }
    }
}
