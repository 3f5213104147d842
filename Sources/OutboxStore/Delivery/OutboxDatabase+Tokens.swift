// Mints tokens for claims, and keeps what redeeming them needs. Never stores a token or a code.

import Foundation
import GRDB
import OutboxCore
import OutboxTokens

/// The token and the code that a message's mail shows, given or minted.
struct MessageSecrets {
    let token: Token?
    let code: Token?
    /// Set where the mail needs a key that is not configured.
    let missingKey: MissingTokenKey?

    private let envelopeID: String
    /// The key that made the token or the code.
    private let key: TokenKey?

    /// - Parameters:
    ///   - given: the application's token.
    ///   - hasGivenToken: whether the application gave one, even if it is lost: such a message never gets another.
    ///   - mailed: the row of `outbox_token`, if a mail with these secrets may have been seen: every further one must
    ///     have the same.
    init(
        _ rules: TokenRules,
        kind: String,
        envelopeID: String,
        given: String?,
        hasGivenToken: Bool,
        mailed: StoredToken?
    ) {
        let mints = !hasGivenToken && rules.kinds.contains(kind)
        let showsCode = mailed?.hasCode ?? rules.codes.contains(kind)
        let key = mints || showsCode ? rules.key(mailed?.keyID) : nil
        self.envelopeID = envelopeID
        self.key = key
        token = mints ? key.map { Token($0.token(kind: kind, envelopeID: envelopeID)) } : given.map(Token.init)
        code = showsCode ? key.map { Token($0.code(kind: kind, envelopeID: envelopeID)) } : nil
        let lacksKey = key == nil && (mints || mailed != nil && showsCode)
        missingKey = lacksKey ? mailed?.keyID.map { .unknown(id: $0) } ?? .notConfigured : nil
    }

    /// Whether a row of `outbox_token` has these secrets.
    func isStored(in row: StoredToken) -> Bool { row.keyID == key?.id && row.hasCode == (code != nil) }

    /// The row of `outbox_token`; `nil` where nothing of the mail can be redeemed.
    var row: TokenRow? {
        guard missingKey == nil else { return nil }
        let digest = token.flatMap { TokenDigest.digest(of: $0.secret) }
        let proof = code.flatMap { code in key?.checkKey.mac(of: code.secret, envelopeID: envelopeID) }
        return digest == nil && proof == nil ? nil : TokenRow(digest: digest, keyID: key?.id, codeProof: proof)
    }
}

/// A row of `outbox_token`, as far as a claim needs it.
struct StoredToken {
    /// The key that made token or code.
    let keyID: String?
    let hasCode: Bool
}

/// What redeeming needs to know of a message's secrets.
struct TokenRow {
    let digest: [UInt8]?
    let keyID: String?
    let codeProof: [UInt8]?
}

extension OutboxDatabase {
    /// Inserts a claimed message's row of `outbox_token`, or brings it up to date while no mail was seen.
    static func record(_ row: TokenRow, of claim: Claim, rules: DeliveryRules, in database: Database) throws {
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO outbox_token (message_id, sequence, kind, person, digest, key_id, code_mac, expires_at,
                    is_replaceable)
                SELECT message_id, sequence, kind, person, ?1, ?2, ?3, ?4, ?5 FROM outbox_state WHERE sequence = ?6
                ON CONFLICT (message_id) DO UPDATE SET digest = excluded.digest, key_id = excluded.key_id,
                    code_mac = excluded.code_mac, expires_at = excluded.expires_at
                """
        )
        try insert.execute(arguments: [
            row.digest.map { Data($0) }, row.keyID, row.codeProof.map { Data($0) }, claim.message.expiresAt,
            !rules.keepOlder.contains(claim.message.kind), claim.sequence,
        ])
    }

    /// Ends older tokens of the person and kind, now that a newer mail was handed over: until then the person may have
    /// nothing but the older mail. If an even newer mail was accepted before, this mail's token ends at once.
    static func replaceTokens(
        by claim: Claim,
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws {
        guard !rules.keepOlder.contains(claim.message.kind) else { return }
        let replace = try database.cachedStatement(
            sql: """
                UPDATE outbox_token SET replaced_at = ?1
                WHERE person = (SELECT person FROM outbox_state WHERE sequence = ?2) AND kind = ?3 AND sequence < ?2
                    AND redeemed_at IS NULL AND replaced_at IS NULL AND is_replaceable = 1
                """
        )
        try replace.execute(arguments: [now, claim.sequence, claim.message.kind])
        // A retry of an older message may end after a newer one.
        let end = try database.cachedStatement(
            sql: """
                UPDATE outbox_token SET replaced_at = ?1
                WHERE message_id = ?2 AND redeemed_at IS NULL AND replaced_at IS NULL AND is_replaceable = 1
                    AND EXISTS (SELECT 1 FROM outbox_state AS newer
                        WHERE newer.person = outbox_token.person AND newer.kind = outbox_token.kind
                            AND newer.accepted_at >= ?3 AND newer.accepted_at IS NOT NULL
                            AND newer.sequence > outbox_token.sequence)
                """
        )
        try end.execute(arguments: [now, claim.message.id, claim.message.requestedAt])
    }
}
