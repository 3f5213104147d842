// How long honest mail waits beside silent, late and quickly refusing mail systems, in virtual time.

import OutboxCore
import Testing

@testable import OutboxDelivery

@Suite struct SlowDomainScenarioTests {
    private static let quick = LaneSimulation.Answer.accepts(after: .milliseconds(100))

    /// Honest mail for four minutes: each second to one of twenty domains, and every ten seconds to a new one.
    private static func addHonest(to simulation: inout LaneSimulation) {
        for second in 0..<240 {
            let time = Duration.seconds(second) + .milliseconds(137)
            simulation.post("a\(second)@known\(second % 20).example", of: "known", at: time)
            guard second % 10 == 5 else { continue }
            simulation.post("a\(second)@new\(second).example", of: "new", at: time)
        }
    }

    /// Three messages to each of this many domains, after half a minute.
    private static func addBurst(of domains: Int, to simulation: inout LaneSimulation) {
        for number in 0..<domains * 3 {
            let time = Duration.seconds(30) + .milliseconds(number)
            simulation.post("p\(number)@odd\(number % domains).example", of: "odd", at: time)
        }
    }

    /// Delivery never stands still, and every message has its outcome once the slow domains work again.
    private static func expectSettled(_ simulation: inout LaneSimulation) {
        simulation.run(until: .seconds(3600))
        #expect(simulation.open == 0 && simulation.untried == 0)
        #expect(simulation.longestStandstill < .seconds(2))
        #expect(!simulation.isTurningInCircles)
        #expect(simulation.mostReturns < 500)
    }

    @Test("domains that are silent keep neither known nor new ones waiting", arguments: [30, 60, 300])
    func silent(seconds: Int) {
        for (lanes, domains) in [(3, 1), (5, 1), (10, 5)] {
            var simulation = LaneSimulation(lanes: lanes) { domain, _, at in
                domain.hasPrefix("odd") && at < .seconds(240) ? .silent(until: .seconds(seconds)) : Self.quick
            }
            Self.addHonest(to: &simulation)
            Self.addBurst(of: domains, to: &simulation)
            simulation.run(until: .seconds(240))
            #expect(simulation.longestWait("known") < .seconds(10), "\(lanes) lanes")
            #expect(simulation.longestWait("new") < .seconds(10), "\(lanes) lanes")
            Self.expectSettled(&simulation)
        }
    }

    @Test("domains that answer late keep no known one waiting, and get their mail")
    func late() {
        for (lanes, seconds) in [(3, 8), (3, 20), (5, 8), (10, 20)] {
            var simulation = LaneSimulation(lanes: lanes) { domain, _, _ in
                domain.hasPrefix("odd") ? .accepts(after: .seconds(seconds)) : Self.quick
            }
            Self.addHonest(to: &simulation)
            Self.addBurst(of: 5, to: &simulation)
            simulation.run(until: .seconds(240))
            #expect(simulation.longestWait("known") < .seconds(10), "\(lanes) lanes, \(seconds) s")
            Self.expectSettled(&simulation)
        }
    }

    @Test(
        "a provider with many domains that worked and hangs all at once keeps nobody else waiting",
        arguments: [60, 300]
    )
    func provider(seconds: Int) {
        var simulation = LaneSimulation(lanes: 10) { domain, _, at in
            domain.hasPrefix("odd") && at >= .seconds(60) && at < .seconds(240)
                ? .silent(until: .seconds(seconds)) : Self.quick
        }
        Self.addHonest(to: &simulation)
        for number in 0..<480 {
            simulation.post("p\(number)@odd\(number % 10).example", of: "odd", at: .milliseconds(500 * number))
        }
        simulation.run(until: .seconds(240))
        #expect(simulation.longestWait("known") < .seconds(10))
        #expect(simulation.longestWait("new") < .seconds(10))
        Self.expectSettled(&simulation)
    }

    @Test("invented addresses of one domain that refuses them at once keep nobody waiting")
    func refusing() {
        var simulation = LaneSimulation(lanes: 10) { domain, _, _ in
            domain.hasPrefix("odd") ? .refuses(after: .milliseconds(100)) : Self.quick
        }
        Self.addHonest(to: &simulation)
        for number in 0..<500 {
            simulation.post("p\(number)@odd.example", of: "odd", at: .seconds(30) + .milliseconds(number))
        }
        simulation.run(until: .seconds(240))
        #expect(simulation.longestWait("known") < .seconds(10))
        Self.expectSettled(&simulation)
    }

    @Test("if a relay is late for everybody, all lanes are used, and no attempt is cut short")
    func lateRelay() {
        var simulation = LaneSimulation(lanes: 10) { _, _, _ in .accepts(after: .seconds(8)) }
        for second in 0..<240 {
            simulation.post("a\(second)@known\(second % 4).example", of: "known", at: .seconds(second))
        }
        simulation.run(until: .seconds(400))
        #expect(simulation.of("known").allSatisfy { $0.attempts == 1 })
        Self.expectSettled(&simulation)
    }
}
