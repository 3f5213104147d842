// Minting and redeeming on a real file: what a claim keeps of a token, when its time begins, and what ends it.

import Foundation
import GRDB
import OutboxCore
import OutboxStore
import OutboxTokens
import TestSupport
import Testing

@Suite("Tokens in the store", .timeLimit(.minutes(5)))
struct TokenTests {
    private static let kind = "reset-password"
    private let outbox: TemporaryOutbox
    private let key: TokenKey
    private let rules: DeliveryRules

    init() throws {
        outbox = try TemporaryOutbox()
        key = try TokenKey(base64: TokenKey.makeBase64())
        rules = Self.rules([key])
    }

    private static func rules(_ keys: [TokenKey], keepOlder: Set<String> = []) -> DeliveryRules {
        let tokens = TokenRules(keys: keys, kinds: ["reset-password", "verify-email"], codes: ["reset-password"])
        return DeliveryRules(limits: nil, keepOlder: keepOlder, tokens: tokens)
    }

    /// Inserts a message without a token, as an application would.
    @discardableResult
    private func insert(
        kind: String = kind,
        token: String? = nil,
        validFor: Duration? = nil,
        at moment: Timestamp = noon
    ) throws -> Int64 {
        let id = try outbox.insertRow(kind: kind, token: token, validFor: validFor)
        try outbox.execute(
            "UPDATE outbox_state SET requested_at = ?1, due_at = ?1 WHERE message_id = ?2",
            [moment.milliseconds, id]
        )
        return id
    }

    private func claim(_ rules: DeliveryRules? = nil, at now: Timestamp = noon) async throws -> Claim {
        try #require(try await outbox.database.claim(now: now, rules: rules ?? self.rules).claims.first)
    }

    private func accept(_ claim: Claim, _ rules: DeliveryRules? = nil, at moment: Timestamp = noon) async throws {
        let result = try await outbox.database.finish(
            [.accepted(claim, at: moment)],
            now: moment,
            rules: rules ?? self.rules
        )
        #expect(result.lost.isEmpty && result.refused.isEmpty)
    }

    /// Inserts a message, and lets a relay accept it.
    private func mail(_ kind: String = kind, token: String? = nil, at moment: Timestamp = noon) async throws -> Claim {
        try insert(kind: kind, token: token, at: moment)
        let claim = try await claim(at: moment)
        try await accept(claim, at: moment)
        return claim
    }

    private func redeem(_ claim: Claim, at now: Timestamp = noon) throws -> [String] {
        try outbox.redeem(link: try #require(claim.message.token).secret, kind: claim.message.kind, at: now)
    }

    private func redeem(_ claim: Claim, code: String, at now: Timestamp = noon) throws -> [String] {
        let proof = key.checkKey.mac(of: code, envelopeID: claim.message.envelopeID)
        return try outbox.redeem(proof: proof, of: claim.message.id, at: now)
    }

    @Test("a message without a token gets one at its claim, the same in every attempt, and only a digest is stored")
    func minted() async throws {
        let id = try insert()
        let first = try await claim()
        let token = try #require(first.message.token)
        #expect(token.secret == key.token(kind: Self.kind, envelopeID: first.message.envelopeID))
        #expect(first.message.code?.secret == key.code(kind: Self.kind, envelopeID: first.message.envelopeID))
        _ = try await outbox.database.finish([.deferred(first, until: noon)], now: noon, rules: rules)
        let second = try await claim()
        #expect(second.attempt == 2 && second.message.token == token && second.message.code == first.message.code)
        #expect(
            try outbox.value(Data.self, "SELECT digest FROM outbox_token")
                == TokenDigest.digest(of: token.secret).map { Data($0) }
        )
        #expect(try outbox.value(String.self, "SELECT key_id FROM outbox_token WHERE message_id = \(id)") == key.id)
        #expect(try outbox.secretCount() == 0)
    }

    @Test("a given token that can be guessed from a digest has none, and a longer one can be redeemed")
    func given() async throws {
        let short = try await mail("verify-email", token: String(repeating: "s", count: 21))
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_token") == 0)
        #expect(try redeem(short) == [])
        let long = try await mail("verify-email", token: String(repeating: "l", count: 22))
        #expect(try redeem(long) == ["ok"])
        #expect(try outbox.value(Int.self, "SELECT key_id IS NULL AND code_mac IS NULL FROM outbox_token") == 1)
    }

    @Test("a lost token that the application gave is never replaced by a minted one")
    func lost() async throws {
        let id = try insert(token: "given-by-the-application")
        try outbox.execute("UPDATE outbox_secret SET token = printf('%.*c', 64, char(10)) WHERE slot > 0")
        let batch = try await outbox.database.claim(now: noon, rules: rules)
        #expect(batch.claims.isEmpty && batch.withoutToken == [id])
        #expect(try outbox.state(id) == "rejected")
    }

    @Test("a kind whose mails show no token needs no key")
    func notice() async throws {
        try insert(kind: "password-changed")
        let claim = try await claim(Self.rules([]))
        #expect(claim.message.token == nil && claim.message.missingTokenKey == nil)
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_token") == 0)
    }

    @Test("without its key a message has no token, whether it was mailed before or not, and nothing is stored for it")
    func missingKey() async throws {
        try insert()
        let unminted = try await claim(Self.rules([]))
        #expect(unminted.message.token == nil && unminted.message.missingTokenKey == .notConfigured)
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_token") == 0)
        try await outbox.database.returnUnsent([unminted])
        let minted = try await claim()
        _ = try await outbox.database.finish([.deferred(minted, until: noon)], now: noon, rules: rules)

        // Nobody has seen a mail yet, so a new key may mint anew.
        let newer = try TokenKey(base64: TokenKey.makeBase64())
        let anew = try await claim(Self.rules([newer]))
        #expect(anew.message.token?.secret == newer.token(kind: Self.kind, envelopeID: anew.message.envelopeID))
        #expect(try outbox.value(String.self, "SELECT key_id FROM outbox_token") == newer.id)
        let uncertain = Completion.uncertain(anew, until: noon, at: noon)
        _ = try await outbox.database.finish([uncertain], now: noon, rules: rules)

        let orphaned = try await claim()
        #expect(orphaned.message.token == nil && orphaned.message.missingTokenKey == .unknown(id: newer.id))
        try await outbox.database.returnUnsent([orphaned])
        let rotated = try await claim(Self.rules([key, newer]))
        #expect(rotated.message.token == anew.message.token && rotated.message.code == anew.message.code)
        try await accept(rotated)
        #expect(try redeem(rotated) == ["ok"])
    }

    @Test("what a mail may have shown stays, whatever codes are configured later")
    func codesAppear() async throws {
        let withoutCodes = DeliveryRules(limits: nil, tokens: TokenRules(keys: [key], kinds: [Self.kind]))
        try insert()
        let first = try await claim(withoutCodes)
        #expect(first.message.code == nil && first.tokenRules == withoutCodes.tokens)
        _ = try await outbox.database.finish([.deferred(first, until: noon)], now: noon, rules: rules)
        let second = try await claim()
        #expect(second.message.code != nil)
        let uncertain = Completion.uncertain(second, until: noon, at: noon)
        _ = try await outbox.database.finish([uncertain], now: noon, rules: rules)
        let third = try await claim(withoutCodes)
        #expect(third.message.code == second.message.code)
    }

    @Test("a given token without a code needs no key, whatever was configured before")
    func givenNeedsNoKey() async throws {
        try insert(token: "123456")
        let first = try await claim()
        #expect(first.message.code != nil)
        _ = try await outbox.database.finish([.deferred(first, until: noon)], now: noon, rules: rules)
        let second = try await claim(Self.rules([]))
        #expect(second.message.missingTokenKey == nil && second.message.code == nil && second.message.token != nil)
    }

    @Test("with valid_for the time counts from the attempt that hands the mail over, and stays from then on")
    func validity() async throws {
        let id = try insert(validFor: .seconds(600))
        let first = try await claim()
        #expect(first.message.expiresAt == noon + .seconds(600) && first.message.deadline == nil)
        _ = try await outbox.database.finish([.deferred(first, until: noon + .seconds(900))], now: noon, rules: rules)
        #expect(try await outbox.database.expire(now: noon + .seconds(800)) == [])

        let second = try await claim(at: noon + .seconds(900))
        let end = noon + .seconds(1500)
        #expect(second.message.expiresAt == end && second.message.firstAttemptAt == noon + .seconds(900))
        #expect(try outbox.value(Timestamp.self, "SELECT expires_at FROM outbox_token") == end)
        let uncertain = Completion.uncertain(second, until: noon + .seconds(1000), at: noon + .seconds(910))
        _ = try await outbox.database.finish([uncertain], now: noon + .seconds(910), rules: rules)

        let third = try await claim(at: noon + .seconds(1000))
        #expect(third.message.expiresAt == end && third.message.deadline == end)
        #expect(third.message.firstAttemptAt == second.message.firstAttemptAt)
        try await accept(third, at: noon + .seconds(1001))
        #expect(try await outbox.database.status(id: id)?.expiresAt == end)
        #expect(try redeem(third, at: end) == ["expired"])
        #expect(try redeem(third, at: end - .milliseconds(1)) == ["ok"])
    }

    @Test("a token's time that began before outboxd died stays as the mail may say it")
    func rescued() async throws {
        let id = try insert(validFor: .seconds(600))
        _ = try await claim()
        let second = try outbox.secondDaemon()
        #expect(try await second.rescue(now: noon + .seconds(100), rules: rules) == [id])
        let claim = try #require(try await second.claim(now: noon + .seconds(100), rules: rules).claims.first)
        #expect(claim.message.deadline == noon + .seconds(600) && claim.message.firstAttemptAt == noon)
    }

    @Test("a link is redeemed once, for its kind only, and the outbox knows when")
    func link() async throws {
        let claim = try await mail()
        let id = claim.message.id
        let token = try #require(claim.message.token).secret
        #expect(try outbox.redeem(link: token, kind: "verify-email", at: noon) == [])
        #expect(try outbox.redeem(link: token + "x", kind: Self.kind, at: noon) == [])
        #expect(try outbox.value(String.self, "SELECT result FROM outbox_token_status") == "ok")
        #expect(try redeem(claim, at: noon + .seconds(60)) == ["ok"])
        #expect(try redeem(claim, at: noon + .seconds(61)) == ["used"])
        #expect(try outbox.value(String.self, "SELECT result FROM outbox_token_status") == "used")
        let status = try #require(try await outbox.database.status(id: id))
        #expect(status.redeemedAt == noon + .seconds(60) && status.advice == "done")
        #expect(status.adviceAt == noon + .seconds(60))
        try outbox.execute("DELETE FROM outbox WHERE id = \(id)")
        #expect(try outbox.value(Int.self, "SELECT count(*) FROM outbox_token") == 0)
    }

    @Test("an older mail works until a newer one was accepted, and a kind in keep_older for longer")
    func replaced() async throws {
        let old = try await mail()
        try insert(at: noon + .seconds(1))
        let new = try await claim(at: noon + .seconds(1))
        #expect(try outbox.value(String.self, "SELECT min(result) FROM outbox_token_status") == "ok")
        try await accept(new, at: noon + .seconds(2))
        #expect(try redeem(old, at: noon + .seconds(3)) == ["replaced"])
        #expect(try redeem(new, at: noon + .seconds(3)) == ["ok"])

        let keeping = Self.rules([key], keepOlder: ["verify-email"])
        var kept: [Claim] = []
        for second in [10, 11] {
            try insert(kind: "verify-email", at: noon + .seconds(second))
            let claim = try await claim(keeping, at: noon + .seconds(second))
            try await accept(claim, keeping, at: noon + .seconds(second))
            kept.append(claim)
        }
        for claim in kept { #expect(try redeem(claim, at: noon + .seconds(20)) == ["ok"]) }
    }

    @Test("after a redemption no further mail of the kind leaves for an earlier request, unless the kind is kept")
    func settled() async throws {
        let old = try await mail()
        let waiting = try insert(at: noon + .seconds(1))
        #expect(try redeem(old, at: noon + .seconds(2)) == ["ok"])
        let batch = try await outbox.database.claim(now: noon + .seconds(3), rules: rules)
        #expect(batch.claims.isEmpty && batch.superseded == [waiting])
        let later = try insert(at: noon + .seconds(10))
        #expect(try await claim(at: noon + .seconds(10)).message.id == later)

        let keeping = Self.rules([key], keepOlder: ["verify-email"])
        try insert(kind: "verify-email", at: noon + .seconds(20))
        let kept = try await claim(keeping, at: noon + .seconds(20))
        let uncertain = Completion.uncertain(kept, until: noon + .seconds(22), at: noon + .seconds(20))
        _ = try await outbox.database.finish([uncertain], now: noon + .seconds(20), rules: keeping)
        let other = try insert(kind: "verify-email", at: noon + .seconds(21))
        #expect(try redeem(kept, at: noon + .seconds(21)) == ["ok"])
        let next = try await outbox.database.claim(now: noon + .seconds(22), rules: keeping)
        // The mail that was read needs no repetition; the other one is still wanted.
        #expect(next.superseded == [kept.message.id] && next.claims.map(\.message.id) == [other])
        #expect(try await outbox.database.status(id: other)?.advice != "done")
    }

    @Test("a redemption without the present or without a proof is an error, never a success")
    func forgottenValues() async throws {
        let claim = try await mail()
        let id = claim.message.id
        for assignment in [
            "presented_at = NULL, presented = digest", "presented_at = 1800000000000",
            "presented_at = 1800000000000, presented = NULL", "presented_at = NULL",
        ] {
            let error = #expect(throws: DatabaseError.self) {
                try outbox.execute("UPDATE outbox_token SET \(assignment) WHERE message_id = \(id)")
            }
            #expect(error?.message == "presented_at_and_presented_are_both_required")
        }
        #expect(
            try outbox.returned(
                "UPDATE outbox_token SET presented_at = 1800000000000, presented = x'' WHERE message_id = ? RETURNING result",
                [id]
            ) == ["wrong-code"]
        )
        #expect(try redeem(claim) == ["ok"])
    }

    @Test("retention keeps a mailed link as long as the mail says that it works")
    func retention() async throws {
        let id = try insert(validFor: .seconds(3600))
        let claim = try await claim()
        try await accept(claim)
        let gone = try insert(at: noon + .seconds(1))
        let other = try await self.claim(at: noon + .seconds(1))
        try await accept(other, at: noon + .seconds(1))
        try outbox.execute("UPDATE outbox_token SET replaced_at = NULL")
        func retire(at now: Timestamp) async throws -> Int {
            try await outbox.database.retire(
                .messages,
                before: now,
                from: nil,
                pace: SlicePace(),
                now: now,
                uptime: { ContinuousClock.now }
            ).removed
        }
        #expect(try await retire(at: noon + .seconds(3599)) == 1)
        #expect(try outbox.state(id) == "accepted" && outbox.state(gone) == nil)
        #expect(try await retire(at: noon + .seconds(3600)) == 1)
    }

    @Test("redeeming one mail ends the person's other open ones of the kind")
    func others() async throws {
        let old = try await mail()
        try insert(at: noon + .seconds(1))
        let new = try await claim(at: noon + .seconds(1))
        #expect(try redeem(old, at: noon + .seconds(2)) == ["ok"])
        #expect(try redeem(new, at: noon + .seconds(3)) == ["replaced"])
        #expect(try await outbox.database.status(id: new.message.id)?.advice == "done")
    }

    @Test("a retry that a relay accepts after a newer mail is replaced at once")
    func overtaken() async throws {
        try insert()
        let old = try await claim()
        try insert(at: noon + .seconds(1))
        let new = try await claim(at: noon + .seconds(1))
        try await accept(new, at: noon + .seconds(2))
        try await accept(old, at: noon + .seconds(3))
        #expect(try redeem(old, at: noon + .seconds(4)) == ["replaced"])
        #expect(try redeem(new, at: noon + .seconds(4)) == ["ok"])
    }

    @Test("five wrong codes end the code, never the link; the right one is redeemed like the link")
    func codes() async throws {
        let claim = try await mail()
        let code = try #require(claim.message.code).secret
        let wrong = String((Int(code) ?? 0) == 0 ? 1 : 0)
        #expect(try outbox.value(Int.self, "SELECT length(code_mac) FROM outbox_token") == 32)
        for _ in 1...5 { #expect(try redeem(claim, code: wrong) == ["wrong-code"]) }
        #expect(try redeem(claim, code: code) == ["too-many-tries"])
        #expect(try outbox.value(Int.self, "SELECT tries FROM outbox_token") == 5)
        #expect(try redeem(claim) == ["ok"])

        let other = try await mail(at: noon + .seconds(10))
        #expect(try redeem(other, code: wrong) == ["wrong-code"])
        #expect(try redeem(other, code: try #require(other.message.code).secret) == ["ok"])
        #expect(try outbox.value(Int.self, "SELECT count(presented) FROM outbox_token") == 0)
    }

    @Test("of one given token in two messages, one redemption succeeds")
    func twins() async throws {
        let token = String(repeating: "t", count: 30)
        let claims = [try await mail("verify-email", token: token), try await mail("verify-email", token: token)]
        #expect(try redeem(claims[1]).sorted() == ["ok", "replaced"])
        #expect(try redeem(claims[1]).sorted() == ["replaced", "used"])
    }

    @Test("of twenty redeemers at once exactly one succeeds, and of thirty wrong codes five are tried")
    func concurrent() async throws {
        let link = try await mail()
        let digest = try #require(TokenDigest.digest(of: link.message.token?.secret ?? ""))
        let other = try await mail("verify-email")
        let script = """
            import collections, sqlite3, sys, threading
            path, digest, message = sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3])
            results = []
            def run(sql, arguments):
                db = sqlite3.connect(path, timeout=60, isolation_level=None)
                db.execute("BEGIN IMMEDIATE")
                results.append(db.execute(sql, arguments).fetchone()[0])
                db.execute("COMMIT")
            def all_at_once(sql, arguments):
                results.clear()
                threads = [threading.Thread(target=run, args=(sql, a)) for a in arguments]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                print(sorted(collections.Counter(results).items()))
            all_at_once("UPDATE outbox_token SET presented_at = ?, presented = ? WHERE digest = ? "
                "RETURNING result", [(1800000000000, digest, digest)] * 20)
            all_at_once("UPDATE outbox_token SET presented_at = ?, presented = ? WHERE message_id = ? "
                "RETURNING result", [(1800000000000, bytes([n] * 32), message) for n in range(30)])
            """
        let hexadecimal = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let result = try await Program.python(script, [outbox.path, hexadecimal, String(other.message.id)])
        #expect(
            result.output == "[('ok', 1), ('used', 19)]\n[('too-many-tries', 25), ('wrong-code', 5)]\n",
            "\(result.errors)"
        )
    }
}

extension TemporaryOutbox {
    fileprivate func insertRow(kind: String, token: String?, validFor: Duration?) throws -> Int64 {
        try execute(
            "INSERT INTO outbox (kind, recipient, token, valid_for) VALUES (?, 'ann@example.com', ?, ?)",
            [kind, token, validFor.map { $0.components.seconds * 1000 }]
        )
        return try value(Int64.self, "SELECT max(id) FROM outbox") ?? 0
    }

    /// Redeems a link as docs/tokens.md says.
    fileprivate func redeem(link token: String, kind: String, at now: Timestamp) throws -> [String] {
        try returned(
            """
            UPDATE outbox_token SET presented_at = ?1, presented = ?2 WHERE digest = ?2 AND kind = ?3 RETURNING result
            """,
            [now.milliseconds, Data(TokenDigest.digest(ofAny: token)), kind]
        )
    }

    /// Redeems a code as docs/tokens.md says.
    fileprivate func redeem(proof: [UInt8], of id: Int64, at now: Timestamp) throws -> [String] {
        try returned(
            "UPDATE outbox_token SET presented_at = ?, presented = ? WHERE message_id = ? RETURNING result",
            [now.milliseconds, Data(proof), id]
        )
    }
}

extension Completion {
    /// The whole mail was transmitted, and the answer is missing.
    fileprivate static func uncertain(_ claim: Claim, until next: Timestamp, at: Timestamp) -> Completion {
        let failure = TransmissionFailure(
            stage: .finalDot,
            cause: .connectionLost,
            detail: "the relay closed the connection",
            isUncertain: true
        )
        let judged = JudgedFailure(failure: failure, verdict: FailurePolicy.verdict(for: failure), counts: true)
        return Completion(claim: claim, outcome: .deferred(judged, next: next), relay: "relay", finishedAt: at)
    }
}
