// What the configuration decides about claiming and finishing, as plain values. Never reads a file.

/// Conditions beside its time that hold or stop a message.
package struct DeliveryRules: Sendable, Hashable {
    /// The deadline, from the request on, of messages without `expires_at`; 1 minute to 30 days.
    package var giveUpAfter: Duration
    /// How often one address may be sent one kind of mail; `nil`: as often as it is asked for.
    package var limits: ResendLimits?
    /// The kinds whose older messages are sent although a newer one is there.
    package var keepOlder: Set<String>
    /// How long an address that takes no mail is not mailed; 1 hour to 3650 days.
    package var suppression: Duration

    /// Makes rules; the defaults are those of the configuration file.
    package init(
        giveUpAfter: Duration = RetrySchedule.defaultGiveUpAfter,
        limits: ResendLimits? = ResendLimits(),
        keepOlder: Set<String> = [],
        suppression: Duration = .seconds(30 * 86_400)
    ) {
        self.giveUpAfter = giveUpAfter
        self.limits = limits
        self.keepOlder = keepOlder
        self.suppression = suppression
    }
}
