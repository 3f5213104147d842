// The table of a relay's health, row by row.

import OutboxCore
import Testing

@Suite struct RelayHealthTests {
    private let start = Timestamp(milliseconds: 1_800_000_000_000)
    private let trouble = RelayTrouble(
        scope: .relay,
        reason: .noConnection,
        stage: .connect,
        detail: "refused",
        reply: nil
    )

    private func failed(_ startedAt: Timestamp? = nil) -> RelayEvent {
        .failed(trouble, startedAt: startedAt ?? start)
    }

    /// A relay that failed at the start.
    private func down(suspectAfter: Int = 20) -> RelayHealth {
        var health = RelayHealth(suspectAfter: suspectAfter)
        expect(&health, failed(), at: start, gives: .wentDown(trouble))
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

    /// Lets the pause pass, probes, and fails again; returns the new pause.
    private func failProbe(_ health: inout RelayHealth) -> Duration? {
        guard case .paused(let until) = health.state else { return nil }
        #expect(!health.isDueForProbe(at: until - .milliseconds(1)))
        #expect(health.isDueForProbe(at: until))
        expect(&health, .probed, at: until, gives: .none)
        #expect(health.state == .probing)
        expect(&health, failed(until), at: until, gives: .stillDown(trouble))
        guard case .paused(let next) = health.state else { return nil }
        return next.timeSince(until)
    }

    @Test("a failure pauses for a second, and each failed probe for twice as long, ten seconds at most")
    func pauses() {
        var health = down()
        #expect(health.state == .paused(until: start + .seconds(1)))
        let pauses = (1...6).map { _ in failProbe(&health) }
        #expect(pauses == [.seconds(2), .seconds(4), .seconds(8), .seconds(10), .seconds(10), .seconds(10)])
        #expect(health.downSince == start)
    }

    @Test("failures of attempts that were under way change nothing")
    func alreadyUnderWay() {
        var health = down()
        expect(&health, failed(), at: start + .milliseconds(500), gives: .stillDown(trouble))
        #expect(health.state == .paused(until: start + .seconds(1)))
    }

    @Test(
        "any answer brings it back, and the next failure begins with a short pause",
        arguments: [RelayEvent.accepted, .answered, .refusedForGood]
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
        expect(&health, failed(now + .seconds(1)), at: now + .seconds(1), gives: .wentDown(trouble))
        #expect(health.state == .paused(until: now + .seconds(2)))
    }

    @Test("a message that was under way during the pause brings it back as well")
    func lateAcceptance() {
        var health = down()
        expect(&health, .accepted, at: start + .milliseconds(100), gives: .cameBack(after: .milliseconds(100)))
    }

    @Test("a relay that accepted something since the attempt began isn't blamed for it")
    func exonerated() {
        var health = RelayHealth(suspectAfter: 20)
        _ = health.handle(.accepted, now: start + .seconds(1))
        #expect(health.isExonerated(sinceAttemptBegan: start, now: start + .seconds(2)))
        #expect(!health.isExonerated(sinceAttemptBegan: start, now: start), "the clock was set back")
        expect(&health, failed(start), at: start + .seconds(2), gives: .none)
        #expect(health.isUp)
        #expect(!health.isExonerated(sinceAttemptBegan: start + .seconds(2), now: start + .seconds(3)))
        expect(&health, failed(start + .seconds(2)), at: start + .seconds(3), gives: .wentDown(trouble))
    }

    @Test("a probe that told nothing, and a new configuration, lead to a probe at once")
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

    @Test("a clock that is set back makes no pause longer")
    func clockSetBack() {
        let health = down()
        #expect(!health.isDueForProbe(at: start - .seconds(8)))
        #expect(health.isDueForProbe(at: start - .seconds(3600)))
        #expect(health.probesAt(start - .seconds(3600)) == start - .seconds(3600))
    }

    @Test("twenty permanent refusals in a row make the relay the suspect")
    func suspicion() {
        var health = RelayHealth(suspectAfter: 20)
        for _ in 1...19 { expect(&health, .refusedForGood, at: start, gives: .none) }
        guard case .wentDown(let trouble) = health.handle(.refusedForGood, now: start) else {
            Issue.record("the twentieth pauses it")
            return
        }
        #expect(trouble.reason == .refusesEverybody && health.isSuspect)
        #expect(health.state == .paused(until: start + .seconds(1)))
        for (event, pause) in [(RelayEvent.answered, 2), (.refusedForGood, 4), (failed(), 8)] {
            guard case .paused(let until) = health.state else { return }
            _ = health.handle(.probed, now: until)
            expect(&health, event, at: until, gives: .stillDown(trouble))
            #expect(health.state == .paused(until: until + .seconds(pause)))
        }
        guard case .paused(let until) = health.state else { return }
        _ = health.handle(.probed, now: until)
        expect(&health, .accepted, at: until, gives: .cameBack(after: until.timeSince(start)))
        #expect(!health.isSuspect && health.refusalsInARow == 0)
    }

    @Test("one acceptance ends a row of refusals")
    func acceptanceBetween() {
        var health = RelayHealth(suspectAfter: 20)
        for _ in 1...10 {
            for _ in 1...19 { expect(&health, .refusedForGood, at: start, gives: .none) }
            expect(&health, .accepted, at: start, gives: .none)
        }
        #expect(health.isUp)
    }
}
