// The configuration's rules about claiming and finishing, as plain values. Never reads a file.

package import OutboxTokens

/// Conditions other than time that hold or stop a message.
package struct DeliveryRules: Sendable, Hashable {
    /// The deadline of messages without `expires_at`, and of those with `valid_for` whose time has not begun; counted
    /// from the request, 1 minute to 30 days.
    package var giveUpAfter: Duration
    /// How often mails of one kind may be sent to one address; `nil` means no limit.
    package var limits: ResendLimits?
    /// The kinds whose older messages are sent even though a newer one exists.
    package var keepOlder: Set<String>
    /// How long an address that takes no mail stays suppressed; 1 hour to 3650 days.
    package var suppression: Duration
    /// Which messages get a token of outboxd's own.
    package var tokens: TokenRules

    /// Creates rules; the defaults are those of the configuration file.
    package init(
        giveUpAfter: Duration = RetrySchedule.defaultGiveUpAfter,
        limits: ResendLimits? = ResendLimits(),
        keepOlder: Set<String> = [],
        suppression: Duration = .seconds(30 * 86_400),
        tokens: TokenRules = TokenRules()
    ) {
        self.giveUpAfter = giveUpAfter
        self.limits = limits
        self.keepOlder = keepOlder
        self.suppression = suppression
        self.tokens = tokens
    }
}
