// What claiming gives. Holds no SQL.

package import OutboxCore

/// A message claimed for one attempt.
package struct Claim: Sendable, Hashable {
    /// The message.
    package let message: Message
    /// The number of the attempt's row, from 1. It fences the completion.
    package let attempt: Int
    /// How many attempts the message has used up, this one included: its place in the retry schedule.
    package let usedUp: Int
    /// When it was claimed.
    package let claimedAt: Timestamp

    /// Makes a claim.
    package init(message: Message, attempt: Int, usedUp: Int, claimedAt: Timestamp) {
        self.message = message
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

    var countWithoutClaims: Int { expired.count + superseded.count + suppressed.count + held.count }
}

/// What newly inserted messages made void.
package struct Supersession: Sendable, Hashable {
    /// Up to which row it was looked: what to ask with next time.
    package let newest: Int64
    /// There are more new rows to look at.
    package let hasMore: Bool
    /// The ids of messages that became `superseded`.
    package let superseded: [Int64]
    /// The ids of messages that this process has claimed, and that are `superseded` unless they are being sent already.
    package let claimed: [Int64]

    /// Makes one.
    package init(newest: Int64, hasMore: Bool, superseded: [Int64], claimed: [Int64]) {
        self.newest = newest
        self.hasMore = hasMore
        self.superseded = superseded
        self.claimed = claimed
    }
}
