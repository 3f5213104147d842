// The states of a message and the permitted transitions. Pure: never touches the database.

/// The state of a message. The raw values are those of the column `outbox_state.state`.
package enum MessageState: String, CaseIterable, Codable, Sendable {
    /// Inserted; no attempt has been made.
    case queued
    /// Claimed for one attempt until its lease ends.
    case sending
    /// Refused temporarily, or interrupted; another attempt is due.
    case deferred
    /// A relay answered 2xx to the final dot: it has taken responsibility (RFC 5321 §6.1).
    case accepted
    /// Refused permanently, or impossible to compose.
    case rejected
    /// Its deadline passed before a relay accepted it.
    case expired
    /// A newer message of the same kind for the same person invalidated its token.
    case superseded
    /// Not sent because its recipient's address is on the suppression list.
    case suppressed
    /// Cancelled by the application or an operator.
    case cancelled
    /// Accepted by the relay, and later reported as undeliverable (RFC 3464).
    case bounced

    /// Whether the message may still change without an outside report.
    ///
    /// The schema keeps the token exactly as long as this is true.
    package var isOpen: Bool {
        switch self {
        case .queued, .sending, .deferred: true
        case .accepted, .rejected, .expired, .superseded, .suppressed, .cancelled, .bounced: false
        }
    }

    /// The next state after an event, or `nil` where the event can't happen in this state.
    ///
    /// | state | event | next |
    /// |---|---|---|
    /// | queued, deferred | claimed | sending |
    /// | queued, deferred, sending | expired, superseded, suppressed, cancelled | the state of that name |
    /// | sending | accepted, deferred, rejected | the state of that name |
    /// | sending | returned unsent, first attempt | queued |
    /// | sending | returned unsent, later attempt | deferred |
    /// | accepted | bounced | bounced |
    package func after(_ event: MessageEvent) -> MessageState? {
        switch (self, event) {
        case (.queued, .claimed), (.deferred, .claimed): .sending
        case (.sending, .accepted): .accepted
        case (.sending, .deferred): .deferred
        case (.sending, .rejected): .rejected
        case (.sending, .returnedUnsent(let earlierAttempts)): earlierAttempts == 0 ? .queued : .deferred
        case (.queued, .expired), (.deferred, .expired), (.sending, .expired): .expired
        case (.queued, .superseded), (.deferred, .superseded), (.sending, .superseded): .superseded
        case (.queued, .suppressed), (.deferred, .suppressed), (.sending, .suppressed): .suppressed
        case (.queued, .cancelled), (.deferred, .cancelled), (.sending, .cancelled): .cancelled
        case (.accepted, .bounced): .bounced
        case (.queued, _), (.deferred, _), (.sending, _): nil
        case (.accepted, _), (.rejected, _), (.expired, _), (.superseded, _), (.suppressed, _), (.cancelled, _),
            (.bounced, _):
            nil
        }
    }
}

/// The events in a message's life.
package enum MessageEvent: Hashable, Sendable {
    /// An attempt begins: the claim is committed.
    case claimed
    /// A relay took responsibility.
    case accepted
    /// The attempt failed, and another one follows; also the end of an attempt with an unknown outcome.
    case deferred
    /// The attempt failed permanently.
    case rejected
    /// The claim was released before anything was sent, after `earlierAttempts` attempts.
    case returnedUnsent(earlierAttempts: Int)
    /// The token's expiry, or the time to give up, has passed.
    case expired
    /// A newer message replaced it.
    case superseded
    /// The address is on the suppression list.
    case suppressed
    /// The application or an operator withdrew it.
    case cancelled
    /// A delivery status notification reported a failure.
    case bounced
}
