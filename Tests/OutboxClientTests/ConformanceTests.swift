// The Swift and the Python client against one file: each step runs in one language and then in the other one.

import Foundation
import GRDB
import InternetMessage
import OutboxClient
import OutboxCore
import OutboxStore
import OutboxTokens
import TestSupport
import Testing

@Suite("The clients", .timeLimit(.minutes(5)))
struct ConformanceTests {
    /// One call, in the form that the Python side reads.
    private struct Step: Codable {
        var call: String
        var kind = "reset-password"
        var recipient: String?
        var account: String?
        var token: String?
        var timeZone: String?
        var validFor: Int?
        var idempotencyKey: String?
    }

    private static let python = """
        import dataclasses, json, sqlite3, sys
        sys.path.insert(0, sys.argv[2])
        import outbox_client as client
        db = sqlite3.connect(sys.argv[1], timeout=60)
        step = {key: value for key, value in json.loads(sys.argv[4]).items() if value is not None}
        call, kind = step.pop("call"), step.pop("kind")
        keys = client.CheckKey(sys.argv[3])
        person = {key: step[key] for key in ("account", "recipient") if key in step}
        if call == "enqueue":
            answer = client.enqueue(db, kind, step.pop("recipient"), account=step.get("account"), token=step.get("token"),
                time_zone=step.get("timeZone"), valid_for=step.get("validFor"),
                idempotency_key=step.get("idempotencyKey"), variables={"name": "Ann"})
        elif call == "status":
            answer = [[s.id, s.state, s.redeemed_at is not None, [a.value for a in s.advice]]
                for s in client.status(db, kind=kind, **person)]
        else:
            if call == "look":
                found = client.look(db, kind, step["token"])
            elif call == "redeem":
                found = client.redeem(db, kind, step["token"])
            else:
                found = client.redeem_code(db, kind, step["token"], keys, **person)
            answer = [found.result.value, found.message_id, found.account, found.recipient]
        db.commit()
        print(json.dumps(answer))
        """

    private static let clients = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "clients/python").path

    private let folder: URL
    private let store: OutboxDatabase
    private let application: DatabaseQueue
    private let key: TokenKey
    private let rules: DeliveryRules

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "clients-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let path = folder.appending(path: "outbox.db").path
        store = try OutboxDatabase(path: path, access: .migrating, claimant: "test")
        application = try DatabaseQueue(path: path)
        key = try TokenKey(base64: TokenKey.makeBase64())
        let tokens = TokenRules(keys: [key], kinds: ["reset-password"], codes: ["reset-password"])
        rules = DeliveryRules(limits: nil, tokens: tokens)
    }

    private func swift(_ step: Step) throws -> String {
        let person = step.account.map(Person.account) ?? .recipient(step.recipient ?? "")
        switch step.call {
        case "enqueue":
            var mail = NewMail(kind: step.kind, recipient: step.recipient ?? "", account: step.account)
            mail.token = step.token
            mail.timeZone = step.timeZone
            mail.validFor = step.validFor.map { .milliseconds($0) }
            mail.idempotencyKey = step.idempotencyKey
            mail.variables = ["name": "Ann"]
            return try json(application.write { [mail] in try Outbox.enqueue(mail, in: $0) })
        case "status":
            let found = try application.read { try Outbox.status(of: person, kind: step.kind, in: $0) }
            let rows = found.map { status in
                "[\(status.id), \"\(status.state)\", \(status.redeemedAt != nil), "
                    + "[\(status.advice.map { "\"\($0.rawValue)\"" }.joined(separator: ", "))]]"
            }
            return "[\(rows.joined(separator: ", "))]"
        case "look":
            return try json(application.read { try Outbox.look(kind: step.kind, token: step.token ?? "", in: $0) })
        case "redeem":
            return try json(application.write { try Outbox.redeem(kind: step.kind, token: step.token ?? "", in: $0) })
        default:
            let keys = [try OutboxClient.CheckKey(base64: key.checkKey.base64)]
            return try json(
                Outbox.redeemCode(kind: step.kind, code: step.token ?? "", of: person, keys: keys, in: application)
            )
        }
    }

    private func json(_ id: Int64) throws -> String { String(id) }

    private func json(_ redemption: Redemption) throws -> String {
        func text(_ value: String?) -> String { value.map { "\"\($0)\"" } ?? "null" }
        let id = redemption.messageID.map(String.init) ?? "null"
        return "[\"\(redemption.result.rawValue)\", \(id), \(text(redemption.account)), \(text(redemption.recipient))]"
    }

    private func python(_ step: Step) async throws -> String {
        let text = String(decoding: try JSONEncoder().encode(step), as: UTF8.self)
        let result = try await Program.python(
            Self.python,
            [folder.appending(path: "outbox.db").path, Self.clients, key.checkKey.base64, text]
        )
        if result.exitCode != 0 { return result.errors }
        return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Runs a step in one language, and returns its answer.
    private func run(_ step: Step, inSwift: Bool) async throws -> String {
        inSwift ? try swift(step) : try await python(step)
    }

    /// Lets a relay accept every waiting message.
    private func deliver() async throws -> [Claim] {
        let now = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000))
        let claims = try await store.claim(
            .ordinary(),
            limit: 10,
            now: now,
            lease: .seconds(60),
            rules: rules,
            expiryHold: nil
        ).claims
        let reply = SMTPReply(code: 250, enhancedStatus: nil, text: "ok")
        let completions = claims.map { Completion(claim: $0, outcome: .accepted(reply), relay: "r", finishedAt: now) }
        #expect(try await store.finish(completions, clock: { now }, rules: rules).lost.isEmpty)
        return claims
    }

    @Test(
        "Swift's and Python's client give the same answers, and each reads what the other wrote",
        arguments: [true, false]
    )
    func sameAnswers(startsWithSwift: Bool) async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        var inSwift = startsWithSwift
        func expect(_ step: Step, _ answer: String, _ place: SourceLocation = #_sourceLocation) async throws {
            let found = try await run(step, inSwift: inSwift)
            #expect(found == answer, "in \(inSwift ? "Swift" : "Python")", sourceLocation: place)
            inSwift.toggle()
        }
        let zone = "Europe/Berlin"
        let ann = Step(call: "enqueue", recipient: "ann@example.com", account: "a-1", timeZone: zone, validFor: 600_000)
        try await expect(ann, "1")
        var repeated = Step(call: "enqueue", recipient: "bob@example.com", idempotencyKey: "once")
        try await expect(repeated, "2")
        try await expect(repeated, "2")
        repeated.idempotencyKey = nil
        var (twoAts, noZone) = (repeated, repeated)
        twoAts.recipient = "two@at@signs"
        noZone.timeZone = "Berlin, Germany"
        for (step, rule) in [
            (twoAts, "recipient_is_one_bare_address_with_one_at_sign"),
            (noZone, "time_zone_is_a_name_such_as_europe_berlin"),
        ] {
            for _ in 1...2 {
                let refusal: String
                do { refusal = try await run(step, inSwift: inSwift) } catch let error as DatabaseError {
                    refusal = error.message ?? ""
                }
                #expect(refusal.contains(rule))
                inSwift.toggle()
            }
        }
        let claims = try await deliver()
        let annClaim = try #require(claims.first { $0.message.id == 1 })
        let bobClaim = try #require(claims.first { $0.message.id == 2 })
        #expect(annClaim.message.timeZone == zone)
        let link = try #require(annClaim.message.token).secret
        try await expect(Step(call: "status", account: "a-1"), #"[[1, "accepted", false, ["wait"]]]"#)
        try await expect(Step(call: "status", recipient: "ANN@example.com"), #"[[1, "accepted", false, ["wait"]]]"#)
        let mine = #", 1, "a-1", "ann@example.com"]"#
        for _ in 1...2 { try await expect(Step(call: "look", token: link), #"["ok""# + mine) }
        try await expect(Step(call: "redeem", kind: "verify-email", token: link), #"["unknown", null, null, null]"#)
        try await expect(Step(call: "redeem", token: link), #"["ok""# + mine)
        for call in ["redeem", "look"] { try await expect(Step(call: call, token: link), #"["used""# + mine) }
        try await expect(Step(call: "status", account: "a-1"), #"[[1, "accepted", true, ["done"]]]"#)

        let code = try #require(bobClaim.message.code).secret
        let wrong = String((Int(code) ?? 0) == 11_111_111 ? "22222222" : "11111111")
        func typed(_ code: String, _ recipient: String = "Bob@example.com") -> Step {
            Step(call: "code", recipient: recipient, token: code)
        }
        let his = #", 2, null, "bob@example.com"]"#
        try await expect(typed("1234567"), #"["wrong-code", null, null, null]"#)
        for _ in 1...2 { try await expect(typed(wrong), #"["wrong-code""# + his) }
        // A stranger's address says no more than a wrong code does.
        try await expect(typed(code, "nobody@example.com"), #"["wrong-code", null, null, null]"#)
        // As people copy it: in two groups, with full-width digits.
        let wide = String(
            String.UnicodeScalarView(code.unicodeScalars.compactMap { Unicode.Scalar($0.value + 0xFEE0) })
        )
        try await expect(typed("\(wide.prefix(4)) -\u{3000}\(wide.suffix(4))"), #"["ok""# + his)
        for _ in 1...2 { try await expect(typed(code), #"["used""# + his) }
    }

    @Test("while a newer mail is stuck, the older one's code works", arguments: [true, false])
    func stuck(inSwift: Bool) async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        _ = try swift(Step(call: "enqueue", recipient: "ann@example.com", account: "a-1"))
        let first = try #require(try await deliver().first)
        _ = try swift(Step(call: "enqueue", recipient: "ann@example.com", account: "a-1"))
        let now = Timestamp(milliseconds: Int64(Date.now.timeIntervalSince1970 * 1000))
        let stuck = try await store.claim(
            .ordinary(),
            limit: 10,
            now: now,
            lease: .seconds(60),
            rules: rules,
            expiryHold: nil
        ).claims
        #expect(stuck.map(\.message.id) == [2])
        let code = try #require(first.message.code).secret
        let typed = Step(call: "code", account: "a-1", token: code)
        #expect(try await run(typed, inSwift: inSwift) == #"["ok", 1, "a-1", "ann@example.com"]"#)
    }

    @Test("Python's client takes a repeated key at once from many threads, and any row factory")
    func connections() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        _ = try swift(Step(call: "enqueue", recipient: "ann@example.com"))
        let token = try #require(try await deliver().first?.message.token)
        let result = try await Program.python(
            """
            import sqlite3, sys, threading
            sys.path.insert(0, sys.argv[2])
            import outbox_client as client
            ids = []
            def enqueue():
                db = sqlite3.connect(sys.argv[1], timeout=60)
                with db:
                    ids.append(client.enqueue(db, "reset-password", "ben@example.com", idempotency_key="once"))
                db.close()
            threads = [threading.Thread(target=enqueue) for _ in range(8)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            print(ids)
            db = sqlite3.connect(sys.argv[1], isolation_level=None)
            db.row_factory = lambda cursor, row: {column[0]: value for column, value in zip(cursor.description, row)}
            db.execute("DELETE FROM outbox WHERE id = 2")
            print(client.enqueue(db, "reset-password", "ben@example.com", idempotency_key="once"))
            print(client.look(db, "reset-password", sys.argv[3]).result.value, client.status(db, id=1)[0].state)
            print(client.redeem(db, "reset-password", sys.argv[3]).message_id)
            print(client.redeem(db, "reset-password", "\\ud800").result.value)
            print(client.redeem_code(db, "reset-password", "1234 \\u2013 5678", client.CheckKey(sys.argv[4]),
                recipient="ann@example.com").result.value)
            """,
            [folder.appending(path: "outbox.db").path, Self.clients, token.secret, key.checkKey.base64]
        )
        #expect(
            result.output == """
                [2, 2, 2, 2, 2, 2, 2, 2]
                2
                ok accepted
                1
                unknown
                wrong-code

                """,
            "\(result.errors)"
        )
    }

    @Test("a wrong code counts although the caller fails, and a right one is not used up when what follows fails")
    func failures() async throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        struct Broken: Error {}
        _ = try swift(Step(call: "enqueue", recipient: "ann@example.com"))
        let claim = try #require(try await deliver().first)
        let code = try #require(claim.message.code).secret
        let keys = [try OutboxClient.CheckKey(base64: key.checkKey.base64)]
        #expect(throws: Broken.self) {
            try Outbox.redeemCode(
                kind: "reset-password",
                code: code,
                of: .recipient("ann@example.com"),
                keys: keys,
                in: application
            ) { _, _ in throw Broken() }
        }
        #expect(throws: MissingCheckKey.self) {
            try Outbox.redeemCode(
                kind: "reset-password",
                code: code,
                of: .recipient("ann@example.com"),
                keys: [],
                in: application
            )
        }
        let result = try await Program.python(
            """
            import sqlite3, sys
            sys.path.insert(0, sys.argv[2])
            import outbox_client as client
            db, keys = sqlite3.connect(sys.argv[1]), client.CheckKey(sys.argv[3])
            print(client.redeem_code(db, "reset-password", sys.argv[4], keys, recipient="ann@example.com").result.value)
            db.rollback()
            wrong = str((int(sys.argv[4]) + 1) % 10**8).zfill(8)
            print(client.redeem_code(db, "reset-password", wrong, keys, recipient="ann@example.com").result.value)
            db.rollback()
            print(db.execute("SELECT tries FROM outbox_token").fetchone()[0], db.in_transaction)
            db.execute("BEGIN")
            try:
                client.redeem_code(db, "reset-password", sys.argv[4], keys, recipient="ann@example.com")
            except sqlite3.ProgrammingError as error:
                print(error)
            """,
            [
                folder.appending(path: "outbox.db").path,
                Self.clients,
                key.checkKey.base64, code,
            ]
        )
        #expect(
            result.output == """
                ok
                wrong-code
                1 False
                redeem_code begins its own transaction: a wrong try must be committed at once

                """,
            "\(result.errors)"
        )
        let redemption = try Outbox.redeemCode(
            kind: "reset-password",
            code: code,
            of: .recipient("ann@example.com"),
            keys: keys,
            in: application
        )
        #expect(redemption.isOK)
    }
}
