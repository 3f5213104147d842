// What browsers ask for: the mails of forms. Never tells a browser whether an address has an account.

import Foundation
import GRDB
import OutboxClient

/// A row of `portal_request`.
struct MailRequest: Sendable, FetchableRecord {
    let id: Int64
    let kind: String
    let address: String
    let language: Language
    let messageID: Int64?
    let requestedAt: Date

    init(row: Row) throws {
        id = row["id"]
        kind = row["kind"]
        address = row["address"]
        language = Language(rawValue: row["locale"]) ?? .english
        messageID = row["message_id"]
        requestedAt = Date(milliseconds: row["requested_at"])
    }
}

/// Who asks, and from where.
struct Asking: Sendable {
    let browser: Secret
    let network: String
    let language: Language
}

extension Accounts {
    /// How a form that causes a mail ended.
    enum Request: Sendable {
        case taken
        case tooMany(ThrottleRule)
        /// The outbox can't mail such an address; the name of its rule.
        case refused(String)
    }

    /// How long a browser sees the state of its mails, and may use their links without the code.
    private static let requestHours: Int64 = 24

    /// Signs up, or mails the owner of an account that exists. The browser can't tell one from the other.
    func signUp(address: String, password hash: String, _ asking: Asking) async throws -> Request {
        try await refusing { database in
            let now = Date().milliseconds
            if let rule = try countMail(to: address, asking, in: database, at: now) { return .tooMany(rule) }
            let message: Int64
            if let user = try User.find(address: address, in: database), user.isVerified {
                message = try enqueue(.alreadyRegistered, to: user, language: user.language, in: database)
            } else {
                // An account whose address nobody has confirmed belongs to nobody: the newest sign-up counts.
                try database.execute(
                    sql: """
                        INSERT INTO portal_user (address, password, locale, created_at) VALUES (?, ?, ?, ?)
                        ON CONFLICT (address) DO UPDATE SET password = excluded.password, locale = excluded.locale
                        """,
                    arguments: [address, hash, asking.language.rawValue, now]
                )
                guard let user = try User.find(address: address, in: database) else { return .taken }
                try endSessions(of: user, in: database)
                message = try enqueue(.verifyEmail, to: user, language: asking.language, in: database)
            }
            try insertRequest(.verifyEmail, address: address, message: message, asking, in: database, at: now)
            return .taken
        }
    }

    /// Mails the link again to a user who has signed in.
    func resendVerification(to user: User, _ asking: Asking) async throws -> Request {
        try await refusing { database in
            let now = Date().milliseconds
            if let rule = try countMail(to: user.address, asking, in: database, at: now) { return .tooMany(rule) }
            guard let user = try User.find(account: user.account, in: database), !user.isVerified else { return .taken }
            let message = try enqueue(.verifyEmail, to: user, language: asking.language, in: database)
            try insertRequest(.verifyEmail, address: user.address, message: message, asking, in: database, at: now)
            return .taken
        }
    }

    /// Notes that somebody forgot a password. The same work for every address: whether it has an account is looked up only
    /// afterwards, by `carryOutRequests`, so the answer's time can't tell.
    func forgotPassword(address: String, _ asking: Asking) async throws -> Request {
        try await refusing { database in
            let now = Date().milliseconds
            if let rule = try countMail(to: address, asking, in: database, at: now) { return .tooMany(rule) }
            try insertRequest(.resetPassword, address: address, message: nil, asking, in: database, at: now)
            return .taken
        }
    }

    /// Mails the links that were asked for. Requests are in the database, so none is lost when the portal stops.
    func carryOutRequests() async throws {
        try await database.write { database in
            let requests = try MailRequest.fetchAll(
                database,
                sql: "SELECT * FROM portal_request WHERE is_open = 1 ORDER BY id LIMIT 100"
            )
            for request in requests {
                var message: Int64?
                if let user = try User.find(address: request.address, in: database) {
                    message = try enqueue(.resetPassword, to: user, language: request.language, in: database)
                }
                try database.execute(
                    sql: "UPDATE portal_request SET is_open = 0, message_id = ? WHERE id = ?",
                    arguments: [message, request.id]
                )
            }
        }
    }

    /// The requests of this browser for a kind, newest first, and how the newest one's mail fares.
    func requests(of browser: Secret, kind: MailKind) async throws -> (requests: [MailRequest], status: MailStatus?) {
        try await database.read { database in
            let requests = try MailRequest.fetchAll(
                database,
                sql: """
                    SELECT * FROM portal_request WHERE browser = ? AND kind = ? AND requested_at > ?
                    ORDER BY requested_at DESC, id DESC LIMIT 100
                    """,
                arguments: [browser.digest, kind.rawValue, Date().milliseconds - Self.requestHours * 3_600_000]
            )
            let status = try requests.first?.messageID.flatMap { try Outbox.status(of: $0, in: database) }
            return (requests, status)
        }
    }

    /// Whether this browser asked for mail to the address lately.
    func knows(_ browser: Secret, address: String, kind: MailKind? = nil, in database: Database) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM portal_request
                    WHERE browser = ?1 AND address = ?2 AND (?3 IS NULL OR kind = ?3) AND requested_at > ?4)
                """,
            arguments: [
                browser.digest, address, kind?.rawValue, Date().milliseconds - Self.requestHours * 3_600_000,
            ]
        ) ?? false
    }

    @discardableResult
    func enqueue(_ kind: MailKind, to user: User, language: Language, in database: Database) throws -> Int64 {
        var mail = NewMail(kind: kind.rawValue, recipient: user.address, account: user.account)
        mail.locale = language.rawValue
        mail.validFor = kind.lifetime
        return try Outbox.enqueue(mail, in: database)
    }

    func countMail(
        to address: String,
        _ asking: Asking,
        in database: Database,
        at now: Int64
    ) throws -> ThrottleRule? {
        try throttle.count(
            [
                (.mailsFromNetwork, asking.network), (.mailsToDomain, Throttle.domain(of: address)),
                (.mailsToAddress, address),
            ],
            in: database,
            at: now
        )
    }

    private func insertRequest(
        _ kind: MailKind,
        address: String,
        message: Int64?,
        _ asking: Asking,
        in database: Database,
        at now: Int64
    ) throws {
        try database.execute(
            sql: "DELETE FROM portal_request WHERE requested_at <= ?",
            arguments: [now - Self.requestHours * 3_600_000]
        )
        try database.execute(
            sql: """
                INSERT INTO portal_request (browser, kind, address, locale, message_id, is_open, requested_at)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                asking.browser.digest, kind.rawValue, address, asking.language.rawValue, message, message == nil, now,
            ]
        )
    }

    /// Runs one transaction. A rule of the outbox that refuses the address becomes a value.
    private func refusing(_ work: @escaping @Sendable (Database) throws -> Request) async throws -> Request {
        do {
            return try await database.write(work)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            return .refused(error.message ?? "recipient")
        }
    }
}
