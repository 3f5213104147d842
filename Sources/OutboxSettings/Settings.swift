// What the configuration file says, as plain values with their defaults.
// Never reads a file, never holds a password, never refers to global state.

/// The configuration of outboxd. `SettingsFile.load` fills it; a test may build one by hand.
///
/// The defaults here are the ones that `config/outboxd.yaml` states; a test compares the two.
package struct Settings: Sendable, Equatable {
    /// The SQLite file with the outbox. Whether it exists is for the store to find out.
    package var database: DatabaseSettings
    /// Who the mails come from.
    package var sender: SenderSettings
    /// Absolute path of the folder with the templates; nil means the folder that was installed with outboxd.
    package var templates: String?
    /// For each kind of mail the URL template of its link: an absolute https URL (http for a loopback host) with
    /// `{token}` in it exactly once, outside the host.
    package var links: [String: String]
    /// The relays in order of preference; at least one, each with a name of its own.
    package var relays: [RelaySettings]
    /// How often one person may be mailed.
    package var limits = LimitSettings()
    /// The kinds whose older unsent messages are still sent when a newer one of that kind for the same person arrives;
    /// each has an entry in `links`. Of every other kind only the newest token is mailed.
    package var keepOlder: Set<String> = []
    /// What people who wait for a mail are told.
    package var guidance = GuidanceSettings()
    /// How long an address that takes no mail is left alone.
    package var suppression = SuppressionSettings()
    /// When a deferred message is tried again.
    package var retry = RetrySettings()
    /// How long a message without `expires_at` is tried, counted from its request; 1 minute to 30 days.
    package var giveUpAfter: Duration = .seconds(24 * 60 * 60)
    /// How long a claim on a message lasts unless it is renewed, which a living daemon does: so long after a crash its
    /// messages are tried again; 2 seconds to 24 hours.
    package var lease: Duration = .seconds(60)
    /// How often the database is looked at when nothing has announced a change; 10 ms to 1 hour.
    package var pollInterval: Duration = .seconds(1)
    /// How long messages stay that are final; 1 hour to 3650 days, and at least `guidance.window`; nil keeps them for ever.
    package var retention: Duration? = .seconds(30 * 24 * 60 * 60)
    /// How long running attempts may go on after the signal to stop; 0 to 10 minutes.
    package var shutdownGrace: Duration = .seconds(20)
    /// What is logged.
    package var log = LogSettings()

    /// Settings with only what has no default.
    package init(
        database: DatabaseSettings,
        sender: SenderSettings,
        links: [String: String],
        relays: [RelaySettings]
    ) {
        self.database = database
        self.sender = sender
        self.links = links
        self.relays = relays
    }
}
