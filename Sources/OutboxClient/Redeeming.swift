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
                ORDER BY result = 'ok' DESC, sequence DESC LIMIT 1
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
        let rows = try Row.fetchAll(
            database,
            sql: """
                UPDATE outbox_token SET presented_at = ?, presented_code = NULL WHERE digest = ? AND kind = ?
                RETURNING result, message_id, sequence
                """,
            arguments: [now.milliseconds, TokenDigest.ofPresented(token), kind]
        )
        return try redemption(rows, in: database)
    }

    /// Redeems the code that a person typed, for the newest mail of the kind to that person, in a transaction of its own:
    /// a wrong try counts even if the caller fails afterwards.
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
            return Redemption(result: .wrongCode, messageID: nil, account: nil, recipient: nil)
        }
        return try writer.write { database in
            let redemption = try redeem(kind: kind, digits: digits, of: person, keys: keys, in: database, now: now)
            if redemption.isOK { try body(database, redemption) }
            return redemption
        }
    }

    /// People copy full-width digits, spaces and hyphens. Only eight digits count as a try.
    private static func digits(in code: String) -> String? {
        let digits = code.precomposedStringWithCompatibilityMapping.filter { !$0.isWhitespace && $0 != "-" }
        let isCode = digits.utf8.count == TokenKey.codeDigits && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
        return isCode ? digits : nil
    }

    private static func redeem(
        kind: String,
        digits: String,
        of person: Person,
        keys: [CheckKey],
        in database: Database,
        now: Date
    ) throws -> Redemption {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT message_id, envelope_id, key_id FROM outbox_token_status
                WHERE kind = ? AND \(person.column) = ? ORDER BY result = 'ok' DESC, sequence DESC LIMIT 1
                """,
            arguments: [kind, person.value]
        )
        guard let row else { return .unknown }
        let keyID: String? = row["key_id"]
        let key = keys.first { $0.key.id == keyID }?.key
        if let keyID, key == nil { throw MissingCheckKey(id: keyID) }
        let proof = key?.mac(of: digits, envelopeID: row["envelope_id"]) ?? []
        let rows = try Row.fetchAll(
            database,
            sql: """
                UPDATE outbox_token SET presented_at = ?, presented_code = ? WHERE message_id = ?
                RETURNING result, message_id, sequence
                """,
            arguments: [now.milliseconds, Data(proof), row["message_id"] as Int64]
        )
        return try redemption(rows, in: database)
    }

    /// An application may mail one token twice: one that succeeds counts, else the newest.
    private static func redemption(_ rows: [Row], in database: Database) throws -> Redemption {
        let chosen = rows.max { one, other in
            let (oneIsOK, otherIsOK) = (one["result"] == "ok", other["result"] == "ok")
            let (sequence, otherSequence): (Int64, Int64) = (one["sequence"], other["sequence"])
            return oneIsOK == otherIsOK ? sequence < otherSequence : otherIsOK
        }
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
