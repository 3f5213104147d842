// What somebody with Full Access does with other users. Never leaves the portal without a user who has Full Access.

import Foundation
import GRDB
import OutboxClient

/// A row of `portal_audit`.
struct AuditEntry: Sendable, FetchableRecord {
    let at: Date
    let actor: String
    let action: String
    let subject: String

    init(row: Row) throws {
        at = Date(milliseconds: row["at"])
        actor = row["actor"]
        action = row["action"]
        subject = row["subject"]
    }
}

extension Accounts {
    /// How a change of a user ended.
    enum UserChange: Sendable {
        case done
        /// The one who asked has no Full Access any more.
        case forbidden
        /// There is no such user, or for an invitation there is one.
        case noSuchUser, isUser
        /// Nobody would be left who can give Full Access.
        case isLastOne
        case tooMany
        /// The outbox can't mail such an address.
        case refused
    }

    /// All users, and what was done lately.
    func users() async throws -> (users: [User], audit: [AuditEntry]) {
        try await database.read { database in
            (
                try User.fetchAll(database, sql: "SELECT * FROM portal_user ORDER BY address"),
                try AuditEntry.fetchAll(database, sql: "SELECT * FROM portal_audit ORDER BY id DESC LIMIT 50")
            )
        }
    }

    /// Makes an account without a password, and mails its owner.
    func invite(_ address: String, by actor: User, _ asking: Asking) async throws -> UserChange {
        do {
            return try await change(by: actor) { database in
                if let user = try User.find(address: address, in: database), user.isVerified { return .isUser }
                let now = Date().milliseconds
                guard try countMail(to: address, asking, in: database, at: now) == nil else { return .tooMany }
                try database.execute(
                    sql: """
                        INSERT INTO portal_user (address, locale, created_at) VALUES (?, ?, ?)
                        ON CONFLICT (address) DO NOTHING
                        """,
                    arguments: [address, asking.language.rawValue, now]
                )
                guard let user = try User.find(address: address, in: database) else { return .noSuchUser }
                try enqueue(.inviteUser, to: user, language: asking.language, in: database)
                try audit("invited", by: actor.address, about: address, in: database)
                return .done
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CONSTRAINT {
            return .refused
        }
    }

    /// Gives or takes Full Access.
    func setFullAccess(_ hasFullAccess: Bool, of account: String, by actor: User) async throws -> UserChange {
        try await change(by: actor) { database in
            guard let user = try User.find(account: account, in: database) else { return .noSuchUser }
            guard try hasFullAccess || hasOtherAdministrator(than: user, in: database) else { return .isLastOne }
            try database.execute(
                sql: "UPDATE portal_user SET has_full_access = ? WHERE id = ?",
                arguments: [hasFullAccess, user.id]
            )
            let action = hasFullAccess ? "gave Full Access" : "took Full Access"
            try audit(action, by: actor.address, about: user.address, in: database)
            return .done
        }
    }

    /// Removes a user: sessions and links end with the account, and mails that wait are cancelled.
    func remove(_ account: String, by actor: User) async throws -> UserChange {
        try await change(by: actor) { database in
            guard let user = try User.find(account: account, in: database) else { return .noSuchUser }
            guard try hasOtherAdministrator(than: user, in: database) else { return .isLastOne }
            try endSessions(of: user, in: database)
            try database.execute(sql: "DELETE FROM portal_user WHERE id = ?", arguments: [user.id])
            try database.execute(sql: "UPDATE outbox SET cancelled = 1 WHERE account = ?", arguments: [user.account])
            try audit("removed", by: actor.address, about: user.address, in: database)
            return .done
        }
    }

    /// Who may change users is read in the transaction of the change: two administrators can't remove each other at once.
    private func change(
        by actor: User,
        _ work: @escaping @Sendable (Database) throws -> UserChange
    ) async throws -> UserChange {
        try await database.write { database in
            guard let current = try User.find(account: actor.account, in: database), current.isAdministrator else {
                return .forbidden
            }
            return try work(database)
        }
    }

    /// Somebody who never signed in can't give Full Access, so only verified users count.
    private func hasOtherAdministrator(than user: User, in database: Database) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM portal_user
                    WHERE id <> ? AND has_full_access = 1 AND verified_at IS NOT NULL AND password IS NOT NULL)
                """,
            arguments: [user.id]
        ) ?? false
    }
}
