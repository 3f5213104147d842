// The decisions of the dispatcher: clock steps, lost claims and the order of claims, tested on values.

import OutboxCore
import OutboxStore
import Testing

@testable import OutboxDelivery

@Suite struct ClockWatchTests {
    private let noon = Timestamp(milliseconds: 1_800_000_000_000)

    @Test("neither passing time nor a suspended machine counts as a step", arguments: [1, 60, 3600, 86_400])
    func passing(seconds: Int) {
        var watch = ClockWatch()
        #expect(watch.look(at: Moment(now: noon, uptime: .seconds(5))) == nil)
        #expect(watch.look(at: Moment(now: noon + .seconds(seconds), uptime: .seconds(5 + seconds))) == nil)
        #expect(watch.expiryHold(at: .seconds(5 + seconds)) == nil)
    }

    @Test("the distance of a clock step is reported once", arguments: [-86_400, -600, -3, 3, 600, 86_400])
    func steps(seconds: Int) {
        var watch = ClockWatch()
        _ = watch.look(at: Moment(now: noon, uptime: .zero))
        let later = noon + .seconds(10 + seconds)
        #expect(watch.look(at: Moment(now: later, uptime: .seconds(10))) == .seconds(seconds))
        #expect(watch.look(at: Moment(now: later + .seconds(1), uptime: .seconds(11))) == nil)
    }

    @Test("a clock that NTP slews is not taken for one that is set")
    func slewing() {
        var watch = ClockWatch()
        for second in 0..<1000 {
            let now = noon + .milliseconds(second * 1001)
            #expect(watch.look(at: Moment(now: now, uptime: .seconds(second))) == nil)
        }
    }

    @Test("after a step forward of more than a minute nothing expires for five minutes, whatever comes in between")
    func hold() {
        var watch = ClockWatch()
        _ = watch.look(at: Moment(now: noon, uptime: .zero))
        _ = watch.look(at: Moment(now: noon + .seconds(86_400), uptime: .zero))
        #expect(watch.expiryHold(at: .seconds(1)) == .seconds(299))
        _ = watch.look(at: Moment(now: noon + .seconds(2), uptime: .seconds(2)))
        #expect(watch.expiryHold(at: .seconds(299)) == .seconds(1))
        #expect(watch.expiryHold(at: .seconds(300)) == nil)
        _ = watch.look(at: Moment(now: noon + .seconds(330), uptime: .seconds(300)))
        #expect(watch.expiryHold(at: .seconds(300)) == nil)
    }

    @Test("the first caller notices the step, and the dispatcher gets all of it until it has followed")
    func shared() {
        let clock = SharedClockWatch()
        #expect(clock.unfollowedStep(at: Moment(now: noon, uptime: .zero)) == nil)
        #expect(clock.expiryHold(at: Moment(now: noon + .seconds(600), uptime: .zero)) == .seconds(300))
        #expect(clock.expiryHold(at: Moment(now: noon + .seconds(1200), uptime: .seconds(1))) == .seconds(300))
        let later = Moment(now: noon + .seconds(1200), uptime: .seconds(1))
        let step = ClockStep(distance: .seconds(1199), since: later.now)
        // The step stays until the store has followed it.
        #expect(clock.unfollowedStep(at: later) == step && clock.unfollowedStep(at: later) == step)
        clock.followed(step)
        #expect(clock.unfollowedStep(at: later) == nil)
    }
}

@Suite struct LostClaimsTests {
    private let noon = Timestamp(milliseconds: 1_800_000_000_000)

    private func claim(_ sequence: Int64, lease: Int = 0) -> ExpiredClaim {
        ExpiredClaim(sequence: sequence, messageID: sequence, attempt: 1, leaseExpiresAt: noon + .seconds(lease))
    }

    @Test("a claim is lost once it has stayed as it is for a third of a lease")
    func patience() {
        var lost = LostClaims(lease: .seconds(60))
        #expect(lost.look([claim(1)], took: .zero, uptime: .seconds(100)) == [])
        #expect(lost.look([claim(1), claim(2)], took: .zero, uptime: .seconds(119)) == [])
        #expect(lost.look([claim(1), claim(2)], took: .zero, uptime: .seconds(120)) == [claim(1)])
        #expect(lost.look([claim(2)], took: .zero, uptime: .seconds(139)) == [claim(2)])
    }

    @Test("a claim that its daemon renews begins anew, and one that it gives back is forgotten")
    func renewed() {
        var lost = LostClaims(lease: .seconds(60))
        _ = lost.look([claim(1), claim(2)], took: .zero, uptime: .zero)
        #expect(lost.look([claim(1, lease: 60)], took: .zero, uptime: .seconds(30)) == [])
        #expect(lost.look([claim(1, lease: 60), claim(2)], took: .zero, uptime: .seconds(49)) == [])
        #expect(lost.look([claim(1, lease: 60), claim(2)], took: .zero, uptime: .seconds(50)) == [claim(1, lease: 60)])
    }

    @Test("while another program holds the write lock no daemon can renew, so the wait begins anew")
    func locked() {
        var lost = LostClaims(lease: .seconds(60))
        _ = lost.look([claim(1)], took: .zero, uptime: .zero)
        #expect(lost.look([claim(1)], took: .seconds(4), uptime: .seconds(30)) == [])
        #expect(lost.look([claim(1)], took: .zero, uptime: .seconds(49)) == [])
        #expect(lost.look([claim(1)], took: .zero, uptime: .seconds(50)) == [claim(1)])
    }
}

@Suite struct ClaimQueueTests {
    private func claim(_ id: Int64, priority: Int) -> Claim {
        Claim(
            message: Message(
                id: id,
                kind: "verify-email",
                recipient: "ann@example.com",
                token: Token("t"),
                envelopeID: "e",
                requestedAt: Timestamp(milliseconds: 0)
            ),
            sequence: id,
            address: "ann@example.com",
            priority: priority,
            attempt: 1,
            attempts: 1,
            claimedAt: Timestamp(milliseconds: 0)
        )
    }

    @Test("urgent claims go before others, and equal ones in the order in which they came")
    func order() {
        var queue = ClaimQueue()
        queue.append([claim(1, priority: 0), claim(2, priority: -5)])
        #expect(queue.takeFirst()?.message.id == 1)
        queue.append([claim(3, priority: 0), claim(4, priority: 9), claim(5, priority: 9), claim(6, priority: -5)])
        #expect(queue.lowestPriority == -5 && queue.count(fromPriority: 0) == 3 && queue.count(fromPriority: 9) == 2)
        let order = (0..<5).compactMap { _ in queue.takeFirst()?.message.id }
        #expect(order == [4, 5, 3, 2, 6] && queue.isEmpty && queue.lowestPriority == nil)
    }
}
