// How the relay pool keeps the recipients of slow mail systems out of everybody else's way. Pure: no clock, no waiting, no
// I/O.

import OutboxCore
import OutboxStore

extension RelayPool.StateMachine {
    /// A domain of which nothing is known yet, and which has kept a lane for longer, is taken for a slow one.
    static let patienceWithNewDomain = Duration.seconds(5)
    /// So many messages for a slow domain may wait for a lane, and so many that the preferred relay has failed; the others
    /// wait in the outbox, where they are in nobody's way.
    private static let waitingAside = 4
    /// How long they wait there.
    private static let pauseAside = Duration.seconds(10)

    /// Slow mail systems, or a relay that asks them before it answers, must not keep all others waiting: a domain that is not
    /// known to work gets half of the lanes, all such domains leave one lane together, and those that are silent get a third.
    func hasLaneFor(_ domain: String, _ relay: Int) -> Bool {
        let evidence = relays[relay].evidence
        let lanes = min(relays[relay].configuration.connections, relays[relay].limit.value ?? .max)
        guard lanes > 1, !evidence.isWorking(domain) else { return true }
        var (own, unproven, silent) = (0, 0, 0)
        for service in served.values where service.relay == relay && !evidence.isWorking(service.domain) {
            unproven += 1
            if service.domain == domain { own += 1 }
            if evidence.isSilent(service.domain) { silent += 1 }
        }
        return own < max(1, lanes / 2) && unproven < lanes - 1
            && (!evidence.isSilent(domain) || silent < max(1, lanes / 3))
    }

    /// Whether messages for the domain keep lanes for long, as far as the relay shows.
    private func isSlow(_ domain: String, _ relay: Int, now: Timestamp) -> Bool {
        let evidence = relays[relay].evidence
        if evidence.isWorking(domain) { return false }
        return evidence.isSilent(domain)
            || served.values.contains { service in
                service.relay == relay && service.domain == domain
                    && service.startedAt + Self.patienceWithNewDomain <= now
            }
    }

    /// Messages for slow domains, and those that the preferred relay has failed, wait in the outbox but for a few: else they
    /// would fill the queue, and nobody else would be claimed.
    mutating func sendAside(now: Timestamp, _ actions: inout Actions) {
        guard let preferred, !queue.isEmpty else { return }
        var waiting: [String: Int] = [:]
        var slow: [String: Bool] = [:]
        let state = self
        let aside = queue.takeAll { claim in
            let isMarked = state.isForAnother(claim, than: preferred)
            let domain = claim.domain
            let isSlow = slow[domain] ?? state.isSlow(domain, preferred, now: now)
            slow[domain] = isSlow
            guard isMarked || isSlow else { return false }
            // All that was failed counts together.
            let key = isMarked ? "" : domain
            waiting[key, default: 0] += 1
            return waiting[key, default: 0] > Self.waitingAside
        }
        actions.completions += aside.map { claim in
            let until = now + Self.pauseAside
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
