// How often one person may be mailed, as the configuration file gives it.
// Never counts mails and never looks at a clock.

/// How close together mails of one kind to one address may be, so that nobody can flood a stranger's inbox with the
/// product's form. A limit delays a mail, it never drops one.
package struct LimitSettings: Sendable, Equatable {
    /// The least time between two mails of one kind to one address; 0 to 1 hour.
    package var minimumInterval: Duration = .seconds(60)
    /// The most mails of one kind to one address within any hour; 1 to 1,000.
    package var perHour = 6

    /// The defaults.
    package init() {}
}
