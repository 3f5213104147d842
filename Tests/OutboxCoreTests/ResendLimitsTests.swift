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

    @Test("the first mail is sent at once")
    func first() { #expect(wait(sent: []) == nil) }

    @Test("the next one waits for the rest of the interval")
    func interval() {
        #expect(wait(sent: [20]) == .seconds(40))
        #expect(wait(sent: [60]) == nil)
    }

    @Test("after an hour's number of mails, the next one waits until the oldest is an hour old")
    func perHour() {
        #expect(wait(sent: [100, 200]) == nil)
        #expect(wait(sent: [100, 3000, 200]) == .seconds(600))
        #expect(wait(sent: [100, 3600, 200]) == nil)
        #expect(wait(sent: [100, 200, 3000, 3500]) == .seconds(600))
    }

    @Test("a mail never waits beyond its token's life: a limit delays, it never drops")
    func deadline() {
        #expect(wait(sent: [100, 200, 300], deadline: .seconds(600)) == .seconds(598))
        #expect(wait(sent: [10], deadline: .seconds(30)) == .seconds(28))
        #expect(wait(sent: [10], deadline: .seconds(2)) == nil)
    }
}
