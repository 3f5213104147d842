// Claims due messages, and finishes or holds messages that the rules keep from being sent. Never records an outcome.

import GRDB
package import OutboxCore
import Synchronization

extension OutboxDatabase: DeliveryStore {
    /// Maximum number of unsendable messages handled per transaction, so that the transaction stays short.
    private static let unsentLimit = 500

    package func claim(
        _ selection: ClaimSelection,
        limit: Int,
        now: Timestamp,
        lease: Duration,
        rules: DeliveryRules,
        expiryHold: Duration?
    ) async throws -> ClaimBatch {
        let claimant = claimant
        let aside = aside.withLock { $0.sequences(at: now) }
        let (batch, refused, changed) = try await write { database in
            var claiming = try Claiming(
                database,
                claimant: claimant,
                selection: selection,
                until: now + lease,
                rules: rules,
                now: now,
                expiryHold: expiryHold
            )
            try claiming.claim(limit: limit, unsentLimit: Self.unsentLimit, aside: aside)
            return (claiming.batch, claiming.refused, claiming.changed)
        }
        self.aside.withLock { aside in
            aside.remove(changed)
            for sequence in refused { aside.add(sequence, now: now) }
        }
        return batch
    }

    /// The priorities of waiting messages, highest first; each costs one index seek.
    static func claimablePriorities(_ database: Database) throws -> [Int] {
        var priorities: [Int] = []
        while true {
            let highest = try database.cachedStatement(
                sql: "SELECT max(priority) FROM outbox_state WHERE due_at IS NOT NULL AND priority < ?"
            )
            guard let next = try Int.fetchOne(highest, arguments: [priorities.last ?? Int.max]) else { break }
            priorities.append(next)
        }
        return priorities
    }

    /// A condition that excludes recently refused rows.
    static func isNotAside(_ sequences: [Int64]) -> String {
        sequences.isEmpty ? "" : "AND sequence NOT IN (\(sequences.map(String.init).joined(separator: ",")))"
    }
}

/// One claiming transaction.
private struct Claiming {
    private(set) var batch = ClaimBatch()
    /// Rows that a rule of the application refused to change.
    private(set) var refused: [Int64] = []
    /// Rows that were changed.
    private(set) var changed: [Int64] = []

    private let database: Database
    private let claimant: String
    private let selection: ClaimSelection
    private let expiryHold: Duration?
    private let until: Timestamp
    private let rules: DeliveryRules
    private let now: Timestamp
    private let gate: ClaimGate
    private var passed: [Claim] = []
    /// By sequence, the rows of `outbox_token` that must be written with the claim.
    private var tokenRows: [Int64: TokenRow] = [:]
    /// Kinds and addresses of the messages that passed: the limits count these messages as being sent.
    private var passedKeys: Set<String> = []

    init(
        _ database: Database,
        claimant: String,
        selection: ClaimSelection,
        until: Timestamp,
        rules: DeliveryRules,
        now: Timestamp,
        expiryHold: Duration?
    ) throws {
        self.selection = selection
        self.expiryHold = expiryHold
        self.database = database
        self.claimant = claimant
        self.until = until
        self.rules = rules
        self.now = now
        gate = try ClaimGate(database, rules: rules, now: now)
    }

    /// An unsendable message takes a place in the query's result but none in the batch. So the query is repeated until
    /// the batch is full or no message is due.
    mutating func claim(limit: Int, unsentLimit: Int, aside: [Int64]) throws {
        while batch.claims.count < limit, batch.countWithoutClaims < unsentLimit {
            let due = try dueMessages(limit: limit - batch.claims.count, aside: aside + refused)
            if due.isEmpty { return }
            for message in due { try consider(message) }
            try recordPassed()
        }
    }

    private mutating func consider(_ due: DueMessage) throws {
        let claim = due.claim
        let key = "\(claim.message.kind) \(claim.address)"
        var due = due
        if rules.limits != nil, passedKeys.contains(key) {
            // The limits count other claims for the same address, so those claims must be recorded first.
            try recordPassed()
            due.hasSent = true
        }
        switch try gate.decision(for: due) {
        case .pass:
            passed.append(claim)
            passedKeys.insert(key)
        case .finish(.expired) where expiryHold != nil:
            // The clock was just set forward, perhaps by mistake.
            _ = try change([claim]) { [database, now, expiryHold] _ in
                try database.execute(
                    sql: "UPDATE outbox_state SET due_at = ? WHERE sequence = ?",
                    arguments: [now + (expiryHold ?? .zero), claim.sequence]
                )
                return [claim]
            }
            batch.postponed.append(claim.message.id)
        case .finish(let state):
            guard try finish(claim, as: state) else { return }
            switch state {
            case .expired: batch.expired.append(claim.message.id)
            case .superseded: batch.superseded.append(claim.message.id)
            case .rejected: batch.withoutToken.append(claim.message.id)
            default: batch.suppressed.append(claim.message.id)
            }
        case .hold(let until):
            let isHeld = try change([claim]) { [database] _ in
                let update = try database.cachedStatement(
                    sql: "UPDATE outbox_state SET due_at = ?1, held_until = ?1 WHERE sequence = ?2"
                )
                try update.execute(arguments: [until, claim.sequence])
                return [claim]
            }
            if !isHeld.isEmpty { batch.held.append(claim.message.id) }
        }
    }

    /// - Returns: whether the row could be changed.
    private mutating func finish(_ claim: Claim, as state: MessageState) throws -> Bool {
        let finished = try change([claim]) { [database, now] _ in
            try OutboxDatabase.finishUnsent(database, [claim.sequence], as: state, now: now)
            return [claim]
        }
        return !finished.isEmpty
    }

    private mutating func recordPassed() throws {
        let claims = passed
        passed = []
        let isAlone = selection == .interruptedOne
        let recorded = try change(claims) { [database, claimant, until, now, rules, tokenRows] claims in
            try Self.record(claims, by: claimant, isAlone: isAlone, until: until, now: now, in: database)
            let rows = claims.compactMap { claim in tokenRows[claim.sequence].map { (claim: claim, row: $0) } }
            try OutboxDatabase.record(rows, now: now, rules: rules, in: database)
            // Once the newer message's not_before has passed, the older messages are superseded.
            for claim in claims where claim.message.notBefore != nil {
                try OutboxDatabase.supersedeOlder(than: claim.sequence, now: now, rules: rules, in: database)
            }
            return claims
        }
        batch.claims += recorded
    }

    /// Changes rows and returns the ones that were not refused.
    private mutating func change(_ claims: [Claim], _ body: ([Claim]) throws -> [Claim]) throws -> [Claim] {
        let (taken, refusals) = try database.changeRows(claims, messageID: \.message.id, body)
        changed += taken.map(\.sequence)
        refused += refusals.map(\.row.sequence)
        batch.refused += refusals.map(\.refusal)
        return taken
    }

    /// The due messages, highest priority first. Each priority is its own range of the index, so the query never walks
    /// over messages that wait at a higher priority.
    private mutating func dueMessages(limit: Int, aside: [Int64]) throws -> [DueMessage] {
        var found: [DueMessage] = []
        var withoutToken: [Claim] = []
        var orphans: [(sequence: Int64, messageID: Int64)] = []
        let since = now - (rules.limits?.memory ?? .zero)
        func look(_ selection: OutboxDatabase.DueRows, _ arguments: StatementArguments) throws {
            let sql = OutboxDatabase.dueMessagesSQL(selection, aside: aside)
            // The cache keeps every statement for ever, so it must not get one for each set of rows.
            let select = try aside.isEmpty ? database.cachedStatement(sql: sql) : database.makeStatement(sql: sql)
            let always: StatementArguments = ["now": now, "since": since, "limit": limit - found.count]
            let rows = try Row.fetchCursor(select, arguments: always &+ arguments)
            while let row = try rows.next() {
                if row[0] == nil {
                    orphans.append((sequence: row[11], messageID: row[18]))
                    continue
                }
                let stored = row[22] == nil ? nil : StoredToken(keyID: row[23], hasCode: row[24])
                let mayBeSeen: Bool = row[19] > 0
                let secrets = MessageSecrets(
                    rules.tokens,
                    kind: row[1],
                    envelopeID: row[7],
                    given: row[3],
                    hasGivenToken: row[21],
                    mailed: mayBeSeen ? stored : nil
                )
                let due = dueMessage(row, secrets)
                if row[21], row[3] == nil { withoutToken.append(due.claim) } else { found.append(due) }
                let isComplete = stored.map { mayBeSeen || secrets.isStored(in: $0) && row[25] == nil } ?? false
                if !isComplete { tokenRows[due.claim.sequence] = secrets.row }
            }
        }
        switch selection {
        case .ordinary(let lowest):
            let priorities = try OutboxDatabase.claimablePriorities(database).prefix { $0 >= lowest }
            for priority in priorities where found.count < limit {
                try look(.ofPriority, ["priority": priority])
            }
        case .interruptedOne:
            try look(.interrupted, [])
        }
        let (removed, refusals) = try database.changeRows(orphans, messageID: \.messageID) { [database] orphans in
            for orphan in orphans {
                // The delete trigger frees the token's slot.
                try database.execute(sql: "DELETE FROM outbox_state WHERE sequence = ?", arguments: [orphan.sequence])
                for table in ["outbox_attempt", "outbox_token"] {
                    try database.execute(
                        sql: "DELETE FROM \(table) WHERE message_id = ?",
                        arguments: [orphan.messageID]
                    )
                }
            }
            return orphans.map(\.messageID)
        }
        batch.withoutRow += removed
        refused += refusals.map(\.row.sequence)
        batch.refused += refusals.map(\.refusal)
        for claim in withoutToken where try finish(claim, as: .rejected) {
            batch.withoutToken.append(claim.message.id)
        }
        return try correctingAddresses(found)
    }

    /// Reads columns by position, which takes 1 µs for eleven columns. A decodable record takes 6 µs, as much as a
    /// whole claim.
    private func dueMessage(_ row: Row, _ secrets: MessageSecrets) -> DueMessage {
        let validFor = (row[25] as Int64?).map { Duration.milliseconds($0) }
        let expiresAt: Timestamp? = row[10]
        // With a fixed expiry, the mail says the times of the attempt that fixed it.
        let countsFrom = validFor.flatMap { span in expiresAt.map { $0 - span } }
        let message = Message(
            id: row[0],
            kind: row[1],
            recipient: row[2],
            token: secrets.token,
            code: secrets.code,
            missingTokenKey: secrets.missingKey,
            locale: row[4],
            timeZone: row[28],
            account: row[5],
            variables: row[6] ?? "{}",
            envelopeID: row[7],
            requestedAt: row[8],
            notBefore: row[9],
            expiresAt: expiresAt ?? validFor.map { now + $0 },
            validFor: validFor,
            isExpiryFixed: validFor == nil || expiresAt != nil,
            firstAttemptAt: countsFrom ?? (validFor == nil ? row[20] : nil) ?? now
        )
        let (earlier, counted): (Int, Int) = (row[13], row[14])
        let claim = Claim(
            message: message,
            sequence: row[11],
            address: row[12],
            priority: row[15],
            attempt: earlier + 1,
            attempts: counted + 1,
            uncertainAttempts: row[19],
            claimedAt: now,
            tokenRules: rules.tokens
        )
        return DueMessage(claim: claim, hasNewer: row[16], hasSent: row[17], isSettled: row[26], isRedeemed: row[27])
    }

    /// Converts addresses to canonical form where the insert's trigger could not.
    ///
    /// - Returns: the messages, without those whose row a rule of the application refuses to change.
    private mutating func correctingAddresses(_ due: [DueMessage]) throws -> [DueMessage] {
        if due.allSatisfy({ OutboxDatabase.correctedAddress($0.claim.address) == nil }) { return due }
        let claims = try due.map(\.claim).compactMap { claim -> Claim? in
            guard let address = OutboxDatabase.correctedAddress(claim.address) else { return claim }
            var corrected = claim
            corrected.address = address
            return try change([claim]) { [database, corrected] _ in
                _ = try OutboxDatabase.correctAddress(claim.address, sequence: claim.sequence, in: database)
                return [corrected]
            }.first
        }
        let settled = Set(due.filter(\.isSettled).map(\.claim.sequence))
        let redeemed = Set(due.filter(\.isRedeemed).map(\.claim.sequence))
        // Two of the messages may now belong to the same person, so the earlier query result is outdated.
        let select = try database.cachedStatement(
            sql: "SELECT \(PersonSQL.hasNewer(of: "state")) FROM outbox_state AS state WHERE sequence = :sequence"
        )
        return try claims.map { claim in
            let arguments: StatementArguments = ["now": now, "sequence": claim.sequence]
            return DueMessage(
                claim: claim,
                hasNewer: try Bool.fetchOne(select, arguments: arguments) ?? false,
                hasSent: true,
                isSettled: settled.contains(claim.sequence),
                isRedeemed: redeemed.contains(claim.sequence)
            )
        }
    }

    /// Records claims with two statements, whatever their number.
    private static func record(
        _ claims: [Claim],
        by claimant: String,
        isAlone: Bool,
        until: Timestamp,
        now: Timestamp,
        in database: Database
    ) throws {
        let sequences = OutboxDatabase.sequenceList(claims)
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_state
                SET state = 'sending', attempts = attempts + 1, last_attempt = last_attempt + 1, claimed_by = ?,
                    lease_expires_at = ?, is_alone = ?, due_at = NULL
                WHERE sequence IN (SELECT value FROM json_each(?))
                """
        )
        try update.execute(arguments: [claimant, until, isAlone, sequences])
        let insert = try database.cachedStatement(
            sql: """
                INSERT INTO outbox_attempt (message_id, attempt, started_at)
                SELECT state.message_id, state.last_attempt, ? FROM json_each(?) AS claimed
                CROSS JOIN outbox_state AS state WHERE state.sequence = claimed.value
                """
        )
        try insert.execute(arguments: [now, sequences])
    }
}

extension OutboxDatabase {
    /// How often outboxd may die while a message is claimed before the message is tried alone.
    static let interruptionsBeforeAlone = 2

    /// Which due rows to select.
    enum DueRows {
        /// The rows of one priority, without rows that must be tried alone.
        case ofPriority
        /// The longest due of the rows that must be tried alone.
        case interrupted

        fileprivate var condition: String {
            switch self {
            case .ofPriority: "priority = :priority AND due_at <= :now AND interruptions < \(interruptionsBeforeAlone)"
            case .interrupted: "interruptions > 0 AND interruptions >= \(interruptionsBeforeAlone) AND due_at <= :now"
            }
        }
    }

    /// Due messages, with the values needed for sending them and for the gate's decision.
    static func dueMessagesSQL(_ rows: DueRows, aside: [Int64]) -> String {
        """
        SELECT message.id, message.kind, message.recipient, nullif(rtrim(secret.token, char(10)), ''), message.locale, message.account,
            message.variables, state.envelope_id, state.requested_at, state.not_before, state.expires_at,
            state.sequence, state.address, state.last_attempt, state.attempts, state.priority,
            \(PersonSQL.hasNewer(of: "state")),
            EXISTS (SELECT 1 FROM outbox_state AS sent WHERE sent.address = state.address AND sent.kind = state.kind
                    AND sent.accepted_at IS NULL AND (sent.accepted_at IS NOT NULL OR sent.lease_expires_at IS NOT NULL))
                OR EXISTS (SELECT 1 FROM outbox_state AS sent WHERE sent.address = state.address
                    AND sent.kind = state.kind AND sent.accepted_at > :since
                    AND (sent.accepted_at IS NOT NULL OR sent.lease_expires_at IS NOT NULL)),
            state.message_id, state.uncertain_attempts,
            CASE WHEN state.last_attempt > 0 THEN (SELECT started_at FROM outbox_attempt AS first
                WHERE first.message_id = state.message_id AND first.attempt = 1) END,
            state.has_given_token, token.message_id, token.key_id, token.code_mac IS NOT NULL, state.valid_for,
            token.replaced_at IS NOT NULL OR EXISTS (SELECT 1 FROM outbox_token AS redeemed
                WHERE redeemed.person = state.person AND redeemed.kind = state.kind
                    AND redeemed.redeemed_at >= state.requested_at AND redeemed.is_replaceable = 1),
            token.redeemed_at IS NOT NULL,
            message.time_zone
        FROM (SELECT * FROM outbox_state
            WHERE due_at IS NOT NULL AND \(rows.condition) \(isNotAside(aside))
            ORDER BY due_at, sequence LIMIT :limit) AS state
        LEFT JOIN outbox AS message ON message.id = state.message_id
        LEFT JOIN outbox_secret AS secret ON secret.slot = state.secret
        LEFT JOIN outbox_token AS token ON token.message_id = state.message_id
        """
    }

    /// Makes waiting messages final that were not sent.
    static func finishUnsent(
        _ database: Database,
        _ sequences: [Int64],
        as state: MessageState,
        now: Timestamp
    ) throws {
        let update = try database.cachedStatement(
            sql: """
                UPDATE outbox_state SET state = ?1, finished_at = ?2, due_at = NULL, restored_at = NULL, secret = NULL,
                    blames_address = CASE ?1 WHEN 'suppressed' THEN 1 WHEN 'rejected' THEN 0 END
                WHERE sequence = ?3 AND (state = 'queued' OR state = 'deferred')
                """
        )
        for sequence in sequences {
            try update.execute(arguments: [state, now, sequence])
        }
    }
}
