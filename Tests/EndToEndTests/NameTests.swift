// Each fact has the same name in the columns, in `outboxctl --json` and in the log. One table lists all names and is
// compared with the real schema, real answers and a real log. So a new name must be added here and must not deviate.

import Foundation
import OutboxDelivery
import TestSupport
import Testing

@Suite("The names", .timeLimit(.minutes(10)))
struct NameTests {
    /// The interfaces for programs, by their place.
    private enum Place: String, CaseIterable {
        case status = "outbox_status"
        case attempt = "outbox_attempt"
        case report = "outbox_report"
        case relay = "outbox_relay"
        case suppression = "outbox_suppression"
        case day = "outbox_day"
        case delay = "outbox_day_delay"

        /// The command whose JSON objects are these rows.
        var command: String {
            switch self {
            case .status: "status"
            case .attempt: "history"
            case .report: "reports"
            case .relay: "relays"
            case .suppression: "suppression"
            case .day: "promise"
            case .delay: "late"
            }
        }

        /// Columns that JSON omits: the row is inside the message's object, or is a count without days.
        var hidden: Set<String> {
            switch self {
            case .attempt, .report: ["message_id"]
            case .day: ["day", "kind", "rejected", "superseded", "suppressed", "cancelled", "longest_delay"]
            case .delay: ["day", "mails"]
            case .status, .relay, .suppression: []
            }
        }

        /// Additional members of JSON: sentences, lists, and measures that no column holds.
        var added: Set<String> {
            switch self {
            case .status: ["advice_text"]
            case .day:
                [
                    "since", "patience", "summarized", "waiting_late", "waiting_in_time", "not_mailed", "kept", "p50",
                    "p95", "p99", "max", "late", "redeemed", "redemption_p50", "redemption_p95",
                ]
            case .delay: ["id", "state", "requested_at", "fault", "reason"]
            case .attempt, .report, .relay, .suppression: []
            }
        }
    }

    /// A fact, the columns that hold it, and its name in the log, if it is logged.
    private struct Fact {
        let name: String
        let places: [Place]
        let logKey: String?

        init(_ name: String, _ places: [Place], log logKey: String? = nil) {
            self.name = name
            self.places = places
            self.logKey = logKey
        }
    }

    /// Every column that programs read, and every name in the log that corresponds to a column.
    private static let facts = [
        // A message; in other tables its id is `message_id`.
        Fact("id", [.status]), Fact("message_id", [.attempt, .report, .suppression], log: "message.id"),
        Fact("kind", [.status, .day, .delay], log: "kind"),
        Fact("recipient", [.status]), Fact("account", [.status]), Fact("state", [.status, .relay]),
        Fact("requested_at", [.status]), Fact("accepted_at", [.status]), Fact("delivered_at", [.status]),
        Fact("delayed_at", [.status]), Fact("redeemed_at", [.status]), Fact("expires_at", [.status, .suppression]),
        Fact("attempts", [.status]), Fact("next_attempt_at", [.status]), Fact("waiting_for", [.status]),
        Fact("may_arrive_twice", [.status]), Fact("advice", [.status]), Fact("advice_at", [.status]),
        Fact("finished_at", [.status, .attempt]),
        // An attempt.
        Fact("attempt", [.attempt], log: "attempt"), Fact("started_at", [.attempt]), Fact("outcome", [.attempt]),
        Fact("relay", [.attempt], log: "relay"), Fact("counts", [.attempt]),
        Fact("stage", [.attempt, .relay], log: "stage"), Fact("fault", [.attempt, .relay], log: "fault"),
        Fact("reason", [.attempt, .relay, .report, .suppression], log: "reason"),
        Fact("detail", [.status, .attempt, .relay, .report], log: "detail"),
        Fact("reply_code", [.attempt], log: "reply.code"),
        Fact("enhanced_status", [.attempt], log: "enhanced.status"),
        Fact("queue_id", [.attempt], log: "queue.id"),
        // A report, a relay, a suppressed address.
        Fact("action", [.report]), Fact("received_at", [.report]), Fact("status", [.report]),
        Fact("reporting_mta", [.report]), Fact("name", [.relay]), Fact("position", [.relay]),
        Fact("paused_until", [.relay]), Fact("down_since", [.relay]), Fact("setting", [.relay], log: "setting"),
        Fact("tls_version", [.relay]), Fact("tls_cipher", [.relay]),
        Fact("mails_per_connection", [.relay]), Fact("certificate_name", [.relay], log: "certificate.name"),
        Fact("certificate_expires_at", [.relay], log: "certificate.expires.at"),
        Fact("updated_at", [.relay]), Fact("address", [.suppression]), Fact("source", [.suppression]),
        Fact("created_at", [.suppression]),
        // The promise, by day.
        Fact("day", [.day, .delay]), Fact("requested", [.day]), Fact("accepted_in_time", [.day]),
        Fact("accepted_late", [.day]), Fact("expired", [.day]), Fact("rejected", [.day]), Fact("superseded", [.day]),
        Fact("suppressed", [.day]), Fact("cancelled", [.day]), Fact("longest_delay", [.day]),
        Fact("delay", [.delay], log: "delay"), Fact("mails", [.delay]),
    ]

    /// Names that only the log has: about the program, the database, and future events.
    private static let onlyInLog: Set<String> = [
        "retry.in", "then", "connections", "relays", "pauses.meanwhile", "database", "tables", "command", "error",
        "failures", "rule", "count", "returned", "grace", "after", "by", "for", "longest.lock", "nothing.expires.for",
        "as.at.start", "needs.restart", "variable", "last.commit", "held.since",
    ]

    /// Former names of facts, which must not be used any more.
    private static let former = ["scope", "fault_of", "fault-of", "reply", "last_reply", "took", "docket", "usedUp"]

    private static func names(in place: Place) -> Set<String> {
        Set(facts.filter { $0.places.contains(place) }.map(\.name))
    }

    @Test("the log's keys are the columns' names with dots, or listed as the log's own")
    func logKeys() {
        let shared = Self.facts.compactMap { fact in fact.logKey.map { (fact.name, $0) } }
        for (name, key) in shared { #expect(key == name.replacing("_", with: ".")) }
        let keys = LogKey.allCases.map(\.rawValue)
        #expect(Set(keys) == Set(shared.map(\.1)).union(Self.onlyInLog))
        for key in keys {
            #expect(key.wholeMatch(of: /[a-z]+(\.[a-z]+)*/) != nil && !Self.former.contains(key), "\(key)")
        }
        // The log's own names must not equal a column's.
        let columns = Set(Self.facts.map { $0.name.replacing("_", with: ".") })
        #expect(Self.onlyInLog.isDisjoint(with: columns))
    }

    @Test("columns, JSON and log of a real run have the names of the table, and no others")
    func realNames() async throws {
        try await withInstallation { installation in
            let relay = try installation.startRelay(
                "--fault",
                #"rcpt: reply 550 5.1.1 "No such user" for cat@example.com"#,
                "--fault",
                #"rcpt: reply 450 4.2.1 "Busy" for ben@example.com"#
            )
            let port = try #require(Int(try await installation.contents(of: "port")))
            try installation.configure(port: port)
            #expect(try await installation.outboxctl("migrate").exitCode == 0)
            for name in ["ann", "ben", "cat"] {
                let address = "\(name)@example.com"
                _ = try await installation.outboxctl("enqueue", "verify-email", address, input: "t0ken-\(name)")
            }
            // A character that Unicode has not assigned passes only the schema; no relay is asked.
            _ = try await installation.python(
                """
                import sqlite3, sys
                db = sqlite3.connect(sys.argv[1])
                db.execute("INSERT INTO outbox (kind, recipient, token) VALUES ('verify-email', ?, 't0ken-dan')",
                    ("dan\\u0378@example.com",))
                db.commit()
                """
            )
            let daemon = try installation.start("outboxd")
            try await installation.waitUntil(
                "SELECT count(*) = 4 FROM outbox_status WHERE state IN ('accepted', 'deferred', 'rejected')"
            )
            let columns = try await columns(installation)
            for place in Place.allCases {
                #expect(columns[place.rawValue] == Self.names(in: place), "\(place.rawValue)")
            }
            try await expectJSON(installation)
            daemon.terminate()
            relay.terminate()
            try expectLog(try await daemon.result().errors)
            _ = try await relay.result()
        }
    }

    /// The columns as an application sees them.
    private func columns(_ installation: Installation) async throws -> [String: Set<String>] {
        let result = try await installation.python(
            """
            import json, sqlite3, sys
            db = sqlite3.connect(sys.argv[1])
            print(json.dumps({t: [c[1] for c in db.execute(f"PRAGMA table_info({t})")] for t in sys.argv[2].split()}))
            """,
            Place.allCases.map(\.rawValue).joined(separator: " ")
        )
        return try JSONDecoder().decode([String: [String]].self, from: Data(result.output.utf8)).mapValues { Set($0) }
    }

    private func expectJSON(_ installation: Installation) async throws {
        let report = """
            From: MAILER-DAEMON@mail.example.com
            Return-Path: <>
            Content-Type: multipart/report; report-type=delivery-status; boundary="b"

            --b
            Content-Type: message/delivery-status

            Reporting-MTA: dns; mail.example.com
            Original-Envelope-Id: ID

            Final-Recipient: rfc822; ann@example.com
            Action: delayed
            Status: 4.2.2
            Diagnostic-Code: smtp; 452 4.2.2 mailbox full

            --b--
            """
        let id = try await installation.python(
            """
            import sqlite3, sys
            print(sqlite3.connect(sys.argv[1]).execute(
                "SELECT envelope_id FROM outbox_state WHERE state = 'accepted'").fetchone()[0], end="")
            """
        ).output
        let bounce = try await object(
            installation,
            ["bounce", "--json"],
            input: report.replacing("ID", with: id)
        )
        let own: Set = ["has_bounced", "suppressed_until"]
        #expect(Set(bounce.keys) == own.union(["id", "action", "reason", "state"]))
        #expect(try await installation.outboxctl("suppression", "add", "ann@example.com").exitCode == 0)
        // Nothing takes long here, so the test makes the patience shorter than any mail takes.
        _ = try await installation.python(
            """
            import sqlite3, sys
            with sqlite3.connect(sys.argv[1]) as db:
                db.execute("UPDATE outbox_guidance SET patience = 1")
            """
        )
        var found: [Place: [String: Any]] = [:]
        let shown = try await object(installation, ["show", "1", "--json"])
        found[.status] = shown.filter { !["history", "reports", "suppression"].contains($0.key) }
        found[.attempt] = (shown["history"] as? [[String: Any]])?.first
        found[.report] = (shown["reports"] as? [[String: Any]])?.first
        found[.suppression] = shown["suppression"] as? [String: Any]
        found[.relay] = try await object(installation, ["relays", "--json"])
        let promise = try await object(installation, ["promise", "--json"])
        found[.day] = promise
        found[.delay] = (promise["late"] as? [[String: Any]])?.first
        for place in Place.allCases {
            let keys = Set(try #require(found[place], "\(place.command)").keys)
            let expected = Self.names(in: place).subtracting(place.hidden).union(place.added)
            #expect(keys == expected, "\(place.command): \(keys.symmetricDifference(expected))")
            #expect(keys.isDisjoint(with: Self.former))
        }
        let status = try await object(installation, ["status", "1", "--json"])
        #expect(Set(status.keys) == ["recipient", "messages"])
        let message = try #require((status["messages"] as? [[String: Any]])?.first)
        #expect(Set(message.keys) == Self.names(in: .status).union(Place.status.added))
    }

    private func object(
        _ installation: Installation,
        _ arguments: [String],
        input: String? = nil
    ) async throws -> [String: Any] {
        let result = try await installation.start("outboxctl", arguments, input: input).result()
        #expect(result.exitCode == 0, "\(arguments): \(result.errors)")
        return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    private func expectLog(_ log: String) throws {
        let messages = log.split(separator: "\n").filter { $0.contains(" message ") }
        // Values with spaces are quoted, so only names remain.
        let keys = messages.flatMap { line in
            line.replacing(/"(\\.|[^"\\])*"/, with: "").matches(of: /\s([^\s=]+)=/).map { String($0.1) }
        }
        let known = Set(LogKey.allCases.map(\.rawValue))
        #expect(Set(keys).isSubset(of: known), "\(Set(keys).subtracting(known))")
        // All facts of an attempt are present.
        let ofAttempts = Self.facts.filter { fact in fact.places.contains(.attempt) || fact.places.contains(.delay) }
        let logged = ofAttempts.compactMap(\.logKey)
        #expect(Set(logged).isSubset(of: keys), "\(Set(logged).subtracting(keys))")
        let accepted = try #require(messages.first { $0.contains("message accepted") })
        #expect(accepted.contains(#/ delay=\d+ms/#))
    }
}
