// Whether a relay's offer of PIPELINING is believed. Never opens a connection.

import Synchronization

/// What the conversations with a relay showed about its support of PIPELINING (RFC 2920).
struct PipeliningTrust {
    private static let firstPause = Duration.seconds(600)
    private static let longestPause = Duration.seconds(86_400)

    private var isDistrusted = false
    private var isProven = false
    private var pause = Self.firstPause
    private var pausedUntil: ContinuousClock.Instant?

    /// Whether a new connection pipelines.
    func isTrusted(at now: ContinuousClock.Instant) -> Bool { !isDistrusted && pausedUntil.map { $0 <= now } ?? true }

    /// Notes the evidence that a mail left.
    ///
    /// After replies that are out of step, no connection pipelines any more. A missing reply proves nothing, because the
    /// recipient's mail system may be slow. If the relay has never answered a whole group, new connections pause for 10
    /// minutes, and twice as long each further time.
    mutating func note(_ evidence: SMTPConversation.PipeliningEvidence, at now: ContinuousClock.Instant) {
        switch evidence {
        case .none: break
        case .wholeGroup: isProven = true
        case .outOfStep: isDistrusted = true
        case .missingReply:
            // Other lanes may have had the same trouble at the same time.
            guard !isProven, isTrusted(at: now) else { return }
            pausedUntil = now + pause
            pause = min(pause * 2, Self.longestPause)
        }
    }
}

/// The trust in a relay, shared by its lanes.
package final class SharedPipeliningTrust: Sendable {
    private let trust = Mutex(PipeliningTrust())

    /// Creates trust in the relay's offer.
    package init() {}

    func isTrusted(at now: ContinuousClock.Instant) -> Bool { trust.withLock { $0.isTrusted(at: now) } }

    func note(_ evidence: SMTPConversation.PipeliningEvidence, at now: ContinuousClock.Instant) {
        trust.withLock { $0.note(evidence, at: now) }
    }
}
