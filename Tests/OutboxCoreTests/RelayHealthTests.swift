// The table of a relay's health, row by row.

import OutboxCore
import Testing

@Suite struct RelayHealthTests {
    private let start = Timestamp(milliseconds: 1_800_000_000_000)
    private let trouble = RelayTrouble(
        fault: .relay,
        reason: .noConnection,
        stage: .connect,
        detail: "refused",
        reply: nil
    )

    private var failed: RelayEvent { .failed(trouble) }

    /// A relay that failed at the start.
    private func down() -> RelayHealth {
        var health = RelayHealth()
        expect(&health, failed, at: start, gives: .wentDown(trouble))
        return health
    }

    private func expect(
        _ health: inout RelayHealth,
        _ event: RelayEvent,
        at now: Timestamp,
        gives expected: RelayHealth.Change,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let change = health.handle(event, now: now)
        #expect(change == expected, sourceLocation: sourceLocation)
    }

    /// Lets the pause end, probes, and fails again; returns the new pause.
    private func failProbe(_ health: inout RelayHealth) -> Duration? {
        guard case .paused(let until) = health.state else { return nil }
        #expect(!health.isDueForProbe(at: until - .milliseconds(1)))
        #expect(health.isDueForProbe(at: until))
        expect(&health, .probed, at: until, gives: .none)
        #expect(health.state == .probing)
        expect(&health, failed, at: until, gives: .stillDown(trouble))
        guard case .paused(let next) = health.state else { return nil }
        return next.timeSince(until)
    }

    @Test("a failure pauses for a second; each failed probe doubles the pause, up to ten seconds")
    func pauses() {
        var health = down()
        #expect(health.state == .paused(until: start + .seconds(1)))
        let pauses = (1...6).map { _ in failProbe(&health) }
        #expect(pauses == [.seconds(2), .seconds(4), .seconds(8), .seconds(10), .seconds(10), .seconds(10)])
        #expect(health.downSince == start)
    }

    @Test("failures of attempts that were in progress change nothing")
    func alreadyUnderWay() {
        var health = down()
        expect(&health, failed, at: start + .milliseconds(500), gives: .stillDown(trouble))
        #expect(health.state == .paused(until: start + .seconds(1)))
    }

    @Test(
        "any answer ends the outage, and the next failure begins with a short pause",
        arguments: [RelayEvent.accepted, .answered]
    )
    func recovery(event: RelayEvent) {
        var health = down()
        _ = failProbe(&health)
        _ = failProbe(&health)
        let now = start + .seconds(30)
        expect(&health, .probed, at: now, gives: .none)
        expect(&health, event, at: now, gives: .cameBack(after: .seconds(30)))
        #expect(health.isUp && health.trouble == nil && health.downSince == nil)
        #expect(health.isCatchingUp(at: now + .milliseconds(14_999)))
        #expect(!health.isCatchingUp(at: now + .seconds(15)))
        expect(&health, failed, at: now + .seconds(1), gives: .wentDown(trouble))
        #expect(health.state == .paused(until: now + .seconds(2)))
    }

    @Test("an answer to a message sent before the pause also ends the outage")
    func lateAcceptance() {
        var health = down()
        expect(&health, .accepted, at: start + .milliseconds(100), gives: .cameBack(after: .milliseconds(100)))
    }

    @Test("a probe without a result, and a new configuration, lead to a probe at once")
    func probeAgain() {
        var health = down()
        _ = health.handle(.probed, now: start + .seconds(1))
        expect(&health, .probeReturned, at: start + .seconds(1), gives: .none)
        #expect(health.isDueForProbe(at: start + .seconds(1)))
        _ = failProbe(&health)
        #expect(!health.isDueForProbe(at: start + .seconds(2)))
        expect(&health, .reconfigured, at: start + .seconds(2), gives: .none)
        #expect(health.isDueForProbe(at: start + .seconds(2)))
    }

    @Test("setting the clock back never lengthens a pause")
    func clockSetBack() {
        let health = down()
        #expect(!health.isDueForProbe(at: start + .milliseconds(999)))
        #expect(health.isDueForProbe(at: start - .seconds(3600)))
        #expect(health.probesAt(start - .seconds(3600)) == start - .seconds(3600))
    }

    @Test("a suspected relay takes messages, and only an acceptance clears it")
    func suspicion() {
        var health = RelayHealth()
        expect(&health, .suspected(trouble), at: start, gives: .becameSuspect(trouble))
        #expect(health.state == .suspected && health.takesMessages && !health.isUp)
        #expect(health.probesAt(start) == nil)
        expect(&health, .answered, at: start + .seconds(1), gives: .none)
        #expect(health.state == .suspected)
        expect(&health, failed, at: start + .seconds(2), gives: .stillDown(trouble))
        #expect(health.state == .paused(until: start + .seconds(3)))
        expect(&health, .probed, at: start + .seconds(3), gives: .none)
        expect(&health, .suspected(trouble), at: start + .seconds(3), gives: .stillDown(trouble))
        expect(&health, .accepted, at: start + .seconds(5), gives: .cameBack(after: .seconds(5)))
        #expect(health.isUp && health.trouble == nil)
    }

    @Test("a relay is left alone for as long as it asks, and then probed")
    func quota() {
        var health = RelayHealth()
        expect(&health, .failed(trouble, pause: .seconds(600)), at: start, gives: .wentDown(trouble))
        #expect(health.probesAt(start + .seconds(20)) == start + .seconds(600))
        expect(&health, failed, at: start + .seconds(1), gives: .stillDown(trouble))
        #expect(health.state == .paused(until: start + .seconds(600)))
        #expect(health.isDueForProbe(at: start - .seconds(1)), "the clock was set back")
        expect(&health, .probed, at: start + .seconds(600), gives: .none)
        expect(&health, .failed(trouble, pause: .seconds(600)), at: start + .seconds(600), gives: .stillDown(trouble))
        #expect(health.state == .paused(until: start + .seconds(1200)))
    }

    @Test("an unanswered probe delays the next one by two seconds at most")
    func slowProbe() {
        var health = down()
        expect(&health, .probed, at: start + .seconds(1), gives: .none)
        #expect(!health.isDueForProbe(at: start + .milliseconds(2_999)))
        #expect(health.isDueForProbe(at: start + .seconds(3)))
        expect(&health, .probed, at: start + .seconds(3), gives: .none)
        #expect(health.probesAt(start + .seconds(3)) == start + .seconds(5))
        expect(&health, .accepted, at: start + .seconds(4), gives: .cameBack(after: .seconds(4)))
    }

    @Test("the answer to an earlier message doesn't end a pause that the relay asked for")
    func rest() {
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        let trouble = RelayTrouble(fault: .relay, reason: .quotaExceeded, stage: .finalDot, detail: "", reply: nil)
        for event: RelayEvent in [.accepted, .answered, .suspected(trouble)] {
            var health = RelayHealth()
            _ = health.handle(.failed(trouble, pause: .seconds(3600)), now: now)
            _ = health.handle(event, now: now + .seconds(1))
            #expect(health.probesAt(now + .seconds(1)) == now + .seconds(3600), "\(event)")
        }
    }
}
