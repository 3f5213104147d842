// Sets a new password with the link or the code of a mail: the redemption, the password, the end of all sessions and the
// notice are one transaction.

import Foundation
import GRDB
import OutboxClient

extension Accounts {
    /// What the page of the link shows.
    struct Link: Sendable {
        let result: Redemption.Result
        let address: String?
        /// The browser that asked opened the link. Any other one, also a scanner's, must send the code, too.
        let isFromAskingBrowser: Bool
    }

    /// How a new password was taken.
    struct NewPassword: Sendable {
        let result: Redemption.Result
        /// The session that begins; `nil` unless the password was stored.
        let session: Secret?
    }

    /// Looks at a link of a reset mail. Changes nothing.
    func look(token: String, browser: Secret) async throws -> Link {
        try await database.read { try look(token: token, browser: browser, in: $0) }
    }

    /// Redeems the link of a reset mail, and the code too unless the browser asked for the mail.
    func setPassword(_ hash: String, token: String, code: String, browser: Secret) async throws -> NewPassword {
        let link = try await look(token: token, browser: browser)
        guard link.result == .ok else { return NewPassword(result: link.result, session: nil) }
        guard link.isFromAskingBrowser else {
            guard let address = link.address else { return NewPassword(result: .unknown, session: nil) }
            return try await setPassword(hash, address: address, code: code)
        }
        return try await database.write { database in
            let redemption = try Outbox.redeem(kind: MailKind.resetPassword.rawValue, token: token, in: database)
            return try store(hash, redemption, in: database)
        }
    }

    /// Redeems the code of the newest reset mail to the address.
    func setPassword(_ hash: String, address: String, code: String) async throws -> NewPassword {
        try await offThreads {
            var session: Secret?
            let redemption = try Outbox.redeemCode(
                kind: MailKind.resetPassword.rawValue,
                code: code,
                of: .recipient(address),
                keys: checkKeys,
                in: database
            ) { database, redemption in
                session = try store(hash, redemption, in: database).session
            }
            return NewPassword(result: redemption.result, session: session)
        }
    }

    private func look(token: String, browser: Secret, in database: Database) throws -> Link {
        let link = try Outbox.look(kind: MailKind.resetPassword.rawValue, token: token, in: database)
        // The mail's own request counts: not any request of the address, and not one of another browser.
        let asked = try link.messageID.map { message in
            try Bool.fetchOne(
                database,
                sql: "SELECT EXISTS (SELECT 1 FROM portal_request WHERE browser = ? AND message_id = ?)",
                arguments: [browser.digest, message]
            ) ?? false
        }
        return Link(result: link.result, address: link.recipient, isFromAskingBrowser: asked ?? false)
    }

    private func store(_ hash: String, _ redemption: Redemption, in database: Database) throws -> NewPassword {
        guard redemption.isOK else { return NewPassword(result: redemption.result, session: nil) }
        // An account that was removed meanwhile has no link any more.
        guard let user = try User.find(account: redemption.account, in: database) else {
            return NewPassword(result: .unknown, session: nil)
        }
        try database.execute(
            sql: "UPDATE portal_user SET password = ? WHERE id = ?",
            arguments: [hash, user.id]
        )
        // Whoever has the mail's link or code reads the mails of the address.
        try markVerified(user, in: database)
        try endSessions(of: user, in: database)
        try enqueue(.passwordChanged, to: user, language: user.language, in: database)
        try audit("password changed", by: user.address, in: database)
        return NewPassword(result: .ok, session: try beginSession(of: user, in: database))
    }
}
