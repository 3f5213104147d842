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
    /// Inserts claimed messages' rows of `outbox_token`, or brings them up to date while no mail was seen: one statement
    /// for all rows that have the same key and the same parts, nearly always all of a batch.
    static func record(
        _ rows: [(claim: Claim, row: TokenRow)],
        now: Timestamp,
        rules: DeliveryRules,
        in database: Database
    ) throws {
        for (shape, rows) in Dictionary(grouping: rows, by: { TokenRow.Shape($0, rules: rules) }) {
            let insert = try database.cachedStatement(
                sql: """
                    INSERT INTO outbox_token (message_id, sequence, kind, person, digest, key_id, code_mac, expires_at,
                        is_replaceable)
                    SELECT message_id, sequence, kind, person, substr(?2, claimed.key * 32 + 1, 32), ?3,
                        substr(?4, claimed.key * 32 + 1, 32), coalesce(expires_at, ?5 + valid_for), ?6
                    FROM json_each(?1) AS claimed CROSS JOIN outbox_state WHERE sequence = claimed.value
                    ON CONFLICT (message_id) DO UPDATE SET digest = excluded.digest, key_id = excluded.key_id,
                        code_mac = excluded.code_mac, expires_at = excluded.expires_at
                    """
            )
            try insert.execute(arguments: [
                sequenceList(rows.map(\.claim)),
                shape.hasDigest ? Data(rows.flatMap { $0.row.digest ?? [] }) : nil,
                shape.keyID,
                shape.hasCode ? Data(rows.flatMap { $0.row.codeProof ?? [] }) : nil,
                now, shape.isReplaceable,
            ])
        }
    }

    /// Ends older tokens of the person and kind, now that newer mails were handed over: until then the person may have
    /// nothing but the older mail. If an even newer mail was accepted before, a mail's own token ends at once.
    ///
    /// Few persons have another token or mail, so one query finds these: an UPDATE that changes nothing costs six times
    /// as much.
    static func replaceTokens(
        by mails: [(claim: Claim, handedOverAt: Timestamp)],
        rules: DeliveryRules,
        in database: Database
    ) throws {
        let replacing = mails.filter { !rules.keepOlder.contains($0.claim.message.kind) }
        if replacing.isEmpty { return }
        let select = try database.cachedStatement(
            sql: """
                SELECT state.sequence FROM json_each(?) AS mailed
                CROSS JOIN outbox_state AS state ON state.sequence = mailed.value
                WHERE EXISTS (SELECT 1 FROM outbox_token AS older
                        WHERE older.person = state.person AND older.kind = state.kind
                            AND older.sequence < state.sequence AND older.redeemed_at IS NULL
                            AND older.replaced_at IS NULL AND older.is_replaceable = 1)
                    OR EXISTS (SELECT 1 FROM outbox_state AS newer
                        WHERE newer.person = state.person AND newer.kind = state.kind
                            AND newer.accepted_at >= state.requested_at AND newer.accepted_at IS NOT NULL
                            AND newer.sequence > state.sequence)
                """
        )
        let concerned = try Set(Int64.fetchAll(select, arguments: [sequenceList(replacing.map(\.claim))]))
        if concerned.isEmpty { return }
        let affecting = replacing.filter { concerned.contains($0.claim.sequence) }
        let replace = try database.cachedStatement(
            sql: """
                UPDATE outbox_token SET replaced_at = ?1
                WHERE person = (SELECT person FROM outbox_state WHERE sequence = ?2) AND kind = ?3 AND sequence < ?2
                    AND redeemed_at IS NULL AND replaced_at IS NULL AND is_replaceable = 1
                """
        )
        for (claim, handedOverAt) in affecting {
            try replace.execute(arguments: [handedOverAt, claim.sequence, claim.message.kind])
        }
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
        for (claim, handedOverAt) in affecting {
            try end.execute(arguments: [handedOverAt, claim.message.id, claim.message.requestedAt])
        }
    }

    /// The claims' sequences as a JSON array, for json_each.
    static func sequenceList(_ claims: [Claim]) -> String {
        var list = "["
        for claim in claims {
            if list.utf8.count > 1 { list += "," }
            list += String(claim.sequence)
        }
        return list + "]"
    }
}

extension TokenRow {
    /// What the rows of one INSERT have in common.
    fileprivate struct Shape: Hashable {
        let keyID: String?
        let hasDigest: Bool
        let hasCode: Bool
        let isReplaceable: Bool

        init(_ row: (claim: Claim, row: TokenRow), rules: DeliveryRules) {
            keyID = row.row.keyID
            hasDigest = row.row.digest != nil
            hasCode = row.row.codeProof != nil
            isReplaceable = !rules.keepOlder.contains(row.claim.message.kind)
        }
    }
}
