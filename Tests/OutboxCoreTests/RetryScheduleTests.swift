// When the next attempt is due.

import OutboxCore
import Testing

@Suite struct RetryScheduleTests {
    private let start = Timestamp(milliseconds: 1_800_000_000_000)

    private func moments(of schedule: RetrySchedule, count: Int, deadline: Timestamp) -> [Int64] {
        var moments: [Int64] = [0]
        var now = start
        for attempt in 1...count {
            guard
                let next = schedule.nextAttempt(after: attempt, now: now, deadline: deadline, chance: 0)
            else { break }
            now = next
            moments.append(now.timeSince(start).components.seconds)
        }
        return moments
    }

    @Test("without jitter, attempts come at the moments of the documented table")
    func documentedTable() {
        let schedule = RetrySchedule(jitter: 0)
        let moments = moments(of: schedule, count: 19, deadline: start + .seconds(86_400))
        #expect(
            moments == [0, 5, 15, 30, 50] + (1...8).map { 50 + $0 * 30 } + [350, 470, 770, 1370, 2270, 3170, 4070]
        )
    }

    @Test("twelve attempts lie within the five minutes")
    func twelveAttempts() {
        let moments = moments(of: RetrySchedule(jitter: 0), count: 19, deadline: start + .seconds(86_400))
        #expect(moments.count { $0 < 300 } >= 12)
    }

    @Test("jitter stays within its bounds", arguments: [(0, 80), (0.25, 90), (0.5, 100), (0.75, 110)])
    func jitter(chance: Double, seconds: Int64) {
        let schedule = RetrySchedule(delays: [.seconds(100)], jitter: 0.2)
        let deadline = start + .seconds(1000)
        #expect(
            schedule.nextAttempt(after: 1, now: start, deadline: deadline, chance: chance) == start + .seconds(seconds)
        )
        let latest = schedule.nextAttempt(after: 1, now: start, deadline: deadline, chance: 1.0.nextDown)
        #expect(latest.map { $0 <= start + .seconds(120) } == true)
    }

    @Test("the last attempt is made just before the deadline instead of being skipped")
    func lastAttempt() {
        let schedule = RetrySchedule(delays: [.seconds(60)], jitter: 0)
        let deadline = start + .seconds(30)
        let next = schedule.nextAttempt(after: 1, now: start, deadline: deadline, chance: 0)
        #expect(next == deadline - RetrySchedule.lastAttemptMargin)
    }

    @Test("no attempt follows where the deadline leaves no time", arguments: [0, 1, 2] as [Int64])
    func noRoom(seconds: Int64) {
        let schedule = RetrySchedule(delays: [.seconds(60)], jitter: 0)
        let deadline = start + .seconds(seconds)
        #expect(schedule.nextAttempt(after: 1, now: start, deadline: deadline, chance: 0) == nil)
    }

    private func message(notBefore: Timestamp? = nil, expiresAt: Timestamp? = nil) -> Message {
        Message(
            id: 1,
            kind: "verify-email",
            recipient: "ann@example.com",
            token: Token("t"),
            envelopeID: "e",
            requestedAt: start,
            notBefore: notBefore,
            expiresAt: expiresAt
        )
    }

    @Test("a message without its own expiry is given up after the configured time")
    func deadline() {
        let schedule = RetrySchedule(giveUpAfter: .seconds(3600))
        #expect(schedule.deadline(of: message()) == start + .seconds(3600))
        #expect(schedule.deadline(of: message(expiresAt: start + .seconds(60))) == start + .seconds(60))
    }

    @Test("that time begins at not_before, if that is later than the request", arguments: [1, 3600, 86_400 * 30])
    func deadlineOfLaterMessage(wait: Int64) {
        let schedule = RetrySchedule(giveUpAfter: .seconds(3600))
        let notBefore = start + .seconds(wait)
        #expect(schedule.deadline(of: message(notBefore: notBefore)) == notBefore + .seconds(3600))
    }

    @Test("a not_before in the past shortens nothing")
    func deadlineOfEarlierMessage() {
        let schedule = RetrySchedule(giveUpAfter: .seconds(3600))
        #expect(schedule.deadline(of: message(notBefore: start - .seconds(7200))) == start + .seconds(3600))
    }

    @Test("a token's own expiry counts, whatever not_before says")
    func deadlineOfLaterMessageWithExpiry() {
        let message = message(notBefore: start + .seconds(600), expiresAt: start + .seconds(60))
        #expect(RetrySchedule().deadline(of: message) == start + .seconds(60))
    }

    @Test("a delay that the other side asked for replaces the list, but not past the deadline")
    func retryAfter() {
        let schedule = RetrySchedule()
        func next(_ deadline: Duration) -> Timestamp? {
            schedule.nextAttempt(
                after: 1,
                retryAfter: .seconds(300),
                now: start,
                deadline: start + deadline,
                chance: 0
            )
        }
        #expect(next(.seconds(1000)) == start + .seconds(300))
        #expect(next(.seconds(200)) == start + .seconds(198))
    }
}
