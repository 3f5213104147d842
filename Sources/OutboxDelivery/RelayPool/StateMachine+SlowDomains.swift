// How the relay pool keeps the recipients of slow mail systems out of everybody else's way. Pure: no clock, no waiting, no
// I/O.

import OutboxCore
import OutboxStore

/// How the lanes of one relay are shared among domains at one moment.
struct LaneShares {
    /// What the lanes do whose domains are not known to work.
    private struct Counts {
        /// How many lanes each domain has.
        var own: [String: Int] = [:]
        var unproven = 0
        var silent = 0
        /// Those that have kept their lane for long, by domain.
        var slow: [String: Int] = [:]
        var slowLanes = 0
        /// Lanes of domains that worked before.
        var worked = 0
    }

    /// A claim that keeps its lane for longer keeps it for long.
    static let patience = RelayEvidence.patience
    /// So long after its last answer a domain may have become silent: it begins with half of the lanes.
    private static let freshness = RelayEvidence.freshness

    /// How many connections the relay takes.
    private let lanes: Int
    private let evidence: RelayEvidence
    private let now: Timestamp
    private let claims: [ServedClaim]
    /// The domains that keep a lane for longer than the relay needed for a claim that began later.
    private let stalled: Set<String>
    private lazy var counts = count()

    init(_ pooled: PooledRelay, _ served: some Collection<ServedClaim>, relay: Int, now: Timestamp) {
        lanes = min(pooled.configuration.connections, pooled.limit.value ?? .max)
        evidence = pooled.evidence
        self.now = now
        claims = served.filter { $0.relay == relay }
        stalled = Set(
            claims.lazy.filter { claim in
                guard claim.isHeldForLong(at: now), claim.order < pooled.newestAccepted else { return false }
                // Where the domain has accepted another message since then, or just now, this claim is an exception.
                let last = pooled.evidence.lastWorked(claim.domain)
                return last.map { $0 < claim.startedAt + Self.patience && $0 + Self.patience <= now } ?? true
            }.map(\.domain)
        )
    }

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

    /// Whether messages for the domain are known not to keep lanes for long.
    private func isWorking(_ domain: String) -> Bool {
        guard !stalled.contains(domain), let last = evidence.lastWorked(domain) else { return false }
        return last + Self.freshness > now
    }

    /// Slow mail systems, or a relay that asks them before it answers, must not keep all others waiting: a domain that is not
    /// known to work gets one lane, two where the first is held for long, or half of the lanes where it worked before; all such
    /// domains leave one lane together, and those that are silent get a third. What has got a lane and keeps it for long is cut
    /// short (see ``mayKeepLane(_:)``), for nobody knows beforehand which domain has just become silent.
    mutating func hasLane(for domain: String) -> Bool {
        guard lanes > 1, !isWorking(domain) else { return true }
        let half = (lanes + 1) / 2
        let hasWorked = evidence.lastWorked(domain) != nil
        let most = hasWorked ? half : counts.slow[domain] == nil ? 1 : min(2, half)
        return counts.own[domain, default: 0] < most && counts.unproven < limit(for: domain)
            && (!evidence.isSilent(domain) || counts.silent < mostSilent)
    }

    /// How many lanes may wait for long while others wait for a lane.
    private var mostSilent: Int { max(1, lanes / 3) }

    /// Whether the claim may keep its lane, although others wait: where no lane is idle but the last one, and the relay is quick
    /// for others, only those may that have waited for the longest time.
    func mayKeepLane(_ claim: ServedClaim) -> Bool {
        !claim.isHeldForLong(at: now) || !evidence.isQuick(at: now) || claims.count < lanes - 1
            || claims.count { $0.isHeldForLong(at: now) && $0.order < claim.order } < mostSilent
    }

    /// Whether messages for the domain keep lanes for long, as far as the relay shows.
    mutating func isSlow(_ domain: String) -> Bool {
        if isWorking(domain) { return false }
        if evidence.isSilent(domain) || counts.slow[domain] != nil { return true }
        // Where as many lanes are held for long as may be, and no other one is free for the domain, it gets none soon.
        return lanes > 1 && counts.slowLanes >= mostSilent && counts.unproven >= limit(for: domain)
    }

    /// How many lanes domains that are not known to work may have, before this one gets another.
    ///
    /// The last lane is for one that works. One that worked some time ago, and has no lane, may take it, unless many such domains
    /// hold lanes, as those of one provider do that hangs; but where nobody works lately, it is kept for nobody.
    private mutating func limit(for domain: String) -> Int {
        guard evidence.lastWorked(domain) != nil, !stalled.contains(domain), counts.own[domain] == nil else {
            return lanes - 1
        }
        let isKeptForNobody = evidence.lastAcceptedAt.map { $0 + Self.freshness <= now } ?? true
        return isKeptForNobody || counts.worked * 2 < max(3, lanes) ? lanes : lanes - 1
    }
}

extension RelayPool.StateMachine {
    /// So many messages for a slow domain may wait for a lane; the others wait in the outbox, where they are in nobody's way.
    private static let waitingAside = 4
    /// How long they wait there.
    private static let pauseAside = Duration.seconds(10)
    /// How long a message waits there that the preferred relay has failed: only for an idle lane of the next one.
    private static let pauseForAnother = Duration.seconds(1)

    func laneShares(_ relay: Int, now: Timestamp) -> LaneShares {
        LaneShares(relays[relay], served.values, relay: relay, now: now)
    }

    /// Whether a lane may go on waiting for the answer to RCPT. Nothing of the message is handed over by then, so that giving up
    /// costs nothing but the attempt.
    mutating func mayWait(for claim: Claim, at now: Timestamp) -> Bool {
        guard let service = served[claim.message.id], relays[service.relay].health.takesMessages,
            !laneShares(service.relay, now: now).mayKeepLane(service)
        else { return true }
        // Silent domains wait for each other.
        let evidence = relays[service.relay].evidence
        guard queue.firstPlace(where: { !evidence.isSilent($0.domain) }) != nil else { return true }
        served[claim.message.id]?.isCutShort = true
        return false
    }

    /// Messages for slow domains, and those that the preferred relay has failed, wait in the outbox but for a few of each: else
    /// they would fill the queue, and nobody else would be claimed.
    mutating func sendAside(now: Timestamp, _ actions: inout Actions) {
        guard let preferred, !queue.isEmpty else { return }
        let most = max(1, queueLimit(preferred) / 8)
        var shares = laneShares(preferred, now: now)
        let state = self
        var marked = 0
        // Those that are silent must not take the places of those that only have no lane yet.
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
            // Where few may wait, none does that can't have a lane: another slow domain's message can.
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
    /// The domain of the recipient, in the form in which addresses are compared.
    var domain: String {
        guard let at = address.utf8.lastIndex(of: UInt8(ascii: "@")) else { return "" }
        return String(address[address.utf8.index(after: at)...])
    }
}

extension ServedClaim {
    fileprivate func isHeldForLong(at now: Timestamp) -> Bool { startedAt + LaneShares.patience <= now }
}
