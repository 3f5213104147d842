// Whether a relay may be given messages, as a state machine. Pure: the present comes in as an argument.

package import InternetMessage

/// What is wrong with a relay.
package struct RelayTrouble: Hashable, Sendable {
    /// `relay` or `configuration`.
    package let fault: Verdict.Fault
    /// Why the relay was paused.
    package let reason: FailureReason
    /// How far the conversation had come.
    package let stage: SMTPStage
    /// The relay's own words, or libcurl's.
    package let detail: String
    /// The relay's refusing reply, where there was one.
    package let reply: SMTPReply?

    /// Makes it.
    package init(fault: Verdict.Fault, reason: FailureReason, stage: SMTPStage, detail: String, reply: SMTPReply?) {
        self.fault = fault
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
    /// It refused a message, for a reason that is not its own: it works.
    case answered
    /// It, or the configuration, failed. `pause`: how long its words say that it is to be left alone.
    case failed(RelayTrouble, pause: Duration?)
    /// Its answers fit nobody: it may be wrong about all of them (see ``RelayEvidence``).
    case suspected(RelayTrouble)
    /// The probe was taken back before it told anything.
    case probeReturned
    /// Its configuration was read anew.
    case reconfigured

    /// It, or the configuration, failed, and said nothing of how long.
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
/// A suspected relay takes messages: only the messages that it refuses or fails are treated otherwise. Where another relay
/// is up, that one is preferred. An acceptance does not end a pause that the relay asked for.
package struct RelayHealth: Hashable, Sendable {
    /// Where a relay is.
    package enum State: Hashable, Sendable {
        /// It takes messages as fast as it can.
        case up
        /// It takes messages, and what it refuses is provisional.
        case suspected
        /// It is left alone until a moment, and then probed.
        case paused(until: Timestamp)
        /// A message is finding out whether it works again.
        case probing
    }

    /// What a caller should tell the operator.
    package enum Change: Hashable, Sendable {
        /// Nothing that wasn't known.
        case none
        /// It was up, and is paused.
        case wentDown(RelayTrouble)
        /// It was up, and is suspected.
        case becameSuspect(RelayTrouble)
        /// It was not up, and still doesn't work.
        case stillDown(RelayTrouble)
        /// It works again, after so long.
        case cameBack(after: Duration)
    }

    /// The first pause.
    package static let shortestPause = Duration.seconds(1)
    /// The longest pause that the relay's words did not ask for: after an outage the relay is found working this much
    /// later at most.
    package static let longestPause = Duration.seconds(10)
    /// A probe that is still unanswered after this time does not keep another one waiting: it may be the message's
    /// recipient that is slow.
    package static let probeInterval = Duration.seconds(2)

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

    private var pause = Self.shortestPause
    /// How long the pause under way was to last: no more is waited, even where the clock was set back meanwhile.
    private var pausedFor = Self.shortestPause
    private var probedAt: Timestamp?
    /// It said itself how long it is to be left alone.
    private var isResting = false
    private var cameBackAt: Timestamp?

    /// A relay that is up.
    package init() {}

    /// Whether nothing is wrong with it.
    package var isUp: Bool { state == .up }

    /// Whether it takes messages other than probes.
    package var takesMessages: Bool { state == .up || state == .suspected }

    /// Whether a message may be handed to it as a probe.
    package func isDueForProbe(at now: Timestamp) -> Bool {
        probesAt(now).map { $0 <= now } ?? false
    }

    /// When it is to be probed, or probed once more; `nil` while it takes messages.
    package func probesAt(_ now: Timestamp) -> Timestamp? {
        switch state {
        case .up, .suspected: return nil
        case .paused(let until): return until > now + pausedFor ? now : until
        case .probing:
            guard let probedAt, probedAt <= now else { return now }
            return probedAt + Self.probeInterval
        }
    }

    /// Whether it came back a moment ago, so that messages which waited for it are in a hurry.
    package func isCatchingUp(at now: Timestamp) -> Bool {
        cameBackAt.map { ($0..<$0 + Self.catchingUp).contains(now) } ?? false
    }

    /// Takes an event in.
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

    /// A message that was under way before the relay asked for a rest doesn't end the rest.
    private func isAtRest(_ now: Timestamp) -> Bool {
        if case .paused(let until) = state { until > now && isResting } else { false }
    }

    private mutating func fail(_ trouble: RelayTrouble, _ asked: Duration?, _ now: Timestamp) -> Change {
        // That the configuration is to be mended, or that the relay asks for a rest, is news of a suspected relay, too.
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
