// How long a further mail to the same address waits.

import OutboxCore
import Testing

@Suite struct ResendLimitsTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)
    private let limits = ResendLimits(minimumInterval: .seconds(60), perHour: 3)

    private func wait(sent ago: [Int], deadline: Duration = .seconds(86_400)) -> Duration? {
        limits.nextMoment(sent: ago.map { now - .seconds($0) }, now: now, deadline: now + deadline)?
            .timeSince(now)
    }

    @Test("the first mail goes at once")
    func first() { #expect(wait(sent: []) == nil) }

    @Test("the next one waits for the rest of the interval")
    func interval() {
        #expect(wait(sent: [20]) == .seconds(40))
        #expect(wait(sent: [60]) == nil)
    }

    @Test("with an hour's number sent, the oldest of them has to be an hour old")
    func perHour() {
        #expect(wait(sent: [100, 200]) == nil)
        #expect(wait(sent: [100, 3000, 200]) == .seconds(600))
        #expect(wait(sent: [100, 3600, 200]) == nil)
        #expect(wait(sent: [100, 200, 3000, 3500]) == .seconds(600))
    }

    @Test("no wait is longer than the token lives: a limit delays, it never drops")
    func deadline() {
        #expect(wait(sent: [100, 200, 300], deadline: .seconds(600)) == .seconds(598))
        #expect(wait(sent: [10], deadline: .seconds(30)) == .seconds(28))
        #expect(wait(sent: [10], deadline: .seconds(2)) == nil)
    }
}
