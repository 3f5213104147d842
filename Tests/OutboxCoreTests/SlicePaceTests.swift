// The pace of retention, and the delays of the statistics.

import Testing

@testable import OutboxCore

@Suite struct SlicePaceTests {
    @Test("quick slices grow, one that takes too long is halved, and a short one at the end doesn't grow")
    func pace() {
        var pace = SlicePace()
        let first = pace.rows
        pace.note(rows: first, held: .milliseconds(1))
        #expect(pace.rows == first + first / 4)
        for _ in 0..<100 { pace.note(rows: pace.rows, held: .milliseconds(1)) }
        #expect(pace.rows == SlicePace.largest)
        pace.note(rows: pace.rows, held: .milliseconds(6))
        #expect(pace.rows == SlicePace.largest / 2)
        // The time budget ended it early, so this many rows were the right number.
        pace.note(rows: 60, held: .milliseconds(12))
        #expect(pace.rows == 30)
        pace.note(rows: 3, held: .milliseconds(1))
        #expect(pace.rows == 30)
        pace.note(rows: 30, held: .milliseconds(4))
        #expect(pace.rows == 30)
        for _ in 0..<100 { pace.note(rows: pace.rows, held: .seconds(2)) }
        #expect(pace.rows == 1)
        for _ in 0..<100 { pace.note(rows: pace.rows, held: .zero) }
        #expect(pace.rows == SlicePace.largest)
    }

    @Test("others have the lock four times as long as a slice, and at least for 50 ms")
    func pause() {
        var pace = SlicePace()
        #expect(pace.pause == .milliseconds(50))
        pace.note(rows: 50, held: .milliseconds(2))
        #expect(pace.pause == .milliseconds(50))
        pace.note(rows: 50, held: .milliseconds(30))
        #expect(pace.pause == .milliseconds(120))
    }

    @Test("a delay's bucket ends at or above it, by less than a sixteenth")
    func buckets() {
        for delay in Array(0...5000) as [Int64] + [86_399_999, 86_400_000, 1 << 40, 31_536_000_000] {
            let bound = DelayHistogram.bound(of: delay)
            #expect(bound >= delay && (delay < 32 ? bound == delay : bound - delay < delay / 16 + 1), "\(delay)")
            #expect(DelayHistogram.bound(of: bound) == bound)
            #expect(DelayHistogram.bound(of: bound + 1) > bound)
        }
        #expect(DelayHistogram.bound(of: -5) == 0)
        var histogram = DelayHistogram()
        for delay in [1000, 1001, 5000] { histogram.add(.milliseconds(delay)) }
        #expect(histogram.counts == [1023: 2, 5119: 1])
    }
}
