// Status, list, and the advice of the view at each moment.

import Foundation
import InternetMessage
import OutboxCore
import TestSupport
import Testing

@testable import OutboxStore

@Suite struct StatusTests {
    private let outbox: TemporaryOutbox
    /// The view reads the machine's clock, so these messages have times around now.
    private let now = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000))

    init() throws { outbox = try TemporaryOutbox() }

    /// A message that a relay accepted this long ago.
    @discardableResult
    private func accepted(
        ago: Duration,
        recipient: String = "ann@example.com",
        account: String? = nil
    ) async throws -> Int64 {
        let at = now - ago
        let id = try outbox.insert(recipient: recipient, account: account, requestedAt: at)
        let claim = try #require(try await outbox.database.claim(now: at).claims.first)
        _ = try await outbox.database.finish([.accepted(claim, at: at)], now: at)
        return id
    }

    private func advice(_ id: Int64) async throws -> String {
        try #require(try await outbox.database.status(id: id)).advice
    }

    @Test("an open message says wait, and until when")
    func open() async throws {
        let id = try outbox.insert(requestedAt: now)
        let status = try #require(try await outbox.database.status(id: id))
        #expect(status.advice == "wait")
        let until = try #require(status.adviceAt).timeSince(now)
        #expect(until == .seconds(300))
        let claim = try #require(try await outbox.database.claim(now: now).claims.first)
        #expect(try await advice(id) == "wait")
        _ = try await outbox.database.finish([.deferred(claim, until: now + .seconds(3600), at: now)], now: now)
        let deferred = try #require(try await outbox.database.status(id: id))
        #expect(deferred.advice == "wait" && deferred.adviceAt == now + .seconds(300))
    }

    @Test("until five minutes after acceptance the advice is to wait")
    func justAccepted() async throws {
        let id = try await accepted(ago: .seconds(240))
        let status = try #require(try await outbox.database.status(id: id))
        #expect(status.advice == "wait")
        #expect(status.adviceAt == now - .seconds(240) + .seconds(300))
    }

    @Test("five minutes after acceptance the advice is to look in Junk and to request it once more")
    func overdue() async throws {
        let id = try await accepted(ago: .seconds(301))
        #expect(try await advice(id) == "check-junk,resend")
    }

    @Test("after a second request and another five minutes, the advice is to contact support")
    func requestedAgain() async throws {
        let first = try await accepted(ago: .seconds(900))
        let second = try await accepted(ago: .seconds(30), recipient: "ANN@example.com")
        #expect(try await advice(first) == "wait")
        #expect(try await advice(second) == "wait")
        let third = try await accepted(ago: .seconds(310), account: "other")
        #expect(try await advice(third) == "check-junk,resend")
        try outbox.execute("UPDATE outbox_state SET accepted_at = accepted_at - 310000 WHERE message_id = \(second)")
        #expect(try await advice(second) == "contact-support")
        #expect(try await advice(first) == "contact-support")
    }

    @Test("an old request doesn't count as the first one")
    func longAgo() async throws {
        try await accepted(ago: .seconds(7200))
        let id = try await accepted(ago: .seconds(400))
        #expect(try await advice(id) == "check-junk,resend")
    }

    @Test("with an account, the account is the person")
    func account() async throws {
        try await accepted(ago: .seconds(900), recipient: "old@example.com", account: "a1")
        let id = try await accepted(ago: .seconds(400), recipient: "new@example.com", account: "a1")
        #expect(try await advice(id) == "contact-support")
    }

    @Test(
        "a final failure says what helps",
        arguments: [
            (SMTPStage.rcpt, "5.1.1", "fix-address"), (.rcpt, "5.0.0", "contact-support"),
            (.rcpt, "5.2.2", "contact-support"), (.rcpt, "5.7.1", "contact-support"),
            (.finalDot, "5.6.0", "contact-support"),
        ]
    )
    func rejected(stage: SMTPStage, status: String, expected: String) async throws {
        let id = try outbox.insert(requestedAt: now)
        let claim = try #require(try await outbox.database.claim(now: now).claims.first)
        _ = try await outbox.database.finish(
            [.rejected(claim, 550, EnhancedStatusCode(status), stage: stage, at: now)],
            now: now
        )
        #expect(try await advice(id) == expected)
    }

    @Test("for an expired mail the advice is to request a new one")
    func expired() async throws {
        let id = try outbox.insert(requestedAt: now, expiresAt: now)
        _ = try await outbox.database.expire(now: now)
        #expect(try await advice(id) == "request-new")
    }

    @Test("every state has an advice that outboxctl knows", arguments: MessageState.allCases)
    func everyState(state: MessageState) async throws {
        let id = try outbox.insert(requestedAt: now)
        let isFinal = !state.isOpen
        try outbox.execute(
            """
            UPDATE outbox_state SET state = '\(state.rawValue)',
                finished_at = iif(\(isFinal), \(now.milliseconds), NULL),
                accepted_at = iif(\(state == .accepted || state == .bounced), \(now.milliseconds), NULL),
                secret = iif(\(isFinal), NULL, secret),
                due_at = iif(\([.queued, .deferred].contains(state)), \(now.milliseconds), NULL),
                claimed_by = iif(\(state == .sending), 'x', NULL),
                lease_expires_at = iif(\(state == .sending), \(now.milliseconds), NULL)
            WHERE message_id = \(id)
            """
        )
        let status = try #require(try await outbox.database.status(id: id))
        #expect(!Advice.codes(in: status.advice).isEmpty)
        #expect(status.adviceAt != nil)
    }

    @Test("the messages to an address come newest first, in any case")
    func byRecipient() async throws {
        let first = try outbox.insert(recipient: "Ann@Example.com")
        try outbox.insert(recipient: "bob@example.com")
        let second = try outbox.insert(kind: "reset-password", recipient: "ann@example.com")
        #expect(try await outbox.database.status(recipient: "ANN@example.COM").map(\.id) == [second, first])
        #expect(try await outbox.database.status(recipient: "nobody@example.com").isEmpty)
    }

    @Test("the list is filtered by state, kind, age and number")
    func list() async throws {
        let old = try outbox.insert(requestedAt: noon - .seconds(100))
        let new = try outbox.insert(kind: "reset-password", requestedAt: noon)
        let done = try outbox.insert(expiresAt: noon)
        _ = try await outbox.database.expire(now: noon)
        func ids(_ filter: StatusFilter) async throws -> [Int64] { try await outbox.database.list(filter).map(\.id) }
        #expect(try await ids(StatusFilter()) == [done, new, old])
        #expect(try await ids(StatusFilter(state: .queued)) == [new, old])
        #expect(try await ids(StatusFilter(kind: "reset-password")) == [new])
        #expect(try await ids(StatusFilter(since: noon)) == [done, new])
        #expect(try await ids(StatusFilter(limit: 1)) == [done])
    }

    @Test(
        "a status look-up walks an index, not the table",
        arguments: [
            "recipient = 'a@b.c' COLLATE NOCASE",
            // As in the README, and in outboxctl.
            "recipient = 'a@b.c' COLLATE NOCASE ORDER BY requested_at DESC, id DESC LIMIT 1",
            "account = 'a' ORDER BY requested_at DESC, id DESC",
            OutboxDatabase.statusOfRecipient,
        ]
    )
    func indexed(condition: String) async throws {
        let result = try await Program.python(
            """
            import sqlite3, sys
            db = sqlite3.connect(sys.argv[1])
            query = "EXPLAIN QUERY PLAN SELECT * FROM outbox_status WHERE " + sys.argv[2]
            for row in db.execute(query, ("ann@example.com",) * query.count("?")):
                print(row[3])
            """,
            [outbox.path, condition]
        )
        let plan = result.output.split(separator: "\n")
        #expect(!plan.isEmpty)
        // The view's own constants are tables of one row, and there are few relays.
        let constants = [
            "SCAN CONSTANT ROW", "SCAN guidance", "SCAN clock", "SCAN relays", "SCAN outbox_relay",
            "SCAN outbox_guidance", "SCAN json_each VIRTUAL TABLE INDEX 1:",
        ]
        let scans = plan.filter { line in line.hasPrefix("SCAN") && !constants.contains(String(line)) }
        #expect(scans == [])
    }
}
