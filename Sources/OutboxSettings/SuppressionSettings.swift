// How long an address that takes no mail is left alone.
// Never holds an address, never judges a reply.

/// What becomes of an address after a relay has called its user unknown, or a mail to it has bounced.
package struct SuppressionSettings: Sendable, Equatable {
    /// How long the address is not mailed; 1 hour to 3650 days.
    package var duration: Duration = .seconds(30 * 24 * 60 * 60)

    /// The default.
    package init() {}
}
