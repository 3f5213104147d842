// The records: one set of names for columns and JSON, and codes of newer versions.

import Foundation
import GRDB
import OutboxCore
import OutboxStore
import Testing

@Suite struct RecordTests {
    private let outbox: TemporaryOutbox
    private var store: OutboxDatabase { outbox.database }

    init() throws { outbox = try TemporaryOutbox() }

    private func keys(_ record: some Encodable) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: JSONEncoder().encode(record)) as? [String: Any])
    }

    /// Runs SQL without the schema's rules, as a program with different rules could have written it.
    private func forge(_ sql: String) throws {
        let connection = try DatabaseQueue(path: outbox.path)
        try connection.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try database.execute(sql: sql)
        }
    }

    private func attempted() async throws -> Int64 {
        let id = try outbox.insert()
        let claim = try #require(try await store.claim().claims.first)
        _ = try await store.finish([.deferred(claim, until: noon + .seconds(5))], now: noon)
        return id
    }

    @Test("a missing value is null in JSON, and never left out")
    func nulls() async throws {
        let id = try outbox.insert()
        _ = try await store.claim()
        let attempt = try keys(#require(try await store.attempts(of: id).first))
        #expect(Set(attempt.keys) == Set(AttemptRecord.CodingKeys.allCases.map(\.rawValue)))
        for name in ["finished_at", "outcome", "relay", "stage", "fault", "reason", "reply_code", "detail"] {
            #expect(attempt[name] is NSNull, "\(name)")
        }
        let status = try keys(#require(try await store.status(id: id)))
        #expect(Set(status.keys) == Set(StatusRecord.CodingKeys.allCases.map(\.rawValue)))
        #expect(status["account"] is NSNull && status["accepted_at"] is NSNull)
        #expect(status["state"] as? String == "sending" && status["may_arrive_twice"] as? Bool == false)
        #expect(status["requested_at"] as? String == "2027-01-15T08:00:00.000Z")
        #expect(status["attempts"] as? Int == 1)
    }

    @Test("a relay is read as it was written, including missing values")
    func relay() async throws {
        func status(_ state: RelayStatus.State, _ trouble: Bool) -> RelayStatus {
            RelayStatus(
                name: "relay",
                position: 1,
                state: state,
                pausedUntil: trouble ? noon + .seconds(1) : nil,
                downSince: trouble ? noon : nil,
                fault: trouble ? .configuration : nil,
                reason: trouble ? .certificateNotTrusted : nil,
                stage: trouble ? .tls : nil,
                detail: trouble ? "no" : nil,
                setting: trouble ? "relays[0]: ca_file" : nil,
                tls: trouble
                    ? nil
                    : TLSSession(
                        version: "TLSv1.3",
                        cipher: "TLS_AES_256_GCM_SHA384",
                        certificateName: "smtp.example.com",
                        certificateExpiresAt: noon + .seconds(86_400)
                    ),
                mailsPerConnection: trouble ? nil : 20,
                updatedAt: noon
            )
        }
        try await store.replaceRelays([status(.paused, true)])
        #expect(try await store.relays() == [status(.paused, true)])
        try await store.record([status(.up, false)])
        #expect(try await store.relays() == [status(.up, false)])
        #expect(try await store.relays().first?.tls == status(.up, false).tls)
        let up = try keys(status(.up, false))
        #expect(Set(up.keys) == Set(RelayStatus.CodingKeys.allCases.map(\.rawValue)) && up["reason"] is NSNull)
    }

    @Test("guidance is read as it was written")
    func guidance() async throws {
        let guidance = Guidance(patience: .milliseconds(1500), resends: 3, window: .seconds(60))
        try await store.setGuidance(guidance)
        #expect(try await store.guidance() == guidance)
    }

    @Test("a reason, a stage and a fault of a newer version are kept as their text")
    func newerCodes() async throws {
        let id = try await attempted()
        try forge("UPDATE outbox_attempt SET reason = 'moon-in-the-way', stage = 'quantum', fault = 'moon'")
        let attempt = try #require(try await store.attempts(of: id).first)
        #expect(attempt.reason == StoredCode(rawValue: "moon-in-the-way") && attempt.reason?.known == nil)
        #expect(attempt.stage?.known == nil && attempt.fault?.known == nil && attempt.outcome == .deferred)
        let answer = try keys(attempt)
        #expect(answer["reason"] as? String == "moon-in-the-way" && answer["stage"] as? String == "quantum")
        #expect(answer["fault"] as? String == "moon")
        let late = try await store.forEachRequested(since: noon, into: "") { $0 += $1.fault?.rawValue ?? "" }
        #expect(late == "moon")
    }

    @Test("an unknown state, outcome or action gives an error message, not a crash")
    func unknownState() async throws {
        let id = try await attempted()
        try forge("INSERT INTO outbox_report (message_id, action, received_at) VALUES (\(id), 'teleported', 1)")
        try forge("UPDATE outbox_attempt SET outcome = 'entangled'")
        await expectUnknown { _ = try await store.reports(of: id) }
        await expectUnknown { _ = try await store.attempts(of: id) }
        #expect(try await store.status(id: id)?.state == .deferred)
        try forge("UPDATE outbox_state SET state = 'frozen'")
        await expectUnknown { _ = try await store.status(id: id) }
        await expectUnknown { try await store.forEachRequested(since: noon, into: ()) { _, _ in } }
    }

    private func expectUnknown(_ body: () async throws -> Void, at location: SourceLocation = #_sourceLocation) async {
        do {
            try await body()
            Issue.record("there was no error", sourceLocation: location)
        } catch OutboxDatabaseError.unknownValue(let path) {
            #expect(path == store.path, sourceLocation: location)
        } catch {
            Issue.record(error, sourceLocation: location)
        }
    }
}
