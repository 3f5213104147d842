// How many messages pass per second.

import OutboxCore
import Testing

@Suite struct TokenBucketTests {
    private let start = Timestamp(milliseconds: 1_800_000_000_000)

    /// How many tokens a caller takes in this many seconds when it tries every millisecond.
    private func taken(rate: Double, seconds: Int64) -> Int {
        var bucket = TokenBucket(rate: rate, now: start)
        var count = 0
        for millisecond in 0..<seconds * 1000 where bucket.take(now: start + .milliseconds(millisecond)) { count += 1 }
        return count
    }

    @Test("at most a second's worth at once, and the rate after that", arguments: [1.0, 2.5, 10, 333])
    func rate(rate: Double) {
        let count = Double(taken(rate: rate, seconds: 20))
        #expect(count >= rate * 20 && count <= rate * 21)
    }

    @Test("with a rate below one per second, one passes at once")
    func slow() { #expect(taken(rate: 0.1, seconds: 35) == 4) }

    @Test("it predicts when the next token is available")
    func nextToken() {
        var bucket = TokenBucket(rate: 3, now: start)
        let taken = (1...4).map { _ in bucket.take(now: start) }
        #expect(taken == [true, true, true, false])
        let next = bucket.nextToken(now: start)
        #expect(next == start + .milliseconds(334))
        let isTaken = bucket.take(now: next)
        #expect(isTaken)
        let later = bucket.nextToken(now: start + .seconds(60))
        #expect(later == start + .seconds(60))
    }

    @Test("a clock that goes back adds no tokens")
    func backwards() {
        var bucket = TokenBucket(rate: 1, now: start)
        let hourBefore = start - .seconds(3600)
        let moments = [start, hourBefore, hourBefore + .milliseconds(500), hourBefore + .seconds(1)]
        let taken = moments.map { bucket.take(now: $0) }
        #expect(taken == [true, false, false, true])
    }
}
