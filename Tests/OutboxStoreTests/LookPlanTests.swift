// When the commit counter is read, and which changes are reported, on values.

import OutboxCore
import Testing

@testable import OutboxStore

@Suite struct LookPlanTests {
    private let begin = ContinuousClock.now

    private func at(_ milliseconds: Double) -> ContinuousClock.Instant {
        begin + .microseconds(Int64(milliseconds * 1000))
    }

    /// A plan whose first look found the state of the start, and which has come to rest.
    private func restingPlan() -> LookPlan {
        var plan = LookPlan(pollInterval: .seconds(60), now: begin)
        plan.looked(at: begin, foundCommit: true)
        var now = begin
        while plan.next < begin + .seconds(30) {
            now = plan.next
            plan.looked(at: now, foundCommit: false)
        }
        return plan
    }

    @Test("the first look is at once, and without writes the looks follow the poll interval")
    func polls() {
        #expect(LookPlan(pollInterval: .seconds(60), now: begin).next == begin)
        let plan = restingPlan()
        #expect(plan.next >= begin + .seconds(60) && plan.watchesAgain)
    }

    @Test(
        "a commit is seen with at most a quarter of its delay after the write added, and one millisecond",
        arguments: [
            0, 0.3, 1.7, 5, 12, 33, 90, 250,
        ]
    )
    func delay(visible: Double) {
        var plan = restingPlan()
        plan.written(at: at(1000))
        var now = at(1000)
        while now < at(1000 + visible) {
            now = plan.next
            if now < at(1000 + visible) { plan.looked(at: now, foundCommit: false) }
        }
        #expect(now <= at(1000 + visible * 1.25 + 1))
    }

    /// How many looks a second takes in which something is written each 0.1 ms.
    private func looks(findCommits: Bool) -> Int {
        var plan = restingPlan()
        var looks = 0
        for tick in 0..<10_000 {
            let now = at(1000 + Double(tick) / 10)
            if plan.watchesAgain { plan.written(at: now) }
            if now >= plan.next {
                looks += 1
                plan.looked(at: now, foundCommit: findCommits)
            }
        }
        return looks
    }

    @Test("commits that follow each other closely are looked at together")
    func gathered() { #expect((190...201).contains(looks(findCommits: true))) }

    @Test("in a backlog, commits are looked at more rarely")
    func backlog() {
        var plan = restingPlan()
        plan.written(at: at(1000))
        plan.looked(at: at(1000), foundCommit: true, hasBacklog: true)
        plan.written(at: at(1001))
        #expect(plan.next == at(1025))
        plan.looked(at: at(1025), foundCommit: true)
        #expect(plan.next == at(1030), "the backlog has gone")
    }

    @Test("a long transaction that writes all the time causes a bounded number of looks")
    func longTransaction() { #expect(looks(findCommits: false) <= 1200) }

    @Test("a write before the next notification was requested is found without one")
    func unnoticed() {
        var plan = restingPlan()
        plan.written(at: at(1000))
        plan.looked(at: at(1000), foundCommit: true)
        var moments: [ContinuousClock.Instant] = []
        while plan.next < at(2000) {
            moments.append(plan.next)
            plan.looked(at: plan.next, foundCommit: false)
        }
        #expect(moments == LookPlan.afterCommit.map { at(1000 + Double($0)) })
    }

    @Test("after a failed look the next one waits for the poll interval, whatever is written")
    func failed() {
        var plan = restingPlan()
        plan.written(at: at(1000))
        plan.failed(at: at(1000))
        plan.written(at: at(1001))
        #expect(plan.next == at(1000) + .seconds(60))
    }

    @Test("after a look that found a commit, the next look waits even if a write is reported")
    func waits() {
        var plan = restingPlan()
        plan.written(at: at(1000))
        plan.looked(at: at(1000), foundCommit: true)
        plan.written(at: at(1001))
        #expect(plan.next == at(1005) && !plan.watchesAgain)
    }

    private struct News: Sendable {
        let what: String
        let after: Prospect
        let isNews: Bool
    }

    private static func prospect(
        newest: Int64 = 7,
        due: Duration? = .seconds(10),
        isDue: Bool = false,
        lease: Timestamp? = nil,
        cancelled: Int64 = 0
    ) -> Prospect {
        Prospect(newest: newest, due: due.map { noon + $0 }, isDue: isDue, lease: lease, cancelled: cancelled)
    }

    @Test(
        "only what delivery must act on is news",
        arguments: [
            News(what: "nothing", after: prospect(), isNews: false),
            News(what: "a new message", after: prospect(newest: 8), isNews: true),
            News(what: "a message that is due earlier", after: prospect(due: .seconds(9)), isNews: true),
            News(what: "the first due message was claimed", after: prospect(due: .seconds(11)), isNews: false),
            News(what: "another daemon gave one back", after: prospect(due: .seconds(11), isDue: true), isNews: true),
            News(what: "the moment came", after: prospect(isDue: true), isNews: false),
            News(what: "none is due", after: prospect(due: nil), isNews: false),
            News(what: "another daemon claimed", after: prospect(due: nil, lease: noon), isNews: true),
            News(what: "cancelled while it is sent", after: prospect(cancelled: 3), isNews: true),
            News(what: "a message was deleted", after: prospect(newest: 6, due: nil), isNews: false),
        ]
    )
    private func news(_ news: News) {
        #expect(news.after.isNews(after: Self.prospect()) == news.isNews, "\(news.what)")
    }
}
