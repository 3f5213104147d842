// What an application does with the outbox, in its own transaction: enqueue, and ask for the status. Never sends a mail,
// never changes the schema.

public import Foundation
public import GRDB

/// The calls of an application, each on a connection of its own database.
///
/// `clients/python/outbox_client` has the same calls; a test runs both against one file.
public enum Outbox {
    /// Inserts one message.
    ///
    /// - Returns: its id; for a used idempotency key the earlier message's id, and nothing is inserted.
    /// - Throws: `DatabaseError` with the name of the rule that refuses a value, such as
    ///   `recipient_has_no_control_characters` (docs/sql-contract.md).
    @discardableResult
    public static func enqueue(_ mail: NewMail, in database: Database) throws -> Int64 {
        let variables = try mail.variables.map { String(decoding: try JSONEncoder().encode($0), as: UTF8.self) }
        let inserted: Int64?
        do {
            inserted = try Int64.fetchOne(
                database,
                sql: """
                    INSERT INTO outbox (kind, recipient, account, token, locale, time_zone, variables, idempotency_key,
                        not_before, expires_at, valid_for, priority)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (idempotency_key) DO NOTHING RETURNING id
                    """,
                arguments: [
                    mail.kind, mail.recipient, mail.account, mail.token, mail.locale, mail.timeZone, variables,
                    mail.idempotencyKey, mail.notBefore?.milliseconds, mail.expiresAt?.milliseconds,
                    mail.validFor?.milliseconds, mail.priority,
                ]
            )
        } catch let error as DatabaseError where error.message == "idempotency_key_was_used_before" {
            inserted = nil
        }
        if let inserted { return inserted }
        // A key stays known when its row is deleted.
        let earlier = try Int64.fetchOne(
            database,
            sql: """
                SELECT coalesce((SELECT id FROM outbox WHERE idempotency_key = ?1),
                    (SELECT message_id FROM outbox_used_key WHERE idempotency_key = ?1))
                """,
            arguments: [mail.idempotencyKey]
        )
        guard let earlier else {
            throw DatabaseError(resultCode: .SQLITE_INTERNAL, message: "only a used idempotency key inserts nothing")
        }
        return earlier
    }

    /// The messages of a person, newest first.
    ///
    /// - Parameter kind: only this kind; `nil` means every kind.
    public static func status(of person: Person, kind: String? = nil, in database: Database) throws -> [MailStatus] {
        try MailStatus.fetchAll(
            database,
            sql: """
                SELECT id, kind, recipient, account, state, requested_at, accepted_at, redeemed_at, advice, advice_at
                FROM outbox_status WHERE \(person.column) = ?1 AND (?2 IS NULL OR kind = ?2)
                ORDER BY requested_at DESC, id DESC
                """,
            arguments: [person.value, kind]
        )
    }

    /// The message with this id; `nil` where there is none.
    public static func status(of id: Int64, in database: Database) throws -> MailStatus? {
        try MailStatus.fetchOne(
            database,
            sql: """
                SELECT id, kind, recipient, account, state, requested_at, accepted_at, redeemed_at, advice, advice_at
                FROM outbox_status WHERE id = ?
                """,
            arguments: [id]
        )
    }
}

/// One mail to one person.
public struct NewMail: Sendable {
    /// The name of a folder of templates, such as `reset-password`.
    public var kind: String
    /// The address to mail, without a display name.
    public var recipient: String
    /// The application's own key for the person, 1 to 255 octets.
    public var account: String?
    /// The secret in the mail's link; `nil` lets outboxd mint one when it sends the mail.
    public var token: String?
    /// A language tag, such as `ja`.
    public var locale: String?
    /// The name of the person's time zone, such as `Europe/Berlin` (IANA), for the times in the mail.
    public var timeZone: String?
    /// Further values for the templates.
    public var variables: [String: String]?
    /// Makes the call repeatable, 1 to 255 octets.
    public var idempotencyKey: String?
    /// The mail is not sent before this time.
    public var notBefore: Date?
    /// The token stops working, and the mail is not sent after this time.
    public var expiresAt: Date?
    /// How long the token works from the sending on: 1 minute to 366 days, not together with `expiresAt`.
    public var validFor: Duration?
    /// From -9 to 9; higher priorities are sent first.
    public var priority = 0

    /// A mail with the schema's defaults.
    public init(kind: String, recipient: String, account: String? = nil) {
        self.kind = kind
        self.recipient = recipient
        self.account = account
    }
}

/// Whose mails are meant.
public enum Person: Sendable, Hashable {
    /// The application's own key for the person.
    case account(String)
    /// The address; the case of ASCII letters doesn't matter.
    case recipient(String)

    var column: String {
        switch self {
        case .account: "account"
        case .recipient: "recipient"
        }
    }

    var value: String {
        switch self {
        case .account(let value), .recipient(let value): value
        }
    }
}

/// One row of the view `outbox_status`.
public struct MailStatus: Sendable, Hashable, FetchableRecord {
    /// The message's id.
    public let id: Int64
    /// Which mail it is.
    public let kind: String
    /// The address that is mailed.
    public let recipient: String
    /// The application's own key for the person.
    public let account: String?
    /// The message's state (docs/sql-contract.md).
    public let state: String
    /// When the application inserted it.
    public let requestedAt: Date
    /// When a relay took responsibility.
    public let acceptedAt: Date?
    /// When its link or its code was used.
    public let redeemedAt: Date?
    /// What the person should do, in the order in which to do it.
    public let advice: [MailAdvice]
    /// For `wait`, when the waiting ends; for other advice, since when it applies.
    public let adviceAt: Date?

    /// Reads a row with the columns of the same names.
    public init(row: Row) throws {
        id = row["id"]
        kind = row["kind"]
        recipient = row["recipient"]
        account = row["account"]
        state = row["state"]
        requestedAt = Date(milliseconds: row["requested_at"])
        acceptedAt = (row["accepted_at"] as Int64?).map(Date.init(milliseconds:))
        redeemedAt = (row["redeemed_at"] as Int64?).map(Date.init(milliseconds:))
        advice = (row["advice"] as String).split(separator: ",").map { MailAdvice(rawValue: String($0)) ?? .wait }
        adviceAt = (row["advice_at"] as Int64?).map(Date.init(milliseconds:))
    }
}

/// One thing that a person who waits for a mail should do (docs/advice.md). Later versions may add codes; an unknown code
/// reads as `wait`.
public enum MailAdvice: String, Sendable, CaseIterable {
    case done, wait, resend
    case deliveryDelayed = "delivery-delayed"
    case checkJunk = "check-junk"
    case requestNew = "request-new"
    case fixAddress = "fix-address"
    case contactSupport = "contact-support"
}

extension Date {
    init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }

    var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
