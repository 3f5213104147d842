// The effects of other mail systems' reports on messages.

import InternetMessage
import OutboxCore
import OutboxStore
import Testing

@Suite struct ReportTests {
    private let outbox: TemporaryOutbox
    private var store: OutboxDatabase { outbox.database }

    init() throws { outbox = try TemporaryOutbox() }

    private func report(_ action: ReportedAction, _ reason: FailureReason? = nil) -> DeliveryReportRecord {
        DeliveryReportRecord(
            action: action,
            receivedAt: noon + .seconds(60),
            status: "5.1.1",
            reason: reason,
            reportingMTA: "mail.example.com",
            detail: "550 5.1.1 unknown"
        )
    }

    private func accepted() async throws -> (id: Int64, envelopeID: String) {
        let id = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.accepted(claim)], now: noon)
        return (id, claim.message.envelopeID)
    }

    @Test("a report of failure makes an accepted message bounced, and suppresses its address")
    func failed() async throws {
        let (id, envelopeID) = try await accepted()
        let effect = try await store.record(
            report(.failed, .unknownRecipient),
            envelopeID: envelopeID,
            suppressFor: .seconds(100)
        )
        let until = noon + .seconds(160)
        #expect(effect == ReportEffect(messageID: id, hasBounced: true, state: .bounced, suppressedUntil: until))
        let status = try #require(try await store.status(id: id))
        #expect(status.state == .bounced && status.finishedAt == noon + .seconds(60))
        #expect(status.acceptedAt == noon && status.advice == "fix-address")
        #expect(try await store.reports(of: id) == [report(.failed, .unknownRecipient)])
        let entry = try #require(try await store.suppressions(at: noon).first)
        #expect(entry.address == "ann@example.com" && entry.source == .reported && entry.messageID == id)
    }

    @Test("a second report changes only its own row")
    func twice() async throws {
        let (id, envelopeID) = try await accepted()
        for _ in 1...2 { _ = try await store.record(report(.failed), envelopeID: envelopeID, suppressFor: nil) }
        #expect(try outbox.state(id) == "bounced")
        #expect(try await store.reports(of: id).count == 1)
        #expect(try await store.suppressions(at: noon).isEmpty)
    }

    @Test("reports other than failures are only stored", arguments: ReportedAction.allCases.filter { $0 != .failed })
    func notes(action: ReportedAction) async throws {
        let (id, envelopeID) = try await accepted()
        let effect = try await store.record(report(action), envelopeID: envelopeID, suppressFor: .seconds(100))
        #expect(effect == ReportEffect(messageID: id, hasBounced: false, state: .accepted, suppressedUntil: nil))
        #expect(try outbox.state(id) == "accepted")
        #expect(try await store.reports(of: id).map(\.action) == [action])
        #expect(try await store.suppressions(at: noon).isEmpty)
    }

    @Test(
        "only a dead address is to be corrected",
        arguments: FailureReason.allCases.map(Optional.some) + [nil]
    )
    func advice(reason: FailureReason?) async throws {
        let (id, envelopeID) = try await accepted()
        _ = try await store.record(report(.failed, reason), envelopeID: envelopeID, suppressFor: nil)
        let status = try #require(try await store.status(id: id))
        #expect(status.state == .bounced)
        #expect(status.advice == (reason?.suppressesAddress == true ? "fix-address" : "contact-support"))
    }

    @Test("a wrong report is taken back: the state stays, the advice is to request a new mail")
    func undone() async throws {
        let (id, envelopeID) = try await accepted()
        let effect = try await store.record(
            report(.failed, .unknownRecipient),
            envelopeID: envelopeID,
            suppressFor: .seconds(100)
        )
        #expect(effect?.hasBounced == true)
        let next = try outbox.insert(kind: "reset-password")
        _ = try await store.claim(now: noon + .seconds(61))
        #expect(try outbox.state(next) == "suppressed")
        #expect(try await store.status(id: next)?.advice == "fix-address")
        #expect(try await store.liftSuppression(of: AddressKey("ANN@example.com")))
        #expect(try await store.suppressions(at: noon).isEmpty)
        for (message, state) in [(id, MessageState.bounced), (next, .suppressed)] {
            let status = try #require(try await store.status(id: message))
            #expect(status.state == state && status.advice == "request-new")
        }
        #expect(try await !store.liftSuppression(of: AddressKey("ann@example.com")))
    }

    @Test("a bounce can be taken back after its entry on the list has expired")
    func undoneLate() async throws {
        let (id, envelopeID) = try await accepted()
        _ = try await store.record(report(.failed, .badDomain), envelopeID: envelopeID, suppressFor: nil)
        #expect(try await store.status(id: id)?.advice == "fix-address")
        #expect(try await store.liftSuppression(of: AddressKey("ann@example.com")))
        #expect(try await store.status(id: id)?.advice == "request-new")
    }

    @Test("a mail is found by the relay's id, if the id is long enough to be unique")
    func relayID() async throws {
        for (text, expected) in [("Ok 0100018b0e7a1c5d-8e0b6d4e-000000", true), ("Ok: queued as 4F1B2C0D3E", false)] {
            let id = try outbox.insert()
            let claim = try #require(try await store.claim().claims.first)
            let reply = SMTPReply(code: 250, text: text)
            _ = try await store.finish(
                [Completion(claim: claim, outcome: .accepted(reply), relay: "relay", finishedAt: noon)],
                now: noon
            )
            let found = try await store.reported(relayID: try #require(reply.queueID))
            #expect((found?.id == id) == expected && found?.envelopeID == (expected ? claim.message.envelopeID : nil))
        }
        #expect(try await store.reported(relayID: "0100018b0e7a1c5d-8e0b6d4e-000001") == nil)
    }

    @Test("an id without an attempted mail changes nothing")
    func unknown() async throws {
        let (id, _) = try await accepted()
        let untried = try outbox.insert()
        let queued = try #require(
            try outbox.value(String.self, "SELECT envelope_id FROM outbox_state WHERE message_id = \(untried)")
        )
        for forged in ["", "0", String(repeating: "0", count: 32), "' OR 1=1", queued] {
            #expect(try await store.record(report(.failed), envelopeID: forged, suppressFor: .seconds(9)) == nil)
        }
        #expect(try outbox.state(id) == "accepted" && outbox.state(untried) == "queued")
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_report") == 0)
        #expect(try await store.suppressions(at: noon).isEmpty)
    }

    @Test("an open message stays open: its own attempt decides")
    func open() async throws {
        let id = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        let effect = try await store.record(
            report(.failed),
            envelopeID: claim.message.envelopeID,
            suppressFor: nil
        )
        #expect(effect?.hasBounced == false && effect?.state == .sending)
        #expect(try outbox.state(id) == "sending")
    }
}
