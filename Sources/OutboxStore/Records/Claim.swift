// The results of claiming. Holds no SQL.

package import OutboxCore
package import OutboxTokens

/// A message claimed for one attempt.
package struct Claim: Sendable, Hashable {
    /// The message.
    package let message: Message
    /// The message's place in the order of the inserts, by which the store finds its state.
    package let sequence: Int64
    /// The recipient in canonical form.
    package internal(set) var address: String
    /// From -9 to 9; higher priorities are sent first.
    package let priority: Int
    /// The number of the attempt's row, from 1. The completion is fenced by it.
    package let attempt: Int
    /// How many attempts count in the retry schedule, this one included.
    package let attempts: Int
    /// How many earlier attempts ended without a reply to the final dot: each may have delivered a mail.
    package let uncertainAttempts: Int
    /// When the message was claimed.
    package let claimedAt: Timestamp
    /// The rules by which the message's token and code were made. If others are in use meanwhile, the templates may need
    /// what the claim lacks.
    package let tokenRules: TokenRules
    /// Until when the claim is safe, in the time since boot, which nobody can set. The store knows leases by the wall
    /// clock only; the claiming service sets this value.
    package var leaseEnds: Duration

    /// Creates a claim.
    package init(
        message: Message,
        sequence: Int64,
        address: String,
        priority: Int,
        attempt: Int,
        attempts: Int,
        uncertainAttempts: Int = 0,
        claimedAt: Timestamp,
        tokenRules: TokenRules = TokenRules(),
        leaseEnds: Duration = .zero
    ) {
        self.message = message
        self.sequence = sequence
        self.address = address
        self.priority = priority
        self.leaseEnds = leaseEnds
        self.attempt = attempt
        self.attempts = attempts
        self.uncertainAttempts = uncertainAttempts
        self.claimedAt = claimedAt
        self.tokenRules = tokenRules
    }
}

/// The result of one claiming transaction.
package struct ClaimBatch: Sendable {
    /// The claimed messages, in the order to send them.
    package internal(set) var claims: [Claim] = []
    /// The ids of messages whose deadline had passed.
    package internal(set) var expired: [Int64] = []
    /// The ids of messages that a newer message superseded.
    package internal(set) var superseded: [Int64] = []
    /// The ids of messages whose recipient is suppressed.
    package internal(set) var suppressed: [Int64] = []
    /// The ids of messages that wait because of a limit on resends.
    package internal(set) var held: [Int64] = []
    /// The ids of messages whose deadline has passed according to a clock that was just set forward.
    package internal(set) var postponed: [Int64] = []
    /// The ids of messages whose token is missing, because another program removed it.
    package internal(set) var withoutToken: [Int64] = []

    /// The ids of messages whose row in `outbox` was removed without the trigger; their remains are now deleted.
    package internal(set) var withoutRow: [Int64] = []
    /// Rows that a rule of the application refused to change. They are retried with growing delays.
    package internal(set) var refused: [RowRefusal] = []

    /// Sets until when the claims are safe, in uptime.
    package mutating func lease(until end: Duration) { for index in claims.indices { claims[index].leaseEnds = end } }

    /// Whether the transaction changed nothing.
    package var isEmpty: Bool { claims.isEmpty && countWithoutClaims == 0 }

    var countWithoutClaims: Int {
        expired.count + superseded.count + suppressed.count + held.count + postponed.count + withoutToken.count
            + refused.count + withoutRow.count
    }
}

/// Which of the due messages to claim.
package enum ClaimSelection: Sendable, Hashable {
    /// Messages that were not interrupted repeatedly, from the given priority on.
    case ordinary(fromPriority: Int = -9)
    /// A message that was being sent twice when outboxd died. It is tried while nothing else is.
    case interruptedOne
}

/// A claim of another daemon whose lease has run out.
package struct ExpiredClaim: Sendable, Hashable {
    /// The message's place in the order of the inserts.
    package let sequence: Int64
    /// The message's id.
    package let messageID: Int64
    /// The number of the current attempt.
    package let attempt: Int
    /// The end of the lease, as the holding daemon last wrote it.
    package let leaseExpiresAt: Timestamp

    /// Creates an expired claim.
    package init(sequence: Int64, messageID: Int64, attempt: Int, leaseExpiresAt: Timestamp) {
        self.sequence = sequence
        self.messageID = messageID
        self.attempt = attempt
        self.leaseExpiresAt = leaseExpiresAt
    }
}

/// The result of rescuing claims.
package struct Rescue: Sendable, Hashable {
    /// The ids of messages that are due again, or superseded.
    package let rescued: [Int64]
    /// The ids of messages that were rejected because each exclusive attempt ended outboxd.
    package let ended: [Int64]

    /// Creates a result.
    package init(rescued: [Int64], ended: [Int64]) {
        self.rescued = rescued
        self.ended = ended
    }
}

/// The messages that applications' statements superseded or withdrew since the last call.
package struct Supersession: Sendable, Hashable {
    /// The last examined insert: the sequence to pass to the next call.
    package let newest: Int64
    /// More rows remain to be examined.
    package let hasMore: Bool
    /// The ids of messages that became `superseded`.
    package let superseded: [Int64]
    /// The ids of messages that this process has claimed, and that become `superseded` unless they are already being
    /// sent.
    package let claimed: [Int64]
    /// The ids of messages that this process has claimed, and that the application withdrew.
    package let cancelled: [Int64]

    /// Creates a result.
    package init(newest: Int64, hasMore: Bool, superseded: [Int64], claimed: [Int64], cancelled: [Int64]) {
        self.newest = newest
        self.hasMore = hasMore
        self.superseded = superseded
        self.claimed = claimed
        self.cancelled = cancelled
    }
}
