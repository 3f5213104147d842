// What claiming gives. Holds no SQL.

package import OutboxCore

/// A message claimed for one attempt.
package struct Claim: Sendable, Hashable {
    /// The message.
    package let message: Message
    /// The message's place in the order of the inserts: what the store finds its state by.
    package let sequence: Int64
    /// The recipient in the form in which addresses are compared.
    package internal(set) var address: String
    /// From -9 to 9; higher goes first.
    package let priority: Int
    /// The number of the attempt's row, from 1. It fences the completion.
    package let attempt: Int
    /// How many attempts the message has used up, this one included: its place in the retry schedule.
    package let attempts: Int
    /// How many attempts before this one ended without an answer to the final dot: each may have been a mail.
    package let uncertainAttempts: Int
    /// When it was claimed.
    package let claimedAt: Timestamp
    /// Until when the claim can be relied on, in the time since the machine's boot, which nobody sets. The store knows
    /// leases by the clock only; who claims writes it here.
    package var leaseEnds: Duration

    /// Makes a claim.
    package init(
        message: Message,
        sequence: Int64,
        address: String,
        priority: Int,
        attempt: Int,
        attempts: Int,
        uncertainAttempts: Int = 0,
        claimedAt: Timestamp,
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
    }
}

/// What one claiming transaction did.
package struct ClaimBatch: Sendable {
    /// The claimed messages, in the order to send them.
    package internal(set) var claims: [Claim] = []
    /// The ids of messages whose deadline had passed.
    package internal(set) var expired: [Int64] = []
    /// The ids of messages for which a newer one is there.
    package internal(set) var superseded: [Int64] = []
    /// The ids of messages whose recipient takes no mail.
    package internal(set) var suppressed: [Int64] = []
    /// The ids of messages that wait because of a limit on resends.
    package internal(set) var held: [Int64] = []
    /// The ids of messages whose deadline has passed by a clock that was just set forward.
    package internal(set) var postponed: [Int64] = []
    /// The ids of messages whose token is not there any more: something else than outboxd removed it.
    package internal(set) var withoutToken: [Int64] = []

    /// The ids of messages whose row in `outbox` was gone without the trigger's doing; nothing of them is left now.
    package internal(set) var withoutRow: [Int64] = []
    /// Rows that a rule of the application refused to change. They are tried again, each time later.
    package internal(set) var refused: [RowRefusal] = []

    /// Writes down until when the claims can be relied on, in uptime.
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
    /// Those that have not been interrupted again and again, from a priority on.
    case ordinary(fromPriority: Int = -9)
    /// One that was under way twice when outboxd died: it is tried while nothing else is.
    case interruptedOne
}

/// A claim of another daemon, whose lease ran out.
package struct ExpiredClaim: Sendable, Hashable {
    /// The message's place in the order of the inserts.
    package let sequence: Int64
    /// The message.
    package let messageID: Int64
    /// The number of the attempt under way.
    package let attempt: Int
    /// The end of the lease, as the daemon that holds it last wrote it.
    package let leaseExpiresAt: Timestamp

    /// Makes one.
    package init(sequence: Int64, messageID: Int64, attempt: Int, leaseExpiresAt: Timestamp) {
        self.sequence = sequence
        self.messageID = messageID
        self.attempt = attempt
        self.leaseExpiresAt = leaseExpiresAt
    }
}

/// What became of lost claims.
package struct Rescue: Sendable, Hashable {
    /// The ids of messages that are due again, or superseded.
    package let rescued: [Int64]
    /// The ids of messages that ended outboxd each time that they were tried alone, and are rejected.
    package let ended: [Int64]

    /// Makes one.
    package init(rescued: [Int64], ended: [Int64]) {
        self.rescued = rescued
        self.ended = ended
    }
}

/// What an application's statements since the last look made void.
package struct Supersession: Sendable, Hashable {
    /// Up to which insert it was looked: the sequence to ask with next time.
    package let newest: Int64
    /// There is more to look at.
    package let hasMore: Bool
    /// The ids of messages that became `superseded`.
    package let superseded: [Int64]
    /// The ids of messages that this process has claimed, and that are `superseded` unless they are being sent already.
    package let claimed: [Int64]
    /// The ids of messages that this process has claimed, and that the application withdrew.
    package let withdrawn: [Int64]

    /// Makes one.
    package init(newest: Int64, hasMore: Bool, superseded: [Int64], claimed: [Int64], withdrawn: [Int64]) {
        self.newest = newest
        self.hasMore = hasMore
        self.superseded = superseded
        self.claimed = claimed
        self.withdrawn = withdrawn
    }
}
