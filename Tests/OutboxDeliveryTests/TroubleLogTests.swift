// How often a lasting trouble is logged, and how long the pauses are.

import OutboxStore
import Testing

@testable import OutboxDelivery

@Suite struct TroubleLogTests {
    private enum Work { case claiming, recording }

    @Test("a disk that is full for ten minutes is logged four times, at growing intervals, and once when it is over")
    func distance() {
        var log = TroubleLog<Work>()
        var said: [Int] = []
        for second in 0..<600 {
            for task in [Work.claiming, .recording]
            where log.failed(task, words: "full", now: .seconds(second)).isSaid {
                said.append(second)
            }
        }
        #expect(said == [0, 60, 180, 420])
        #expect(log.succeeded(.claiming, now: .seconds(600)) == nil, "the other task has not succeeded yet")
        let recovery = log.succeeded(.recording, now: .seconds(612))
        #expect(recovery == TroubleLog.Recovery(after: .seconds(612), failures: 1200))
        #expect(log.succeeded(.recording, now: .seconds(613)) == nil)
        #expect(log.failed(.recording, words: "full", now: .seconds(700)).isSaid)
    }

    @Test("pauses grow from 1 s to 60 s, for each task by itself, and begin anew after a success")
    func pauses() {
        var log = TroubleLog<Work>()
        let pauses = (0..<9).map { log.failed(.claiming, words: "full", now: .seconds($0)).pause }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { Duration.seconds($0) })
        #expect(log.failed(.recording, words: "full", now: .seconds(9)).pause == .seconds(1))
        _ = log.succeeded(.claiming, now: .seconds(10))
        #expect(log.failed(.claiming, words: "full", now: .seconds(11)).pause == .seconds(1))
    }

    @Test("a new text is logged at once, but not each of hundreds")
    func words() {
        var log = TroubleLog<Work>()
        #expect(log.failed(.claiming, words: "full", now: .zero).isSaid)
        #expect(log.failed(.claiming, words: "locked", now: .seconds(1)).isSaid)
        #expect(!log.failed(.claiming, words: "full", now: .seconds(2)).isSaid)
        let said = (0..<500).filter { log.failed(.claiming, words: "page \($0)", now: .seconds(3)).isSaid }
        #expect(said.count == 6)
    }

    @Test("a database that is lost never works again, whatever a task still did with the old file")
    func lost() {
        let captured = LogCapture()
        let log = DeliveryLog(logger: captured.logger)
        log.storeTrouble(.working, OutboxDatabaseError.lost(.replaced(path: "outbox.db")))
        log.storeWorks(.working)
        #expect(captured.all.isEmpty)
    }
}
