// Which pauses of a relay are logged, tested on values.

import OutboxCore
import Testing

@testable import OutboxDelivery

@Suite("Pauses that come again")
struct PauseLogTests {
    @Test("a relay that pauses for a second every two seconds is logged at growing intervals, each time with its end")
    func recurring() {
        var log = PauseLog()
        var said: [Int] = []
        var counted = 0
        for second in stride(from: 0, to: 4 * 3600, by: 2) {
            let unsaid = log.begins(now: .seconds(second))
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

    @Test("a pause that begins a minute after the last one is logged at once")
    func another() {
        var log = PauseLog()
        var told: [Int?] = []
        var ends: [Bool] = []
        for begin in [0, 2, 65] {
            told.append(log.begins(now: .seconds(begin)))
            ends.append(log.ends(now: .seconds(begin + 1)))
        }
        #expect(told == [0, nil, 0])
        #expect(ends == [true, false, true])
    }

    @Test("a pause that was not logged because it followed the last one closely is logged after a minute")
    func outage() {
        var log = PauseLog()
        var told = [log.begins(now: .seconds(0))]
        _ = log.ends(now: .seconds(2))
        told.append(log.begins(now: .seconds(30)))
        told.append(log.lasts(now: .seconds(89)))
        told.append(log.lasts(now: .seconds(90)))
        told.append(log.lasts(now: .seconds(91)))
        #expect(told == [0, nil, nil, 0, nil])
        let endIsSaid = log.ends(now: .seconds(3600))
        #expect(endIsSaid)
    }
}
