// Inserts messages as an application would. Never sets a column outside the contract.

import GRDB
package import OutboxCore

/// The columns that an application writes to have one mail sent. `nil` stands for the schema's default.
package struct NewMessage: Sendable {
    /// The name of a folder of templates.
    package var kind: String
    /// The address to mail.
    package var recipient: String
    /// The secret in the mail's link; `nil` lets outboxd mint one.
    package var token: Token?
    /// A language tag, such as `ja`.
    package var locale: String?
    /// The name of the person's time zone (IANA), such as `Europe/Berlin`.
    package var timeZone: String?
    /// The application's own key for the person.
    package var account: String?
    /// The text of a JSON object with further values for the templates.
    package var variables: String
    /// Lets the application repeat the insert: a second insert with the same key adds nothing.
    package var idempotencyKey: String?
    /// The mail is not sent before this moment.
    package var notBefore: Timestamp?
    /// The token stops working, and the mail is not sent after this moment.
    package var expiresAt: Timestamp?
    /// How long the token works from the attempt on that hands the mail over, 1 minute to 366 days; not together with
    /// `expiresAt`.
    package var validFor: Duration?
    /// From -9 to 9; higher priorities are sent first.
    package var priority: Int

    /// Creates a message to insert.
    package init(
        kind: String,
        recipient: String,
        token: Token? = nil,
        locale: String? = nil,
        timeZone: String? = nil,
        account: String? = nil,
        variables: String = "{}",
        idempotencyKey: String? = nil,
        notBefore: Timestamp? = nil,
        expiresAt: Timestamp? = nil,
        validFor: Duration? = nil,
        priority: Int = 0
    ) {
        self.kind = kind
        self.recipient = recipient
        self.token = token
        self.locale = locale
        self.timeZone = timeZone
        self.account = account
        self.variables = variables
        self.idempotencyKey = idempotencyKey
        self.notBefore = notBefore
        self.expiresAt = expiresAt
        self.validFor = validFor
        self.priority = priority
    }
}

extension OutboxDatabase {
    /// Inserts a message.
    ///
    /// - Returns: its id; or the earlier message's id where the idempotency key was already used for the same mail.
    /// - Throws: `OutboxDatabaseError.constraint` for a refused value, `.idempotencyKeyReused` where the key belongs to
    ///   a message of another kind or to another recipient.
    package func enqueue(_ message: NewMessage) async throws -> Int64 {
        try await write { try Self.insert(message, into: $0) }
    }

    /// Inserts messages in one transaction: all of them, or none.
    ///
    /// - Returns: their ids, as from `enqueue(_:)` for one message.
    /// - Throws: as `enqueue(_:)` for one message.
    package func enqueue(_ messages: [NewMessage]) async throws -> [Int64] {
        try await write { database in try messages.map { try Self.insert($0, into: database) } }
    }

    private static func insert(_ message: NewMessage, into database: Database) throws -> Int64 {
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO outbox (kind, recipient, token, locale, time_zone, account, variables, idempotency_key,
                    not_before, expires_at, valid_for, priority)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (idempotency_key) DO NOTHING
                RETURNING id
                """
        )
        let inserted = try Int64.fetchOne(
            insert,
            arguments: [
                message.kind, message.recipient, message.token?.secret, message.locale, message.timeZone,
                message.account, message.variables, message.idempotencyKey, message.notBefore, message.expiresAt,
                message.validFor?.inMilliseconds, message.priority,
            ]
        )
        if let inserted { return inserted }
        let earlier = try Row.fetchOne(
            database,
            sql: "SELECT id, kind, recipient FROM outbox WHERE idempotency_key = ?",
            arguments: [message.idempotencyKey]
        )
        guard let earlier else { preconditionFailure("only a used idempotency key inserts nothing") }
        let id: Int64 = earlier[0]
        guard earlier[1] == message.kind, earlier[2] == message.recipient else {
            throw OutboxDatabaseError.idempotencyKeyReused(id: id)
        }
        return id
    }
}
