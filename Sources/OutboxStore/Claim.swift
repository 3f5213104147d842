// What claiming gives. Holds no SQL.

package import OutboxCore

/// A message claimed for one attempt.
package struct Claim: Sendable, Hashable {
    /// The message.
    package let message: Message
    /// The message's place in the order of the inserts: what the store finds its state by.
    package let sequence: Int64
    /// The recipient in the form in which addresses are compared.
    package let address: String
    /// The number of the attempt's row, from 1. It fences the completion.
    package let attempt: Int
    /// How many attempts the message has used up, this one included: its place in the retry schedule.
    package let usedUp: Int
    /// When it was claimed.
    package let claimedAt: Timestamp

    /// Makes a claim.
    package init(
        message: Message,
        sequence: Int64,
        address: String,
        attempt: Int,
        usedUp: Int,
        claimedAt: Timestamp
    ) {
        self.message = message
        self.sequence = sequence
        self.address = address
        self.attempt = attempt
        self.usedUp = usedUp
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
    /// The ids of messages whose token is not there any more: something else than outboxd removed it.
    package internal(set) var withoutToken: [Int64] = []

    /// Rows that a rule of the application refused to change. They are tried again, each time later.
    package internal(set) var refused: [RowRefusal] = []

    var countWithoutClaims: Int {
        expired.count + superseded.count + suppressed.count + held.count + withoutToken.count + refused.count
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
