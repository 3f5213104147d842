// Which pauses of a relay are said, on values.

import OutboxCore
import Testing

@testable import OutboxDelivery

@Suite("Pauses that come again")
struct PauseLogTests {
    @Test("a relay that pauses for a second every two seconds is said with growing distance, each time with its end")
    func recurring() {
        var log = PauseLog()
        var said: [Int] = []
        var counted = 0
        for second in stride(from: 0, to: 4 * 3600, by: 2) {
            let unsaid = log.begins(for: .rateLimited, now: .seconds(second))
            if let unsaid {
                said.append(second)
                counted += unsaid + 1
            }
            let endIsSaid = log.ends(now: .seconds(second + 1))
            #expect(endIsSaid == (unsaid != nil))
        }
        #expect(said == [0, 60, 180, 420, 900, 1860, 3780, 7380, 10980])
        #expect(counted == 10980 / 2 + 1)
    }

    @Test("a pause for another reason, or one that begins a minute after the last, is said at once")
    func another() {
        var log = PauseLog()
        var told: [Int?] = []
        var ends: [Bool] = []
        let pauses: [(FailureReason, Int)] = [
            (.rateLimited, 0), (.rateLimited, 2), (.authenticationRefused, 4), (.authenticationRefused, 65),
        ]
        for (reason, begin) in pauses {
            told.append(log.begins(for: reason, now: .seconds(begin)))
            ends.append(log.ends(now: .seconds(begin + 1)))
        }
        #expect(told == [0, nil, 1, 0])
        #expect(ends == [true, false, true, true])
    }
}
