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
    static let patience = Duration.seconds(5)
    /// So long after its last acceptance a domain may still have become silent: it begins with half of the lanes.
    private static let freshness = Duration.seconds(30)

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
                let last = pooled.evidence.lastAccepted(claim.domain)
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
            if evidence.lastAccepted(claim.domain) != nil { counts.worked += 1 }
            if claim.isHeldForLong(at: now) {
                counts.slow[claim.domain, default: 0] += 1
                counts.slowLanes += 1
            }
        }
        return counts
    }

    /// Whether messages for the domain are known not to keep lanes for long.
    private func isWorking(_ domain: String) -> Bool {
        guard !stalled.contains(domain), let last = evidence.lastAccepted(domain) else { return false }
        return last + Self.freshness > now
    }

    /// Slow mail systems, or a relay that asks them before it answers, must not keep all others waiting: a domain that is not
    /// known to work gets one lane, two where the first is held for long, or half of the lanes where it worked before; all such
    /// domains leave one lane together, and those that are silent get a third.
    mutating func hasLane(for domain: String) -> Bool {
        guard lanes > 1, !isWorking(domain) else { return true }
        let half = (lanes + 1) / 2
        let hasWorked = evidence.lastAccepted(domain) != nil
        let most = hasWorked ? half : counts.slow[domain] == nil ? 1 : min(2, half)
        return counts.own[domain, default: 0] < most && counts.unproven < limit(for: domain)
            && (!evidence.isSilent(domain) || counts.silent < max(1, lanes / 3))
    }

    /// Whether messages for the domain keep lanes for long, as far as the relay shows.
    mutating func isSlow(_ domain: String) -> Bool {
        if isWorking(domain) { return false }
        if evidence.isSilent(domain) || counts.slow[domain] != nil { return true }
        // Where claims that are held for long have all lanes that the domain may have one of, it gets none soon.
        return lanes > 1 && counts.slowLanes >= limit(for: domain)
    }

    /// How many lanes domains that are not known to work may have, before this one gets another.
    ///
    /// The last lane is for one that works. One that worked some time ago, and has no lane, may take it, unless many such domains
    /// hold lanes, as those of one provider do that hangs; but where nobody works lately, it is kept for nobody.
    private mutating func limit(for domain: String) -> Int {
        guard evidence.lastAccepted(domain) != nil, !stalled.contains(domain), counts.own[domain] == nil else {
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

    /// Messages for slow domains, and those that the preferred relay has failed, wait in the outbox but for a few of each: else
    /// they would fill the queue, and nobody else would be claimed.
    mutating func sendAside(now: Timestamp, _ actions: inout Actions) {
        guard let preferred, !queue.isEmpty else { return }
        let most = max(1, queueLimit(preferred) / 8)
        var shares = laneShares(preferred, now: now)
        let state = self
        var (marked, slow) = (0, 0)
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
            waiting[domain, default: 0] += 1
            guard waiting[domain, default: 0] <= Self.waitingAside, slow < most else { return true }
            // Where few may wait, none does that can't have a lane: another slow domain's message can.
            guard most >= Self.waitingAside || shares.hasLane(for: domain) else { return true }
            slow += 1
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
