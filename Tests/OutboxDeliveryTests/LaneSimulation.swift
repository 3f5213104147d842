// A relay pool in virtual time: an outbox that offers due messages, lanes, and mail systems that answer, refuse or stay
// silent. Values only: no clock, no socket, no store.

import InternetMessage
import OutboxCore
import OutboxStore
import SMTPTransport

@testable import OutboxDelivery

/// Drives a relay pool's state machine like the dispatcher, the lanes and the alarm, and measures waiting times.
struct LaneSimulation: StateMachineFixture {
    /// The relay's reaction to a recipient of a domain.
    enum Answer {
        case accepts(after: Duration)
        case refuses(after: Duration)
        /// RCPT gets no answer until the lane gives up.
        case silent(until: Duration)
    }

    /// One mail and its fate. Times count from the beginning.
    struct Mail {
        let group: String
        let address: String
        let requestedAt: Duration
        var triedAt: Duration?
        var acceptedAt: Duration?
        var isFinal = false
        var counted = 0
        var attempts = 0
    }

    private enum Event {
        case arrival(Int64)
        case end(Claim, LaneID, TransmissionResult)
        /// A lane that is still waiting for the answer to RCPT asks whether it may go on.
        case asks(Claim, LaneID)
    }

    private static let timedOut = TransmissionFailure(stage: .rcpt, cause: .timedOut, detail: "")

    private(set) var pool: RelayPool.StateMachine
    private(set) var mails: [Int64: Mail] = [:]
    /// The reaction of the relay with this index to a domain at a time.
    private let answer: (_ domain: String, _ relay: Int, _ at: Duration) -> Answer
    private var time = Duration.zero
    private var events = Agenda<Event>()
    private var outbox = Agenda<Int64>()
    private var connected: Set<LaneID> = []
    private var chance = 0.0
    private var returnsIn: [Int64: Int] = [:]
    /// The longest time during which all lanes were idle although a message was due.
    private(set) var longestStandstill = Duration.zero
    private var idleSince: Duration?
    /// When to tell the pool that time has passed. As in the daemon, an alarm stays once it is set.
    private var alarm: Duration?
    /// Whether the outbox was queried again and again at one moment.
    private(set) var isTurningInCircles = false

    init(
        lanes: Int,
        relays count: Int = 1,
        rate: Double? = nil,
        _ answer: @escaping (_ domain: String, _ relay: Int, _ at: Duration) -> Answer
    ) {
        self.answer = answer
        let start = Timestamp(milliseconds: 1_800_000_000_000)
        let relays = (0..<count).map { number -> DeliveryRelay in
            var configuration = RelayConfiguration(name: "relay\(number)", url: "smtp://127.0.0.1:1")
            configuration.connections = lanes
            configuration.rate = rate
            return DeliveryRelay(SMTPRelay(configuration))
        }
        pool = RelayPool.StateMachine(
            relays: relays,
            schedule: RetrySchedule(),
            holding: .seconds(2),
            now: start
        )
        for relay in 0..<count {
            for number in 1...lanes { perform(pool.awaitsClaim(lane(number, of: relay), at: present())) }
        }
    }

    mutating func post(_ address: String, of group: String, at time: Duration) {
        let id = Int64(mails.count + 1)
        mails[id] = Mail(group: group, address: address, requestedAt: time)
        events.add(.arrival(id), at: time)
    }

    mutating func run(until end: Duration) {
        while true {
            claimDue()
            noticeStandstill()
            let isRoom = pool.roomForBatch(now: now + time) > 0
            let candidates = [events.first, isRoom ? outbox.first : nil, alarm].compactMap { $0 }
            guard let next = candidates.min(), next <= end else { break }
            time = max(time, next)
            while let event = events.take(until: time) { happens(event) }
            if let set = alarm, set <= time {
                alarm = nil
                perform(pool.timePassed(at: present()))
            }
        }
        time = end
        noticeStandstill()
    }

    // MARK: Measurements

    /// The longest time that a mail of the group waited for acceptance; a mail that still waits counts until now.
    func longestWait(_ group: String) -> Duration {
        of(group).map { ($0.acceptedAt ?? time) - $0.requestedAt }.max() ?? .zero
    }

    func of(_ group: String) -> [Mail] { mails.values.filter { $0.group == group } }

    /// How many mails were never tried, and how many have no final outcome.
    var untried: Int { mails.values.count { $0.triedAt == nil && $0.requestedAt < time } }
    var open: Int { mails.values.count { !$0.isFinal } }
    /// The largest number of claims that were given back within one second.
    var mostReturns: Int { returnsIn.values.max() ?? 0 }
    var totalReturns: Int { returnsIn.values.reduce(0, +) }

    // MARK: Execution

    private func present() -> RelayPool.StateMachine.Present {
        .init(now: now + time, chance: chance)
    }

    private mutating func claimDue() {
        var rounds = 0
        while pool.roomForBatch(now: now + time) > 0 {
            var claims: [Claim] = []
            while claims.count < pool.roomForBatch(now: now + time), let id = outbox.take(until: time) {
                claims.append(claimed(id))
            }
            if claims.isEmpty { return }
            perform(pool.add(claims, at: present()).actions)
            rounds += 1
            if rounds > 1000 {
                isTurningInCircles = true
                time += .milliseconds(10)
                return
            }
        }
    }

    private func claimed(_ id: Int64) -> Claim {
        guard let mail = mails[id] else { preconditionFailure("it was posted") }
        return Claim(
            message: Message(
                id: id,
                kind: "verify-email",
                recipient: mail.address,
                token: Token("t"),
                envelopeID: "e",
                requestedAt: now + mail.requestedAt
            ),
            sequence: id,
            address: mail.address,
            priority: 0,
            attempt: mail.attempts + 1,
            attempts: mail.counted + 1,
            uncertainAttempts: 0,
            claimedAt: now + time
        )
    }

    private mutating func happens(_ event: Event) {
        switch event {
        case .arrival(let id): outbox.add(id, at: time)
        case .asks(let claim, let lane):
            guard mails[claim.message.id]?.attempts == claim.attempt, pool.served[claim.message.id]?.lane == lane else {
                return
            }
            if pool.mayWait(for: claim, at: now + time) {
                events.add(.asks(claim, lane), at: time + .seconds(1))
            } else {
                happens(.end(claim, lane, .failed(Self.timedOut)))
            }
        case .end(let claim, let lane, let result):
            guard mails[claim.message.id]?.attempts == claim.attempt, pool.served[claim.message.id]?.lane == lane else {
                return
            }
            chance = (chance + 0.618_034).truncatingRemainder(dividingBy: 1)
            if case .failed(let failure) = result, failure.cause == .timedOut {
                connected.remove(lane)
                perform(pool.connectionClosed(lane, at: present()))
            }
            perform(pool.ended(result, of: claim, relay: lane.relay, at: present()))
            let (next, actions) = pool.takeAtOnce(lane, at: present())
            perform(actions)
            if let next { begin(next, lane) } else { perform(pool.awaitsClaim(lane, at: present())) }
        }
    }

    private mutating func perform(_ actions: RelayPool.StateMachine.Actions) {
        if let next = actions.nextMoment.map({ max($0.timeSince(now), time + .milliseconds(1)) }) {
            alarm = min(alarm ?? next, next)
        }
        for completion in actions.completions {
            let id = completion.claim.message.id
            switch completion.outcome {
            case .accepted:
                mails[id]?.acceptedAt = time
                mails[id]?.isFinal = true
            case .rejected, .expired, .expiredUnsent, .supersededUnsent, .cancelledUnsent: mails[id]?.isFinal = true
            case .deferred(let judged, let next):
                if judged.counts { mails[id]?.counted += 1 }
                outbox.add(id, at: next.timeSince(now))
            case .returnedUnsent(let until):
                returnsIn[time.components.seconds, default: 0] += 1
                outbox.add(id, at: until.map { $0.timeSince(now) } ?? time)
            }
        }
        for case (let lane, let claim?) in actions.assignments { begin(claim, lane) }
    }

    private mutating func begin(_ claim: Claim, _ lane: LaneID) {
        let id = claim.message.id
        mails[id]?.attempts += 1
        if mails[id]?.triedAt == nil { mails[id]?.triedAt = time }
        if connected.insert(lane).inserted { perform(pool.connectionOpened(lane, message: id, at: present())) }
        events.add(.asks(claim, lane), at: time + RelayEvidence.patience)
        switch answer(claim.domain, lane.relay, time) {
        case .accepts(let after): events.add(.end(claim, lane, ok), at: time + after)
        case .refuses(let after):
            let reply = SMTPReply(code: 550, text: "5.1.1 User unknown")
            let failure = TransmissionFailure(stage: .rcpt, cause: .reply(reply), detail: "")
            events.add(.end(claim, lane, .failed(failure)), at: time + after)
        case .silent(let until):
            events.add(.end(claim, lane, .failed(Self.timedOut)), at: time + until)
        }
    }

    private mutating func noticeStandstill() {
        let isDue = !pool.queue.isEmpty || outbox.first.map { $0 <= time } ?? false
        if isDue && pool.served.isEmpty { idleSince = idleSince ?? time }
        if let since = idleSince { longestStandstill = max(longestStandstill, time - since) }
        if !isDue || !pool.served.isEmpty { idleSince = nil }
    }
}

/// Future events by time; first in, first out at the same time.
private struct Agenda<Item> {
    private var heap: [(at: Duration, number: Int, item: Item)] = []
    private var number = 0

    var first: Duration? { heap.first?.at }

    mutating func add(_ item: Item, at time: Duration) {
        number += 1
        heap.append((time, number, item))
        var place = heap.count - 1
        while place > 0, isBefore(place, (place - 1) / 2) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    mutating func take(until time: Duration) -> Item? {
        guard let first = heap.first, first.at <= time else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var place = 0
        while true {
            let children = [2 * place + 1, 2 * place + 2].filter { $0 < heap.count }
            guard let least = children.min(by: isBefore), isBefore(least, place) else { break }
            heap.swapAt(least, place)
            place = least
        }
        return first.item
    }

    private func isBefore(_ one: Int, _ other: Int) -> Bool {
        (heap[one].at, heap[one].number) < (heap[other].at, heap[other].number)
    }
}
