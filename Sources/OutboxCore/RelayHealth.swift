// Whether a relay may be given messages, as a state machine. Pure: the present comes in as an argument.

/// What is wrong with a relay.
package struct RelayTrouble: Hashable, Sendable {
    /// `relay` or `configuration`.
    package let scope: FaultScope
    /// Why the relay was paused.
    package let reason: FailureReason
    /// How far the conversation had come.
    package let stage: SMTPStage
    /// The relay's own words, or libcurl's.
    package let detail: String
    /// The relay's refusing reply, where there was one.
    package let reply: SMTPReply?

    /// Makes it.
    package init(scope: FaultScope, reason: FailureReason, stage: SMTPStage, detail: String, reply: SMTPReply?) {
        self.scope = scope
        self.reason = reason
        self.stage = stage
        self.detail = detail
        self.reply = reply
    }
}

/// What happened at a relay.
package enum RelayEvent: Hashable, Sendable {
    /// A message is handed to it to find out whether it works again.
    case probed
    /// It accepted a message.
    case accepted
    /// It refused a message for the time being, for a reason that is not its own: it works.
    case answered
    /// It refused a message for good.
    case refusedForGood
    /// It, or the configuration, failed an attempt that began at the given moment.
    case failed(RelayTrouble, startedAt: Timestamp)
    /// The probe was taken back before it told anything.
    case probeReturned
    /// Its configuration was read anew.
    case reconfigured
}

/// Whether a relay may be given messages.
///
/// | state | event | next |
/// |---|---|---|
/// | up | failed | paused for 1 s |
/// | up | refused for good, the `suspectAfter`th time in a row | paused for 1 s, suspect |
/// | paused | probed, once the pause is over | probing |
/// | paused | accepted, answered: by a message that was under way | up |
/// | paused | failed: one that was under way as well | paused |
/// | paused | reconfigured | paused until now |
/// | probing | accepted, answered, refused for good | up |
/// | probing | failed | paused for twice as long as before, 10 s at most |
/// | probing | probe returned | paused until now |
///
/// A suspect relay, one that refused everybody, is up again only when it accepts a message: any other answer to a
/// probe pauses it again.
package struct RelayHealth: Hashable, Sendable {
    /// Where a relay is.
    package enum State: Hashable, Sendable {
        /// It takes messages as fast as it can.
        case up
        /// It is left alone until a moment, and then probed.
        case paused(until: Timestamp)
        /// One message is finding out whether it works again.
        case probing
    }

    /// What a caller should tell the operator.
    package enum Change: Hashable, Sendable {
        /// Nothing that wasn't known.
        case none
        /// It was up, and is paused.
        case wentDown(RelayTrouble)
        /// It was paused or probing, and still doesn't work.
        case stillDown(RelayTrouble)
        /// It works again, after so long.
        case cameBack(after: Duration)
    }

    /// The first pause.
    package static let shortestPause = Duration.seconds(1)
    /// The longest pause: after an outage the relay is found working this much later at most.
    package static let longestPause = Duration.seconds(10)

    /// So long after it came back, what waited for it is to be gone.
    package static let catchingUp = Duration.seconds(15)
    /// A message that it refuses for the time being meanwhile is tried again so soon: who waited for the relay has no
    /// minutes left to wait for the schedule.
    package static let catchingUpDelay = Duration.seconds(2)

    /// Where it is.
    package private(set) var state = State.up
    /// Why it isn't up; `nil` while it is.
    package private(set) var trouble: RelayTrouble?
    /// Since when it isn't up; `nil` while it is.
    package private(set) var downSince: Timestamp?
    /// How many permanent refusals it gave since it last accepted a message.
    package private(set) var refusalsInARow = 0
    /// It refused everybody, and hasn't accepted a message since.
    package private(set) var isSuspect = false

    private let suspectAfter: Int
    private var pause = Self.shortestPause
    private var lastAcceptedAt: Timestamp?
    private var cameBackAt: Timestamp?

    /// - Parameter suspectAfter: after so many permanent refusals in a row the relay is suspected.
    package init(suspectAfter: Int) {
        precondition(suspectAfter >= 1, "at least one refusal")
        self.suspectAfter = suspectAfter
    }

    /// Whether it takes messages.
    package var isUp: Bool { state == .up }

    /// Whether a message may be handed to it as a probe.
    package func isDueForProbe(at now: Timestamp) -> Bool {
        probesAt(now).map { $0 <= now } ?? false
    }

    /// When a paused relay is to be probed; `nil` unless it is paused. No pause is longer than the longest one, even if
    /// the clock was set back meanwhile.
    package func probesAt(_ now: Timestamp) -> Timestamp? {
        guard case .paused(let until) = state else { return nil }
        return until > now + Self.longestPause ? now : until
    }

    /// Whether it came back a moment ago, so that messages which waited for it are in a hurry.
    package func isCatchingUp(at now: Timestamp) -> Bool {
        cameBackAt.map { ($0..<$0 + Self.catchingUp).contains(now) } ?? false
    }

    /// Whether a failure of an attempt tells nothing of the relay, because the relay accepted another message since the
    /// attempt began: a limit on connections, or a message that breaks the connection each time.
    package func isExonerated(sinceAttemptBegan startedAt: Timestamp, now: Timestamp) -> Bool {
        guard isUp, let lastAcceptedAt else { return false }
        // What lies in the future was before the clock was set back.
        return (startedAt...max(startedAt, now)).contains(lastAcceptedAt)
    }

    /// Takes an event in.
    package mutating func handle(_ event: RelayEvent, now: Timestamp) -> Change {
        switch event {
        case .probed:
            guard isDueForProbe(at: now) else { preconditionFailure("only a relay whose pause is over is probed") }
            state = .probing
            return .none
        case .accepted:
            lastAcceptedAt = now
            refusalsInARow = 0
            isSuspect = false
            return comeUp(now)
        case .answered:
            return isSuspect ? probeFailed(trouble, now) : comeUp(now)
        case .refusedForGood:
            refusalsInARow += 1
            if isSuspect { return probeFailed(trouble, now) }
            guard refusalsInARow >= suspectAfter else { return comeUp(now) }
            isSuspect = true
            return goDown(.refusesEverybody(count: refusalsInARow), now)
        case .failed(let trouble, let startedAt):
            if isExonerated(sinceAttemptBegan: startedAt, now: now) { return .none }
            switch state {
            case .up: return goDown(trouble, now)
            case .paused: return .stillDown(trouble)
            case .probing: return probeFailed(isSuspect ? self.trouble : trouble, now)
            }
        case .probeReturned, .reconfigured:
            if !isUp { state = .paused(until: now) }
            return .none
        }
    }

    private mutating func goDown(_ trouble: RelayTrouble, _ now: Timestamp) -> Change {
        guard isUp else { return probeFailed(trouble, now) }
        self.trouble = trouble
        downSince = now
        pause = Self.shortestPause
        state = .paused(until: now + pause)
        return .wentDown(trouble)
    }

    private mutating func probeFailed(_ trouble: RelayTrouble?, _ now: Timestamp) -> Change {
        guard let trouble else { preconditionFailure("a relay that is down has a trouble") }
        self.trouble = trouble
        if state == .probing {
            pause = min(pause * 2, Self.longestPause)
            state = .paused(until: now + pause)
        }
        return .stillDown(trouble)
    }

    private mutating func comeUp(_ now: Timestamp) -> Change {
        guard let since = downSince else { return .none }
        state = .up
        cameBackAt = now
        trouble = nil
        downSince = nil
        return .cameBack(after: now.timeSince(since))
    }
}

extension RelayTrouble {
    static func refusesEverybody(count: Int) -> RelayTrouble {
        RelayTrouble(
            scope: .relay,
            reason: .refusesEverybody,
            stage: .rcpt,
            detail: "refused \(count) messages in a row for good and accepted none",
            reply: nil
        )
    }
}
