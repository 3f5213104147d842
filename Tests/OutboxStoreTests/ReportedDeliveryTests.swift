// Reports of deliveries and delays: their columns in outbox_status, and the advice.

import Foundation
import OutboxCore
import OutboxStore
import Testing

@Suite struct ReportedDeliveryTests {
    private let outbox: TemporaryOutbox
    private let now = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000))

    init() throws { outbox = try TemporaryOutbox() }

    /// A mail that was accepted a minute ago.
    private func accepted(expiresAt: Timestamp? = nil) async throws -> (id: Int64, envelopeID: String) {
        let id = try outbox.insert(requestedAt: now - .seconds(60), expiresAt: expiresAt)
        let claim = try #require(try await outbox.database.claim(now: now - .seconds(60)).claims.first)
        _ = try await outbox.database.finish([.accepted(claim, at: now - .seconds(60))], now: now)
        return (id, claim.message.envelopeID)
    }

    /// Records reports that arrived as many seconds ago.
    private func record(_ reports: [(ReportedAction, Int)], _ envelopeID: String) async throws {
        for (action, ago) in reports {
            let record = DeliveryReportRecord(action: action, receivedAt: now - .seconds(ago), detail: nil)
            _ = try await outbox.database.record(record, envelopeID: envelopeID, suppressFor: nil)
        }
    }

    private func status(_ id: Int64) async throws -> StatusRecord {
        try #require(try await outbox.database.status(id: id))
    }

    @Test("a reported delivery ends the wait")
    func delivered() async throws {
        let (id, envelopeID) = try await accepted()
        #expect(try await status(id).advice == "wait")
        try await record([(.delivered, 10)], envelopeID)
        let status = try await status(id)
        #expect(status.state == .accepted && status.advice == "check-junk")
        #expect(status.deliveredAt == now - .seconds(10) && status.adviceAt == status.deliveredAt)
        #expect(status.delayedAt == nil)
        // After the patience the advice is that of every accepted mail.
        try outbox.execute("UPDATE outbox_state SET accepted_at = accepted_at - 300000 WHERE message_id = \(id)")
        #expect(try await self.status(id).advice == "check-junk,resend")
    }

    @Test("a reported delay is a delay on the way")
    func delayed() async throws {
        let (id, envelopeID) = try await accepted()
        try await record([(.delayed, 10)], envelopeID)
        let status = try await status(id)
        #expect(status.advice == "delivery-delayed" && status.adviceAt == now - .seconds(10))
        #expect(status.delayedAt == now - .seconds(10) && status.deliveredAt == nil)
    }

    @Test("a mail that was relayed or expanded is not delivered", arguments: [ReportedAction.relayed, .expanded])
    func notes(action: ReportedAction) async throws {
        let (id, envelopeID) = try await accepted()
        try await record([(action, 10)], envelopeID)
        let relayed = try await status(id)
        #expect(relayed.deliveredAt == nil && relayed.delayedAt == nil && relayed.advice == "wait")
        // The note takes nothing away from an older report.
        try await record([(.delayed, 20)], envelopeID)
        #expect(try await status(id).advice == "delivery-delayed")
        try await record([(.delivered, 15)], envelopeID)
        #expect(try await status(id).advice == "check-junk")
    }

    @Test("a delay may be reported before or after the delivery", arguments: [true, false])
    func order(delayIsFirst: Bool) async throws {
        let (id, envelopeID) = try await accepted()
        let reports = [(ReportedAction.delayed, 20), (.delivered, 10)]
        try await record(delayIsFirst ? reports : [(.delivered, 20), (.delayed, 10)], envelopeID)
        let status = try await status(id)
        #expect(status.advice == "check-junk" && status.deliveredAt != nil && status.delayedAt != nil)
    }

    @Test("a copy of a report moves a delay, and no delivery")
    func copies() async throws {
        let (id, envelopeID) = try await accepted()
        try await record([(.delayed, 50), (.delayed, 40), (.delivered, 30), (.delivered, 20)], envelopeID)
        let status = try await status(id)
        #expect(status.delayedAt == now - .seconds(40) && status.deliveredAt == now - .seconds(30))
    }

    @Test("a mail that came back after its delivery needs support; a delivery after that ends the trouble")
    func returned() async throws {
        let (id, envelopeID) = try await accepted()
        try await record([(.delivered, 20), (.returned, 10)], envelopeID)
        #expect(try await status(id).advice == "contact-support")
        let (other, otherID) = try await accepted()
        try await record([(.returned, 20), (.delivered, 10)], otherID)
        #expect(try await status(other).advice == "check-junk")
    }

    @Test("a failure after the delivery bounces the mail, and both facts stay")
    func bounced() async throws {
        let (id, envelopeID) = try await accepted()
        try await record([(.delivered, 20), (.failed, 10)], envelopeID)
        let status = try await status(id)
        #expect(status.state == .bounced && status.advice == "contact-support")
        #expect(status.deliveredAt == now - .seconds(20))
    }

    @Test("a delay counts for a day, and no longer than the token")
    func longDelay() async throws {
        let (old, oldID) = try await accepted()
        try await record([(.delayed, 86_401)], oldID)
        #expect(try await status(old).advice == "wait")
        let (dead, deadID) = try await accepted(expiresAt: now - .seconds(5))
        try await record([(.delayed, 10)], deadID)
        #expect(try await status(dead).advice == "wait")
    }
}
