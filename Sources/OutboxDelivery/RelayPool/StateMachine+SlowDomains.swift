// Keeps the recipients of slow mail systems from delaying all others in the relay pool. Pure: no clock, no waiting, no
// I/O.

import OutboxCore
import OutboxStore

/// The distribution of one relay's lanes among domains at one moment.
struct LaneShares {
    /// The lanes of domains that are not known to work.
    private struct Counts {
        /// The number of lanes of each domain.
        var own: [String: Int] = [:]
        var unproven = 0
        var silent = 0
        /// The lanes that have been held for long, by domain.
        var slow: [String: Int] = [:]
        var slowLanes = 0
        /// The number of lanes of domains that worked before.
        var worked = 0
    }

    /// A claim that keeps its lane for longer than this is slow.
    static let patience = RelayEvidence.patience
    /// A domain whose last answer is older than this may have become silent: it begins with half of the lanes.
    private static let freshness = RelayEvidence.freshness

    /// How many connections the relay accepts.
    private let lanes: Int
    private let evidence: RelayEvidence
    private let now: Timestamp
    private let relay: Int
    /// The claims that lanes hold, of all relays.
    private let served: [Int64: ServedClaim]
    /// The domains that have kept a lane for longer than the relay needed for a claim that began later.
    private let stalled: Set<String>
    private lazy var counts = count()

    init(_ pooled: PooledRelay, _ served: [Int64: ServedClaim], relay: Int, now: Timestamp) {
        lanes = min(pooled.configuration.connections, pooled.limit.value ?? .max)
        evidence = pooled.evidence
        self.now = now
        self.relay = relay
        self.served = served
        var stalled: Set<String> = []
        for claim in served.values where claim.relay == relay && claim.isHeldForLong(at: now) {
            guard claim.order < pooled.newestAccepted else { continue }
            // If the domain has accepted another message since, or very recently, this slow claim is an exception.
            let last = pooled.evidence.lastWorked(claim.domain)
            if last.map({ $0 < claim.startedAt + Self.patience && $0 + Self.patience <= now }) ?? true {
                stalled.insert(claim.domain)
            }
        }
        self.stalled = stalled
    }

    private var claims: some Sequence<ServedClaim> { served.values.lazy.filter { $0.relay == relay } }

    private func count() -> Counts {
        var counts = Counts()
        for claim in claims where !isWorking(claim.domain) {
            counts.own[claim.domain, default: 0] += 1
            counts.unproven += 1
            if evidence.isSilent(claim.domain) { counts.silent += 1 }
            if evidence.lastWorked(claim.domain) != nil { counts.worked += 1 }
            if claim.isHeldForLong(at: now) {
                counts.slow[claim.domain, default: 0] += 1
                counts.slowLanes += 1
            }
        }
        return counts
    }

    /// Whether messages for the domain are known to be quick.
    private func isWorking(_ domain: String) -> Bool {
        guard !stalled.contains(domain), let last = evidence.lastWorked(domain) else { return false }
        return last + Self.freshness > now
    }

    /// Whether the domain may get another lane. A slow mail system must not keep all other domains waiting, nor must a
    /// relay that queries such a system before it answers.
    ///
    /// - A domain that is not known to work gets one lane. It gets two where the first is held for long, and half of the
    ///   lanes where it worked before.
    /// - All such domains together leave one lane free.
    /// - Silent domains together get a third of the lanes.
    ///
    /// Nobody knows in advance which domain has just become silent, so a claim that then holds its lane for long is cut
    /// short (see ``mayKeepLane(_:)``).
    mutating func hasLane(for domain: String) -> Bool {
        guard lanes > 1, !isWorking(domain) else { return true }
        let half = (lanes + 1) / 2
        let hasWorked = evidence.lastWorked(domain) != nil
        let most = hasWorked ? half : counts.slow[domain] == nil ? 1 : min(2, half)
        return counts.own[domain, default: 0] < most && counts.unproven < limit(for: domain)
            && (!evidence.isSilent(domain) || counts.silent < mostSilent)
    }

    /// How many lanes may be held for long while other claims wait for a lane.
    private var mostSilent: Int { max(1, lanes / 3) }

    /// Whether the claim may keep its lane although other claims wait. Where at most one lane is idle and the relay is
    /// quick for other claims, only the claims that have waited longest for the answer to RCPT keep their lanes.
    func mayKeepLane(_ claim: ServedClaim) -> Bool {
        !claim.isHeldForLong(at: now) || !evidence.isQuick(at: now)
            || served.values.count { $0.relay == relay } < lanes - 1
            || claims.count { $0.dotAt == nil && $0.isHeldForLong(at: now) && $0.order < claim.order } < mostSilent
    }

    /// Whether messages for the domain hold lanes for long, as far as the relay shows.
    mutating func isSlow(_ domain: String) -> Bool {
        if isWorking(domain) { return false }
        if evidence.isSilent(domain) || counts.slow[domain] != nil { return true }
        // No more lanes may be held for long, and no other lane is free for the domain: it gets none soon.
        return lanes > 1 && counts.slowLanes >= mostSilent && counts.unproven >= limit(for: domain)
    }

    /// How many lanes domains that are not known to work may have before this domain gets another one.
    ///
    /// The last lane is reserved for a domain that works. A domain that worked some time ago and has no lane may take
    /// it, unless many such domains hold lanes, like the domains of one provider that hangs. If no domain has worked
    /// lately, the lane is not reserved.
    private mutating func limit(for domain: String) -> Int {
        guard evidence.lastWorked(domain) != nil, !stalled.contains(domain), counts.own[domain] == nil else {
            return lanes - 1
        }
        let isKeptForNobody = evidence.lastAcceptedAt.map { $0 + Self.freshness <= now } ?? true
        return isKeptForNobody || counts.worked * 2 < max(3, lanes) ? lanes : lanes - 1
    }
}

extension RelayPool.StateMachine {
    /// How many messages for a slow domain may wait for a lane. The others wait in the outbox, where they delay nobody.
    private static let waitingAside = 4
    /// How long these messages wait in the outbox.
    private static let pauseAside = Duration.seconds(10)
    /// How long a message waits there that the preferred relay has failed: it only needs an idle lane of the next
    /// relay.
    private static let pauseForAnother = Duration.seconds(1)

    func laneShares(_ relay: Int, now: Timestamp) -> LaneShares {
        LaneShares(relays[relay], served, relay: relay, now: now)
    }

    /// Whether a lane may go on waiting for the answer to RCPT. No content has been handed over by then, so giving up
    /// costs only the attempt.
    mutating func mayWait(for claim: Claim, at now: Timestamp) -> Bool {
        guard let service = served[claim.message.id], relays[service.relay].health.takesMessages,
            !laneShares(service.relay, now: now).mayKeepLane(service)
        else { return true }
        // Only another domain's claim that could take the lane at once is a reason; silent domains wait for each other.
        let evidence = relays[service.relay].evidence
        var shares = LaneShares(
            relays[service.relay],
            served.filter { $0.value.order != service.order },
            relay: service.relay,
            now: now
        )
        let state = self
        let isWanted = queue.firstPlace { other in
            other.domain != service.domain && !evidence.isSilent(other.domain) && shares.hasLane(for: other.domain)
                && !state.isForAnother(other, than: service.relay)
        }
        guard isWanted != nil else { return true }
        served[claim.message.id]?.isCutShort = true
        return false
    }

    /// Returns messages for slow domains, and messages that the preferred relay has failed, to the outbox, except for a
    /// few of each. Otherwise they would fill the queue, and no other message would be claimed.
    mutating func sendAside(now: Timestamp, _ actions: inout Actions) {
        guard let preferred, !queue.isEmpty else { return }
        let most = max(1, usualQueueLimit(preferred) / 8)
        var shares = laneShares(preferred, now: now)
        let state = self
        var marked = 0
        // Counts silent domains apart, so that they don't take the places of domains that only have no lane yet.
        var slow: [Bool: Int] = [:]
        var waiting: [String: Int] = [:]
        var isSlow: [String: Bool] = [:]
        var pauses: [Int64: Duration] = [:]
        let aside = queue.takeAll { claim in
            if state.isForAnother(claim, than: preferred) {
                marked += 1
                if marked > most { pauses[claim.message.id] = Self.pauseForAnother }
                return marked > most
            }
            let domain = claim.domain
            let isSlowDomain = isSlow[domain] ?? shares.isSlow(domain)
            isSlow[domain] = isSlowDomain
            guard isSlowDomain else { return false }
            let isSilent = state.relays[preferred].evidence.isSilent(domain)
            waiting[domain, default: 0] += 1
            guard waiting[domain, default: 0] <= Self.waitingAside, slow[isSilent, default: 0] < most else {
                return true
            }
            // Where only few claims may wait, a claim that can't get a lane must not take the place of one that can.
            guard most >= Self.waitingAside || shares.hasLane(for: domain) else { return true }
            slow[isSilent, default: 0] += 1
            return false
        }
        actions.completions += aside.map { claim in
            let until = now + (pauses[claim.message.id] ?? Self.pauseAside)
            return Completion(claim: claim, outcome: .returnedUnsent(until: until), relay: nil, finishedAt: now)
        }
    }
}

extension Claim {
    /// The recipient's domain in the form that is used to compare addresses.
    var domain: String {
        guard let at = address.utf8.lastIndex(of: UInt8(ascii: "@")) else { return "" }
        return String(address[address.utf8.index(after: at)...])
    }
}

extension ServedClaim {
    fileprivate func isHeldForLong(at now: Timestamp) -> Bool { openedAt + LaneShares.patience <= now }
}
