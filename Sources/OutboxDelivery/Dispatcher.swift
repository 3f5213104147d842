// Claims due messages whenever lanes have room for them, and does the work that time makes due. Never opens a socket.

import OutboxCore
import OutboxStore

/// Keeps the relay pool supplied. Wakes up on commits of other processes, when lanes run out of work, when outcomes are
/// recorded, and when the next task falls due.
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
    /// The sequence number of the last insert that was checked for messages that supersede older ones.
    private var newestSeen: Int64?
    /// When the first unclaimed message fell due, as of the last query.
    private var dueSince: Timestamp?
    /// Whether messages of a restored file wait, as of the last query.
    private var hasRestored = false
    private var shownAt: ContinuousClock.Instant?

    private let clock: SharedClockWatch
    private let recorder: OutcomeRecorder
    private let wantsQuiet: Flag
    private let isClosing: Flag
    /// Messages are due, and none can be claimed at present: as of the last round.
    private let hasBacklog: Flag
    private var lostClaims: LostClaims
    /// Uptime of the next check of other daemons' claims.
    private var nextLostLook: Duration?
    /// Uptime of the next attempt to truncate the log.
    private var nextTruncation: Duration?
    private var truncationPause = Dispatcher.firstTruncationPause
    /// Whether a message that must be tried alone is under way.
    private var isTryingAlone = false
    private var hasFollowedClock = false
    private var saidStep: ClockStep?
    /// Uptime since when a message that must be tried alone has been under way, or has waited for the others' outcomes.
    private var aloneSince: Duration?
    /// Uptime before which no message is tried alone, because others had to wait for the last one.
    private var noneAloneBefore = Duration.zero

    /// Upper limit of a sleep, because somebody may set the clock meanwhile.
    private static let longestSleep = Duration.seconds(60)
    private static let firstTruncationPause = Duration.seconds(1)
    /// How long others wait for a message that is tried alone. A message that crashes outboxd does so while the mail is
    /// composed or at the beginning of the transmission.
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
        hasBacklog: Flag,
        pool: RelayPool,
        wake: WakeUp,
        log: DeliveryLog,
        pulse: DeliveryPulse
    ) {
        self.clock = clock
        self.recorder = recorder
        self.wantsQuiet = wantsQuiet
        self.isClosing = isClosing
        self.hasBacklog = hasBacklog
        lostClaims = LostClaims(lease: configuration.value.settings.times.lease)
        self.store = store
        self.configuration = configuration
        self.environment = environment
        self.pool = pool
        self.wake = wake
        self.log = log
        self.pulse = pulse
    }

    /// Works until the wake-up is closed.
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

    /// Does everything that is due, then sets the alarm for the next due time.
    private func work() async throws {
        while !isClosing.value {
            let moment = environment.moment()
            let now = moment.now
            try await followClock(moment)
            let settings = configuration.value.settings
            let hasMore = try await step { try await supersede(now) }
            let moments = try await step { try await store.nextMoments(now: now) }
            dueSince = moments.due.flatMap { $0 <= now ? $0 : nil }
            hasRestored = moments.hasRestored
            // Claims that were taken over are due now, but these moments don't include them.
            if try await rescue(moments, now, settings) { continue }
            let hasExpired = try await expire(moments, moment)
            switch try await claim(moments, now, settings) {
            case .claimed: continue
            case .full:
                hasBacklog.value = true
                if hasMore || hasExpired { continue }
            case .nothingDue:
                hasBacklog.value = false
                if hasMore || hasExpired { continue }
                if !moments.isSending { try await truncateLog() }
            }
            setAlarm(moments, now)
            return
        }
    }

    /// The result of an attempt to claim messages.
    private enum ClaimResult {
        case claimed
        /// Messages are due. The pool wakes the dispatcher when there is room, or the recorder does when nothing is
        /// under way.
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
                // The message did not crash outboxd. The relay's answer takes long, and no other message needs to wait
                // for it.
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
            // Nothing else is claimed until all outcomes are recorded, but not for long.
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
            // Any of these messages may crash outboxd again, so only as many are claimed as the lanes can try.
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
        // Without room, the pool wakes the dispatcher when half of the queue is gone, or when a relay works again.
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
        // A round without changes would change nothing the next time either.
        return batch.isEmpty ? .nothingDue : .claimed
    }

    /// Whether no claim is with a lane or in the queue, and every outcome is recorded. If not, the recorder wakes the
    /// dispatcher after each commit from now on.
    private var isQuiet: Bool {
        wantsQuiet.value = true
        return pool.underWay == 0 && recorder.isIdle
    }

    /// Adjusts the due times after the clock was set. Also runs at start, because the clock may have been set before.
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
        // Only after success: if the store fails, such as under a lock, the step must be repeated.
        if let step { clock.followed(step) }
        hasFollowedClock = true
    }

    /// Takes over claims of other daemons after these had enough time to renew them.
    ///
    /// - Returns: whether any claim was taken over.
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

    /// - Returns: whether more messages may have to expire.
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
        // If this time is past, the message waits for room.
        let alone = aloneSince.map { $0 + Self.longestAlone }.flatMap { $0 > uptime ? $0 : nil }
        let nextAlone = moments.dueAlone != nil && noneAloneBefore > uptime ? noneAloneBefore : nil
        for moment in [alone, nextAlone].compactMap(\.self) { delay = min(delay, moment - uptime) }
        // If these times are past, the task waits until nothing is due or being sent.
        for moment in [nextLostLook, nextTruncation].compactMap(\.self) where moment > uptime {
            delay = min(delay, moment - uptime)
        }
        if let hold = clock.expiryHold(at: environment.moment()) { delay = min(delay, hold) }
        setAlarm(in: delay)
    }

    /// Supersedes messages for which newer ones have arrived, including those that wait for a lane.
    ///
    /// - Returns: whether there are more new messages to check.
    private func supersede(_ now: Timestamp) async throws -> Bool {
        let rules = configuration.value.settings.rules
        let found = try await store.supersede(newerThan: newestSeen, now: now, rules: rules)
        newestSeen = found.newest
        log.superseded(found.superseded)
        pool.withdraw(found.claimed, as: .supersededUnsent)
        pool.withdraw(found.cancelled, as: .cancelledUnsent)
        return found.hasMore
    }

    /// Runs one step that may wait for the store, and signals its end to the pulse.
    private func step<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let value = try await body()
        pulse.onStep()
        return value
    }

    /// Reports the state of delivery, at most once a second; reports a trouble at once.
    private func show(trouble: String?) {
        let now = ContinuousClock.now
        if trouble == nil, let shownAt, now - shownAt < .seconds(1) { return }
        shownAt = now
        pulse.onRound(
            DeliveryState(
                dueSince: dueSince,
                underWay: pool.underWay,
                hasRestored: hasRestored,
                relays: pool.statuses,
                trouble: trouble
            )
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

    /// Runs once after each spell of work, when nothing is due or being sent: until then the log changes all the time.
    /// If a reader prevents truncation, the attempt is repeated with growing pauses.
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
