// docs/advice.md, row by row: for both kinds on the help page, by account and by address.

import Foundation
import GRDB
import OutboxCore
import OutboxStore
import Testing

@Suite struct AdviceTableTests {
    /// A row of the table, and an outbox for which it holds.
    struct Situation: Sendable, CustomTestStringConvertible {
        let words: String
        let advice: String
        let moment: String
        /// Columns of the newest message, in addition to those of every message.
        var columns: [String: String] = [:]
        var state = "queued"
        /// Other content of the outbox; `:id` is the newest message.
        var further: [String] = []
        /// The value of `moment`, as an SQL expression of the newest message's columns.
        let at: String

        var testDescription: String { words }
        var row: String { "| \(words) | \(advice.code) | \(moment) |" }
    }

    /// `:now` in all of these is the current time in milliseconds.
    static let situations: [Situation] = {
        let accepted = [
            "accepted_at": ":now - 360000", "finished_at": ":now - 360000", "requested_at": ":now - 361000",
        ]
        func final(
            _ words: String,
            _ advice: String,
            _ state: String,
            blamesAddress: Bool? = nil
        ) -> Situation {
            var columns = ["finished_at": ":now - 5000"]
            if state == "bounced" { columns["accepted_at"] = ":now - 400000" }
            if let blamesAddress { columns["blames_address"] = blamesAddress ? "1" : "0" }
            return Situation(
                words: words,
                advice: advice,
                moment: "finished",
                columns: columns,
                state: state,
                at: "finished_at"
            )
        }
        let earlier = """
            INSERT INTO outbox_state (sequence, message_id, envelope_id, kind, person, address, priority, state,
                requested_at, accepted_at, finished_at, has_given_token)
            SELECT sequence - 1, message_id - 1, 'e', kind, person, address, 0, 'accepted', requested_at - 600000,
                accepted_at - 600000, finished_at - 600000, 1 FROM outbox_state WHERE message_id = :id
            """
        let relayDown = """
            INSERT INTO outbox_relay (name, position, state, paused_until, down_since, reason, updated_at)
            VALUES ('r', 1, 'paused', :now + 5000, :now - 3000, 'no-connection', :now)
            """
        func reported(_ action: String) -> String {
            """
            INSERT INTO outbox_report (message_id, action, received_at) VALUES (:id, '\(action)', :now - 60000);
            INSERT INTO outbox_report (message_id, action, received_at) VALUES (:id, 'answered', :now - 1000)
            """
        }
        func redeemed(_ at: String) -> String {
            """
            INSERT INTO outbox_token (message_id, sequence, kind, person, digest, redeemed_at, is_replaceable)
            SELECT message_id, sequence, kind, person, zeroblob(32), \(at), 1 FROM outbox_state WHERE message_id = :id
            """
        }
        return [
            Situation(
                words: "or an older one was redeemed after the newest one's request",
                advice: "done",
                moment: "redeemed",
                columns: accepted,
                state: "accepted",
                further: [redeemed(":now - 2000")],
                at: ":now - 2000"
            ),
            Situation(
                words: "was requested less than `patience` ago",
                advice: "wait",
                moment: "requested + patience",
                columns: ["requested_at": ":now - 240000"],
                at: "requested_at + 300000"
            ),
            Situation(
                words: "is not to be sent yet (`not_before`)",
                advice: "wait",
                moment: "not before + patience",
                columns: ["requested_at": ":now - 4000000", "not_before": ":now + 60000"],
                further: [relayDown],
                at: "not_before + 300000"
            ),
            Situation(
                words: "is held by the limit on resends",
                advice: "wait",
                moment: "held until + patience",
                columns: [
                    "requested_at": ":now - 900000", "due_at": ":now + 60000", "held_until": ":now + 60000",
                ],
                at: "held_until + 300000"
            ),
            Situation(
                words: "is held because the database was restored",
                advice: "request-new",
                moment: "held since",
                columns: ["requested_at": ":now - 1000", "due_at": "NULL", "restored_at": ":now - 500"],
                at: "restored_at"
            ),
            Situation(
                words: "was refused for now, less than `patience` after its request",
                advice: "wait",
                moment: "requested + patience",
                columns: ["requested_at": ":now - 240000", "due_at": ":now + 600000"],
                state: "deferred",
                at: "requested_at + 300000"
            ),
            Situation(
                words: "is open while no relay is up",
                advice: "delivery-delayed",
                moment: "relays down since",
                columns: ["requested_at": ":now - 10000"],
                further: [relayDown],
                at: ":now - 3000"
            ),
            Situation(
                words: "is open and was requested longer than `patience` ago",
                advice: "delivery-delayed",
                moment: "requested + patience",
                columns: ["requested_at": ":now - 301000"],
                at: "requested_at + 300000"
            ),
            Situation(
                words: "was accepted less than `patience` ago",
                advice: "wait",
                moment: "accepted + patience",
                columns: ["accepted_at": ":now - 240000", "finished_at": ":now - 240000"],
                state: "accepted",
                at: "accepted_at + 300000"
            ),
            Situation(
                words: "… and a mail system reported its delivery",
                advice: "check-junk",
                moment: "reported",
                columns: ["accepted_at": ":now - 240000", "finished_at": ":now - 240000"],
                state: "accepted",
                further: [reported("delivered")],
                at: ":now - 60000"
            ),
            Situation(
                words: "was accepted longer than `patience` ago",
                advice: "check-junk,resend",
                moment: "accepted + patience",
                columns: accepted,
                state: "accepted",
                at: "accepted_at + 300000"
            ),
            Situation(
                words: "… and its token has expired",
                advice: "request-new",
                moment: "accepted + patience",
                columns: accepted.merging(["expires_at": ":now - 1"]) { $1 },
                state: "accepted",
                at: "accepted_at + 300000"
            ),
            Situation(
                words: "… and `resends` earlier ones were accepted within `window`",
                advice: "contact-support",
                moment: "accepted + patience",
                columns: accepted,
                state: "accepted",
                further: [earlier],
                at: "accepted_at + 300000"
            ),
            Situation(
                words: "… and a mail system reported that it is late, less than a day ago",
                advice: "delivery-delayed",
                moment: "reported",
                columns: accepted,
                state: "accepted",
                further: [reported("delayed")],
                at: ":now - 60000"
            ),
            Situation(
                words: "… and a mail system sent it back without saying why",
                advice: "contact-support",
                moment: "reported",
                columns: accepted,
                state: "accepted",
                further: [reported("returned")],
                at: ":now - 60000"
            ),
            final(
                "was rejected: the address takes no mail",
                "fix-address",
                "rejected",
                blamesAddress: true
            ),
            final(
                "was rejected: the mailbox is full, a policy refuses it, or no reason is given",
                "contact-support",
                "rejected",
                blamesAddress: false
            ),
            final(
                "was rejected: the mail itself",
                "contact-support",
                "rejected",
                blamesAddress: false
            ),
            final("was suppressed", "fix-address", "suppressed", blamesAddress: true),
            final(
                "bounced: the address takes no mail",
                "fix-address",
                "bounced",
                blamesAddress: true
            ),
            final(
                "bounced: the mailbox is full, a policy refused it, or no reason was given",
                "contact-support",
                "bounced",
                blamesAddress: false
            ),
            final("rejected, suppressed or bounced, and the address was taken off the list", "request-new", "bounced"),
            final("expired", "request-new", "expired"),
            final("was cancelled", "request-new", "cancelled"),
        ]
    }()

    @Test("docs/advice.md has exactly the rows that are tested here, and every sentence")
    func document() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "docs/advice.md")
        let text = try String(contentsOf: file, encoding: .utf8)
        let lines = text.split(separator: "\n").map(String.init)
        let header = try #require(lines.firstIndex(of: "| the newest message | advice | `advice_at` |"))
        let rows = lines[(header + 2)...].prefix { $0.hasPrefix("|") }
        #expect(Array(rows) == Self.situations.map(\.row))
        for advice in Advice.allCases {
            let (english, japanese) = (advice.sentence(in: .english), advice.sentence(in: .japanese))
            #expect(lines.contains("| `\(advice.rawValue)` | \(english) | \(japanese) |"))
        }
    }

    @Test(
        "each situation has its advice and moment, for each kind, per account and per address",
        arguments: situations
    )
    func advice(situation: Situation) async throws {
        for kind in ["verify-email", "reset-password"] {
            for account in [nil, "account-1"] {
                let outbox = try TemporaryOutbox()
                let id = Int64(10)
                let now = try insert(situation, id: id, kind: kind, account: account, into: outbox)
                let status = try #require(try await outbox.database.status(id: id))
                #expect(status.advice == situation.advice)
                let expected = try outbox.value(
                    Int64.self,
                    "SELECT \(situation.at.replacing(":now", with: "\(now)")) FROM outbox_state WHERE message_id = \(id)"
                )
                #expect(status.adviceAt?.milliseconds == expected)
            }
        }
    }

    @Test("the guidance comes from the configuration")
    func guidance() async throws {
        let outbox = try TemporaryOutbox()
        let accepted = try #require(Self.situations.first { $0.advice == "check-junk,resend" })
        _ = try insert(accepted, id: 10, kind: "verify-email", account: nil, into: outbox)
        func advice() async throws -> String? { try await outbox.database.status(id: 10)?.advice }
        try await outbox.database.setGuidance(Guidance(patience: .seconds(600)))
        #expect(try await outbox.database.guidance() == Guidance(patience: .seconds(600)))
        #expect(try await advice() == "wait")
        try await outbox.database.setGuidance(Guidance(resends: 0))
        #expect(try await advice() == "contact-support")

        let again = try #require(Self.situations.first { $0.advice == "contact-support" })
        let second = try TemporaryOutbox()
        _ = try insert(again, id: 10, kind: "verify-email", account: nil, into: second)
        try await second.database.setGuidance(Guidance(resends: 2))
        #expect(try await second.database.status(id: 10)?.advice == "check-junk,resend")
        try await second.database.setGuidance(Guidance(window: .seconds(300)))
        #expect(try await second.database.status(id: 10)?.advice == "check-junk,resend")
    }

    @Test("one working relay is enough")
    func oneRelayUp() async throws {
        let outbox = try TemporaryOutbox()
        let delayed = try #require(Self.situations.first { $0.moment == "relays down since" })
        let now = try insert(delayed, id: 10, kind: "verify-email", account: nil, into: outbox)
        try outbox.execute(
            "INSERT INTO outbox_relay (name, position, state, updated_at) VALUES ('second', 2, 'up', \(now))"
        )
        #expect(try await outbox.database.status(id: 10)?.advice == "wait")
    }

    /// - Returns: the time around which the situation is built.
    private func insert(
        _ situation: Situation,
        id: Int64,
        kind: String,
        account: String?,
        into outbox: TemporaryOutbox
    ) throws -> Int64 {
        let now = Int64(Date.now.timeIntervalSince1970 * 1000)
        let isOpen = ["queued", "deferred"].contains(situation.state)
        let columns = situation.columns.merging(isOpen ? ["due_at": ":now"] : [:]) { given, _ in given }
            .sorted { $0.key < $1.key }.map { ", \($0.key) = \($0.value)" }.joined()
        try outbox.execute(
            "INSERT INTO outbox (id, kind, recipient, account, token) VALUES (?, ?, 'ann@example.com', ?, 's3cret')",
            [id, kind, account]
        )
        try outbox.execute(
            "UPDATE outbox_state SET \(isOpen ? "" : "due_at = NULL, secret = NULL, ")state = ?\(columns) WHERE message_id = ?"
                .replacing(":now", with: "\(now)"),
            [situation.state, id]
        )
        for sql in situation.further {
            try outbox.execute(sql.replacing(":now", with: "\(now)").replacing(":id", with: "\(id)"))
        }
        return now
    }
}

extension String {
    fileprivate var code: String { "`\(self)`" }
}
