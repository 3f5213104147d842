// Whether a relay may be given messages, as a state machine. Pure: the time is an argument.

package import InternetMessage

/// A problem of a relay.
package struct RelayTrouble: Hashable, Sendable {
    /// `relay` or `configuration`.
    package let fault: Verdict.Fault
    /// Why the relay was paused.
    package let reason: FailureReason
    /// The stage that the conversation reached.
    package let stage: SMTPStage
    /// The relay's own words, or libcurl's.
    package let detail: String
    /// The relay's refusing reply, if there was one.
    package let reply: SMTPReply?

    /// Creates a description of a problem.
    package init(fault: Verdict.Fault, reason: FailureReason, stage: SMTPStage, detail: String, reply: SMTPReply?) {
        self.fault = fault
        self.reason = reason
        self.stage = stage
        self.detail = detail
        self.reply = reply
    }
}

/// An event at a relay.
package enum RelayEvent: Hashable, Sendable {
    /// A message is sent to the relay as a probe.
    case probed
    /// The relay accepted a message.
    case accepted
    /// The relay refused a message for a reason that is not its own fault: it works.
    case answered
    /// The relay or the configuration failed. `pause`: how long the relay's words ask to be left alone.
    case failed(RelayTrouble, pause: Duration?)
    /// The relay's answers are implausible for all recipients: it may be wrong about all of them (see
    /// ``RelayEvidence``).
    case suspected(RelayTrouble)
    /// The probe came back before it had a result.
    case probeReturned
    /// The relay's configuration was reloaded.
    case reconfigured

    /// The relay or the configuration failed, and the reply asked for no pause.
    package static func failed(_ trouble: RelayTrouble) -> RelayEvent { .failed(trouble, pause: nil) }
}

/// Whether a relay may be given messages.
///
/// | state | event | next |
/// |---|---|---|
/// | up, suspected | failed | paused for 1 s, or for as long as its words say |
/// | up | suspected | suspected |
/// | suspected | accepted | up |
/// | paused | probed, once the pause is over | probing |
/// | paused | accepted, answered: by a message that was under way | up |
/// | paused | failed: one that was under way as well | paused |
/// | paused | reconfigured | paused until now |
/// | probing | accepted, answered | up |
/// | probing | suspected | suspected |
/// | probing | failed | paused for twice as long as before, 10 s at most, or for as long as its words say |
/// | probing | probe returned | paused until now |
///
/// A suspected relay takes messages; only the messages that it refuses or fails are treated differently. A relay that
/// is up is preferred to it. An acceptance does not end a pause that the relay asked for.
package struct RelayHealth: Hashable, Sendable {
    /// The state of a relay.
    package enum State: Hashable, Sendable {
        /// The relay takes messages as fast as it can.
        case up
        /// The relay takes messages, but its refusals are provisional.
        case suspected
        /// The relay is left alone until the given time, and then probed.
        case paused(until: Timestamp)
        /// A message is testing whether the relay works again.
        case probing
    }

    /// The news for the operator.
    package enum Change: Hashable, Sendable {
        /// Nothing new.
        case none
        /// The relay was up, and is now paused.
        case wentDown(RelayTrouble)
        /// The relay was up, and is now suspected.
        case becameSuspect(RelayTrouble)
        /// The relay was not up, and still doesn't work.
        case stillDown(RelayTrouble)
        /// The relay works again, after this time.
        case cameBack(after: Duration)
    }

    /// The first pause.
    package static let shortestPause = Duration.seconds(1)
    /// The longest pause that the relay's words did not ask for. After an outage, the recovery is noticed at most this
    /// much later.
    package static let longestPause = Duration.seconds(10)
    /// After this time, an unanswered probe no longer blocks another one: the probe's recipient may be slow.
    package static let probeInterval = Duration.seconds(2)

    /// How long after a recovery the backlog should have drained.
    package static let catchingUp = Duration.seconds(15)
    /// Retry delay during that period: these messages have already used up their five minutes.
    package static let catchingUpDelay = Duration.seconds(2)

    /// The relay's current state.
    package private(set) var state = State.up
    /// Why the relay isn't up; `nil` while it is.
    package private(set) var trouble: RelayTrouble?
    /// Since when the relay has not been up; `nil` while it is.
    package private(set) var downSince: Timestamp?

    private var pause = Self.shortestPause
    /// The length of the current pause. The wait never exceeds it, even if the clock was set back meanwhile.
    private var pausedFor = Self.shortestPause
    private var probedAt: Timestamp?
    /// The relay itself asked for the pause.
    private var isResting = false
    private var cameBackAt: Timestamp?

    /// Creates the health of a relay that is up.
    package init() {}

    /// Whether the relay has no problem.
    package var isUp: Bool { state == .up }

    /// Whether the relay takes messages other than probes.
    package var takesMessages: Bool { state == .up || state == .suspected }

    /// Whether a message may be sent to the relay as a probe.
    package func isDueForProbe(at now: Timestamp) -> Bool {
        probesAt(now).map { $0 <= now } ?? false
    }

    /// When the next probe is due; `nil` while the relay takes messages.
    package func probesAt(_ now: Timestamp) -> Timestamp? {
        switch state {
        case .up, .suspected: return nil
        case .paused(let until): return until > now + pausedFor ? now : until
        case .probing:
            guard let probedAt, probedAt <= now else { return now }
            return probedAt + Self.probeInterval
        }
    }

    /// Whether the relay has just recovered, so that the messages that waited for it are urgent.
    package func isCatchingUp(at now: Timestamp) -> Bool {
        cameBackAt.map { ($0..<$0 + Self.catchingUp).contains(now) } ?? false
    }

    /// Applies an event.
    package mutating func handle(_ event: RelayEvent, now: Timestamp) -> Change {
        switch event {
        case .probed:
            guard isDueForProbe(at: now) else { preconditionFailure("only a relay whose pause is over is probed") }
            state = .probing
            probedAt = now
            return .none
        case .accepted:
            return isAtRest(now) ? .none : comeUp(now)
        case .answered:
            return state == .suspected || isAtRest(now) ? .none : comeUp(now)
        case .failed(let trouble, let asked):
            return fail(trouble, asked, now)
        case .suspected(let trouble):
            if isAtRest(now) { return .none }
            let wasDown = downSince != nil
            self.trouble = trouble
            downSince = downSince ?? now
            state = .suspected
            return wasDown ? .stillDown(trouble) : .becameSuspect(trouble)
        case .probeReturned, .reconfigured:
            isResting = false
            if !takesMessages { state = .paused(until: now) }
            return .none
        }
    }

    /// A message that was being sent before the relay asked for a pause doesn't end the pause.
    private func isAtRest(_ now: Timestamp) -> Bool {
        if case .paused(let until) = state { until > now && isResting } else { false }
    }

    private mutating func fail(_ trouble: RelayTrouble, _ asked: Duration?, _ now: Timestamp) -> Change {
        // A configuration fault, or a pause that the relay asks for, is news even for a suspected relay.
        let isNew = state == .up || state == .suspected && (trouble.fault == .configuration || asked != nil)
        isResting = asked != nil || isResting && !takesMessages
        self.trouble = trouble
        switch state {
        case .up, .suspected:
            downSince = downSince ?? now
            pause = Self.shortestPause
            leaveAlone(for: max(pause, asked ?? .zero), now)
        case .probing:
            pause = min(pause * 2, Self.longestPause)
            leaveAlone(for: max(pause, asked ?? .zero), now)
        case .paused(let until):
            if let asked, now + asked > until { leaveAlone(for: asked, now) }
        }
        return isNew ? .wentDown(trouble) : .stillDown(trouble)
    }

    private mutating func leaveAlone(for duration: Duration, _ now: Timestamp) {
        pausedFor = duration
        state = .paused(until: now + duration)
    }

    private mutating func comeUp(_ now: Timestamp) -> Change {
        guard let since = downSince else { return .none }
        state = .up
        isResting = false
        cameBackAt = now
        trouble = nil
        downSince = nil
        probedAt = nil
        return .cameBack(after: now.timeSince(since))
    }
}
