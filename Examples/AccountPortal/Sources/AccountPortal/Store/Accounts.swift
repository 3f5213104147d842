// Users and sessions, each change in one transaction together with the mails that it causes. Never sees a password, only
// its hash, and knows nothing of pages.

import Foundation
import GRDB
import OutboxClient

/// The kinds of mail that the portal sends.
enum MailKind: String, Sendable {
    case verifyEmail = "verify-email"
    case resetPassword = "reset-password"
    case passwordChanged = "password-changed"
    case alreadyRegistered = "already-registered"
    case inviteUser = "invite-user"

    /// How long the link works, from the sending on.
    var lifetime: Duration? {
        switch self {
        case .verifyEmail: .seconds(24 * 3600)
        case .resetPassword: .seconds(30 * 60)
        case .passwordChanged, .alreadyRegistered, .inviteUser: nil
        }
    }
}

/// A row of `portal_user`.
struct User: Sendable, FetchableRecord {
    let id: Int64
    let address: String
    let password: String?
    let language: Language
    let hasFullAccess: Bool
    let verifiedAt: Date?

    init(row: Row) throws {
        id = row["id"]
        address = row["address"]
        password = row["password"]
        language = Language(rawValue: row["locale"]) ?? .english
        hasFullAccess = row["has_full_access"]
        verifiedAt = (row["verified_at"] as Int64?).map { Date(milliseconds: $0) }
    }

    /// The name of the user in the outbox.
    var account: String { String(id) }
    var isVerified: Bool { verifiedAt != nil }
    /// May invite and remove users. Full Access alone is not enough: anybody can invite an address.
    var isAdministrator: Bool { hasFullAccess && isVerified }

    static func find(address: String, in database: Database) throws -> User? {
        try User.fetchOne(database, sql: "SELECT * FROM portal_user WHERE address = ?", arguments: [address])
    }

    /// - Parameter account: what the outbox calls the user.
    static func find(account: String?, in database: Database) throws -> User? {
        guard let id = account.flatMap(Int64.init) else { return nil }
        return try User.fetchOne(database, sql: "SELECT * FROM portal_user WHERE id = ?", arguments: [id])
    }
}

/// The portal's part of the database.
struct Accounts: Sendable {
    /// How long a session lasts.
    static let sessionHours: Int64 = 12

    let database: DatabasePool
    let throttle: Throttle
    let checkKeys: [CheckKey]

    /// The user of a session; `nil` if it has ended.
    func user(ofSession session: Secret?) async throws -> User? {
        guard let session else { return nil }
        return try await database.read { database in
            try User.fetchOne(
                database,
                sql: """
                    SELECT portal_user.* FROM portal_session JOIN portal_user ON portal_user.id = user_id
                    WHERE digest = ? AND expires_at > ?
                    """,
                arguments: [session.digest, Date().milliseconds]
            )
        }
    }

    /// The user with this address.
    func user(address: String) async throws -> User? {
        try await database.read { try User.find(address: address, in: $0) }
    }

    /// Ends a session.
    func signOut(_ session: Secret) async throws {
        try await database.write { database in
            try database.execute(sql: "DELETE FROM portal_session WHERE digest = ?", arguments: [session.digest])
        }
    }

    /// How signing in ended.
    enum SignIn: Sendable {
        case signedIn(Secret, verification: Redemption.Result?)
        /// The password or the account has changed since it was compared.
        case changed
    }

    /// Begins a session for a user whose password was right, and completes the verification if the browser came with the
    /// link of the mail to this user.
    func signIn(_ user: User, verification token: String?, replacing old: Secret?) async throws -> SignIn {
        try await database.write { database in
            guard let current = try User.find(account: user.account, in: database), current.password == user.password
            else { return .changed }
            var result: Redemption.Result?
            if let token {
                result = try verify(current, token: token, in: database)
            }
            if let old {
                try database.execute(sql: "DELETE FROM portal_session WHERE digest = ?", arguments: [old.digest])
            }
            return .signedIn(try beginSession(of: current, in: database), verification: result)
        }
    }

    /// Redeems the link of a verification mail, if it was for this user: nobody uses up another person's.
    private func verify(_ user: User, token: String, in database: Database) throws -> Redemption.Result {
        let kind = MailKind.verifyEmail.rawValue
        guard try Outbox.look(kind: kind, token: token, in: database).account == user.account else { return .unknown }
        let redemption = try Outbox.redeem(kind: kind, token: token, in: database)
        if redemption.isOK { try markVerified(user, in: database) }
        return redemption.result
    }

    /// Redeems the code of a verification mail.
    func verify(_ user: User, code: String, session: Secret) async throws -> Redemption.Result {
        try await offThreads {
            try Outbox.redeemCode(
                kind: MailKind.verifyEmail.rawValue,
                code: code,
                of: .account(user.account),
                keys: checkKeys,
                in: database
            ) { database, _ in
                try markVerified(user, keeping: session, in: database)
            }.result
        }
    }

    /// The account belongs to whoever reads its mail from now on: sessions that somebody else began end. The first one who
    /// is verified gets Full Access, so that there is somebody who can give it.
    ///
    /// - Parameter kept: the session of the person who proved it.
    func markVerified(_ user: User, keeping kept: Secret? = nil, in database: Database) throws {
        try database.execute(
            sql: """
                UPDATE portal_user SET verified_at = ?1,
                    has_full_access = has_full_access
                        OR NOT EXISTS (SELECT 1 FROM portal_user WHERE has_full_access = 1 AND verified_at IS NOT NULL)
                WHERE id = ?2 AND verified_at IS NULL
                """,
            arguments: [Date().milliseconds, user.id]
        )
        guard database.changesCount > 0 else { return }
        try endSessions(of: user, keeping: kept, in: database)
        try audit("verified", by: user.address, in: database)
    }

    func beginSession(of user: User, in database: Database) throws -> Secret {
        let session = Secret()
        let now = Date().milliseconds
        try database.execute(sql: "DELETE FROM portal_session WHERE expires_at <= ?", arguments: [now])
        try database.execute(
            sql: "INSERT INTO portal_session (digest, user_id, expires_at) VALUES (?, ?, ?)",
            arguments: [session.digest, user.id, now + Self.sessionHours * 3_600_000]
        )
        return session
    }

    func endSessions(of user: User, keeping kept: Secret? = nil, in database: Database) throws {
        try database.execute(
            sql: "DELETE FROM portal_session WHERE user_id = ? AND digest IS NOT ?",
            arguments: [user.id, kept?.digest]
        )
    }

    func audit(_ action: String, by actor: String, about subject: String = "", in database: Database) throws {
        try database.execute(
            sql: "INSERT INTO portal_audit (at, actor, action, subject) VALUES (?, ?, ?, ?)",
            arguments: [Date().milliseconds, actor, action, subject]
        )
    }

    /// Runs a call that blocks on the database where it may block.
    func offThreads<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result(catching: work)) }
        }
    }
}

extension Date {
    init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }

    var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }
}
