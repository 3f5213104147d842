// The consequences of a failed attempt, as a value. Never decides them (see FailurePolicy).

/// The consequences of a failed attempt.
package struct Verdict: Hashable, Sendable {
    /// Whose fault a failure is. The raw values are those of the columns `fault`.
    package enum Fault: String, CaseIterable, Sendable {
        /// This recipient's address: other mails would pass.
        case recipient
        /// This mail: its content, size or template values.
        case message
        /// The relay: no mail passes at the moment.
        case relay
        /// A problem that an operator must fix: credentials, certificate, sender address, templates.
        case configuration
    }

    /// Whether another attempt can help.
    package enum Disposition: String, Hashable, Sendable {
        /// Try again: the problem is, or may be, temporary.
        case again
        /// Never again: another attempt would get the same answer.
        case final
    }

    /// Whose fault it is.
    package let fault: Fault
    /// Whether another attempt follows.
    package let disposition: Disposition
    /// Why it failed.
    package let reason: FailureReason
    /// The delay before the next attempt that the other side asked for.
    package let retryAfter: Duration?
    /// How long to leave the relay alone, according to its words: a moment for a rate, longer for a quota per hour or
    /// day (``FailurePolicy/ratePause`` and the like). `nil` where the words don't say.
    package let pause: Duration?

    /// Creates a verdict.
    package init(
        _ fault: Fault,
        _ disposition: Disposition,
        _ reason: FailureReason,
        retryAfter: Duration? = nil,
        pause: Duration? = nil
    ) {
        self.fault = fault
        self.disposition = disposition
        self.reason = reason
        self.retryAfter = retryAfter
        self.pause = pause
    }
}
