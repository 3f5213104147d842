// Redeems links and codes in an application's own transaction. Never stores a token or a code.

public import Foundation
public import GRDB
import OutboxTokens

/// What became of a token or a code. A refusal is a value, never an error: an error would undo the count of a wrong code.
public struct Redemption: Sendable, Hashable {
    /// The result of a redemption.
    public enum Result: String, Sendable, CaseIterable {
        case ok
        /// It was redeemed before. For a verification, look whether the person is verified, and say "already done".
        case used
        /// A newer mail of the kind was handed over to the person, or another one was redeemed.
        case replaced
        case expired
        /// No message has it.
        case unknown
        /// Not the code of the person's mail.
        case wrongCode = "wrong-code"
        /// Five wrong codes ended the code. The link of the mail still works.
        case tooManyTries = "too-many-tries"
    }

    /// The result.
    public let result: Result
    /// The message; `nil` for an unknown token.
    public let messageID: Int64?
    /// The account of the message's row.
    public let account: String?
    /// The address that was mailed.
    public let recipient: String?

    /// Whether the person may go on.
    public var isOK: Bool { result == .ok }

    static let unknown = Redemption(result: .unknown, messageID: nil, account: nil, recipient: nil)
    static let wrongCode = Redemption(result: .wrongCode, messageID: nil, account: nil, recipient: nil)
}

/// The check key that belongs to a code is not among the given ones.
public struct MissingCheckKey: Error, CustomStringConvertible {
    /// The key's id.
    public let id: String

    /// The problem, with the key's id.
    public var description: String { "the check key \(id) is missing; outboxctl new-key wrote it beside the token key" }
}

/// Proves codes that people type. `outboxctl new-key --check-key FILE` makes the file.
public struct CheckKey: Sendable, CustomStringConvertible {
    let key: OutboxTokens.CheckKey

    /// Reads the text of the file: 32 octets as base64.
    ///
    /// - Throws: an error that never contains the text.
    public init(base64 text: String) throws { key = try OutboxTokens.CheckKey(base64: text) }

    /// The key's id, never the key.
    public var description: String { key.description }
}

extension Outbox {
    /// What redeeming the token would say, for a page that only shows a form. Changes nothing.
    public static func look(kind: String, token: String, in database: Database) throws -> Redemption {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT result, message_id, account, recipient FROM outbox_token_status WHERE digest = ? AND kind = ?
                ORDER BY result = 'ok' DESC, result = 'used' DESC, sequence DESC LIMIT 1
                """,
            arguments: [TokenDigest.ofPresented(token), kind]
        )
        return try row.map(Redemption.init(row:)) ?? .unknown
    }

    /// Redeems the token of a link. Do it where the form is sent, never where the link is opened: scanners open links.
    ///
    /// Commit in any case. GRDB's `write` begins with the write lock, as redeeming needs it.
    public static func redeem(
        kind: String,
        token: String,
        in database: Database,
        now: Date = Date()
    ) throws -> Redemption {
        let digest = TokenDigest.ofPresented(token)
        let rows = try Row.fetchAll(
            database,
            sql: """
                UPDATE outbox_token SET presented_at = ?, presented = ? WHERE digest = ? AND kind = ?
                RETURNING result, message_id, sequence
                """,
            arguments: [now.milliseconds, digest, digest, kind]
        )
        return try redemption(rows, in: database)
    }

    /// Redeems the code that a person typed, from one of the newest mails of the kind to that person, in a transaction of
    /// its own: a wrong try counts even if the caller fails afterwards.
    ///
    /// - Parameters:
    ///   - keys: the check keys; the one that belongs to the mail is used.
    ///   - body: runs in the transaction if the code is right. If it throws, the code stays unused.
    /// - Throws: `MissingCheckKey`; errors of the database and of `body`.
    public static func redeemCode(
        kind: String,
        code: String,
        of person: Person,
        keys: [CheckKey],
        in writer: any DatabaseWriter,
        now: Date = Date(),
        then body: (Database, Redemption) throws -> Void = { _, _ in }
    ) throws -> Redemption {
        guard let digits = digits(in: code) else {
            return .wrongCode
        }
        return try writer.write { database in
            let redemption = try redeem(kind: kind, digits: digits, of: person, keys: keys, in: database, now: now)
            if redemption.isOK { try body(database, redemption) }
            return redemption
        }
    }

    /// People copy full-width digits, spaces and dashes. Only eight digits count as a try.
    private static func digits(in code: String) -> String? {
        let digits = String(
            String.UnicodeScalarView(
                code.precomposedStringWithCompatibilityMapping.unicodeScalars.filter { scalar in
                    let isDash = scalar.properties.generalCategory == .dashPunctuation || scalar == "\u{2212}"
                    return !scalar.properties.isWhitespace && !isDash
                }
            )
        )
        let isCode = digits.utf8.count == TokenKey.codeDigits && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
        return isCode ? digits : nil
    }

    /// Tries the newest mails: the newest one may not have arrived yet. A wrong code counts for each.
    private static func redeem(
        kind: String,
        digits: String,
        of person: Person,
        keys: [CheckKey],
        in database: Database,
        now: Date
    ) throws -> Redemption {
        guard let name = try name(of: person, kind: kind, in: database) else { return .wrongCode }
        let candidates = try Row.fetchAll(
            database,
            sql: """
                SELECT message_id, envelope_id, key_id FROM outbox_token_status
                WHERE person = ? AND kind = ? AND code_mac IS NOT NULL ORDER BY sequence DESC LIMIT 5
                """,
            arguments: [name, kind]
        )
        let known = Dictionary(keys.map { ($0.key.id, $0.key) }, uniquingKeysWith: { first, _ in first })
        if let newest = candidates.first, candidates.allSatisfy({ known[$0["key_id"]] == nil }) {
            throw MissingCheckKey(id: newest["key_id"])
        }
        var refusal: Redemption?
        for candidate in candidates {
            // After a change of keys, an older mail may need one that the application does not keep any more.
            guard let key = known[candidate["key_id"]] else { continue }
            let proof = key.mac(of: digits, envelopeID: candidate["envelope_id"])
            let rows = try Row.fetchAll(
                database,
                sql: """
                    UPDATE outbox_token SET presented_at = ?, presented = ? WHERE message_id = ?
                    RETURNING result, message_id, sequence
                    """,
                arguments: [now.milliseconds, Data(proof), candidate["message_id"] as Int64]
            )
            let found = try redemption(rows, in: database)
            switch found.result {
            case .wrongCode, .tooManyTries: refusal = refusal ?? found
            case .ok, .used, .replaced, .expired, .unknown: return found
            }
        }
        return refusal ?? .wrongCode
    }

    /// The person as `outbox_token` names it: `account:` and the account, or `address:` and the address.
    private static func name(of person: Person, kind: String, in database: Database) throws -> String? {
        switch person {
        case .account(let account): "account:\(account)"
        case .recipient(let recipient):
            try String.fetchOne(
                database,
                sql: """
                    SELECT state.person FROM outbox AS message JOIN outbox_state AS state ON state.message_id = message.id
                    WHERE message.recipient = ? COLLATE NOCASE AND message.kind = ? ORDER BY message.id DESC LIMIT 1
                    """,
                arguments: [recipient, kind]
            )
        }
    }

    /// An application may mail one token twice: one that succeeds or succeeded counts, else the newest.
    private static func redemption(_ rows: [Row], in database: Database) throws -> Redemption {
        func rank(_ row: Row) -> (Int, Int64) {
            let result: String = row["result"]
            return (result == "ok" ? 2 : result == "used" ? 1 : 0, row["sequence"])
        }
        let chosen = rows.max { rank($0) < rank($1) }
        guard let chosen else { return .unknown }
        let row = try Row.fetchOne(
            database,
            sql: "SELECT ?1 AS result, id AS message_id, account, recipient FROM outbox WHERE id = ?2",
            arguments: [chosen["result"] as String, chosen["message_id"] as Int64]
        )
        return try row.map(Redemption.init(row:)) ?? .unknown
    }
}

extension Redemption {
    /// - Throws: `DatabaseError` for a result that this version does not know.
    fileprivate init(row: Row) throws {
        let text: String = row["result"]
        guard let result = Result(rawValue: text) else {
            throw DatabaseError(resultCode: .SQLITE_MISMATCH, message: "unknown result of a redemption: \(text)")
        }
        self.init(result: result, messageID: row["message_id"], account: row["account"], recipient: row["recipient"])
    }
}

extension TokenDigest {
    /// The digest to look for. A short token has none in the database, and is looked for all the same.
    fileprivate static func ofPresented(_ token: String) -> Data { Data(digest(ofAny: token)) }
}
