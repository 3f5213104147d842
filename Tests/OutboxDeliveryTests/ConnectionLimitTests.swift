// Learning how many connections a relay accepts, tested on values.

import OutboxCore
import Testing

@testable import OutboxDelivery

@Suite struct ConnectionLimitTests {
    private let now = Timestamp(milliseconds: 1_800_000_000_000)

    private func learns(_ limit: inout ConnectionLimit, _ open: Int, _ connecting: Int) -> Int? {
        limit.accepted(open: open, connecting: connecting, now: now)
    }

    @Test("a connection that is refused beside five open ones shows the limit as soon as the relay accepts something")
    func learned() {
        var limit = ConnectionLimit()
        limit.refused(open: 3, now: now)
        #expect(limit.permitsAnother(open: 9, now: now))
        #expect(learns(&limit, 4, 1) == nil, "one of them may still be taken")
        #expect(learns(&limit, 5, 0) == 5)
        #expect(learns(&limit, 5, 0) == nil, "said once")
        #expect(limit.permitsAnother(open: 4, now: now) && !limit.permitsAnother(open: 5, now: now))
    }

    @Test("one more connection is tried half a minute later, and ever more rarely while it is refused")
    func grows() {
        var limit = ConnectionLimit()
        limit.refused(open: 5, now: now)
        _ = limit.accepted(open: 5, connecting: 0, now: now)
        #expect(!limit.permitsAnother(open: 5, now: now + .seconds(29)))
        let later = now + .seconds(30)
        #expect(limit.permitsAnother(open: 5, now: later))
        limit.refused(open: 5, now: later)
        #expect(!limit.permitsAnother(open: 5, now: later + .seconds(59)))
        #expect(limit.permitsAnother(open: 5, now: later + .seconds(60)))
        limit.opened(6, now: later + .seconds(60))
        #expect(limit.value == 6)
    }

    @Test("refusals before the relay went down show no limit")
    func forgotten() {
        var limit = ConnectionLimit()
        limit.refused(open: 1, now: now)
        limit.forget()
        #expect(learns(&limit, 1, 0) == nil && limit.permitsAnother(open: 9, now: now))
    }
}
