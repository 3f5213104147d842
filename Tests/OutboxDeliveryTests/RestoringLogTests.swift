// What the log says about a restored database at the start.

import OutboxCore
import Testing

@testable import OutboxDelivery
@testable import OutboxStore

@Suite("The log's lines about a restored database") struct RestoringLogTests {
    private let moment = Timestamp(milliseconds: 1_795_000_000_000)

    private func lines(_ beginning: RunBeginning) -> [String] {
        let log = LogCapture()
        DeliveryLog(logger: log.logger).began(beginning, database: "app.db")
        return log.all
    }

    @Test("nothing where there is nothing to decide")
    func silence() {
        #expect(lines(RunBeginning()) == [] && lines(RunBeginning(finding: .complete)) == [])
    }

    @Test("that none is held, and which could not be held")
    func noneHeld() {
        let restored = RunBeginning.Finding.restored(lastCommit: moment)
        let none = lines(RunBeginning(finding: restored))
        #expect(none.count == 1)
        #expect(none.first?.hasPrefix("the database was restored to an older state; no message is held ") == true)
        let refused = lines(RunBeginning(finding: restored, refused: [RowRefusal(messageID: 7, rule: "mine")]))
        #expect(refused.count == 2 && refused.first == none.first)
        #expect(refused.last?.contains("refuses to hold a message of the restored database") == true)
        #expect(refused.last?.hasSuffix("message.id=7 rule=mine") == true)
    }

    @Test("that a damaged mark hides whether the database was restored, and what is held from before")
    func unreadable() {
        let held = RestoredMessages(count: 2, since: moment, requested: moment...moment)
        let said = lines(RunBeginning(finding: .unreadable(path: "cache/mark"), held: held))
        #expect(said.count == 2)
        #expect(said.first?.hasPrefix("messages of a restored database are held for a decision ") == true)
        #expect(said.last?.hasPrefix("whether the database was restored can't be told this time") == true)
        #expect(said.last?.contains("cache/mark") == true)
    }
}
