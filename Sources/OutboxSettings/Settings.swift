// What the configuration file says, as the values that the program uses, in the order of config/outboxd.yaml.
// Never reads a file, never holds a password, never refers to global state.

package import Logging
package import OutboxCore

/// The configuration of outboxd. `SettingsFile.load` fills it; a test may build one by hand.
///
/// The defaults are the ones that `config/outboxd.yaml` states; a test compares the two.
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
    /// `limits`, `keep_older` (each kind has an entry in `links`), `suppression` and `give_up_after`.
    package var rules = DeliveryRules()
    /// What people who wait for a mail are told.
    package var guidance = Guidance()
    /// `retry`, and `give_up_after` once more: when a deferred message is tried again.
    package var schedule = RetrySchedule()
    /// `lease`, `poll_interval`, `retention` and `shutdown_grace`.
    package var times = ServiceTimes()
    /// The least severe level that is logged.
    package var logLevel = Logger.Level.info

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

/// The SQLite file with the outbox: `database`.
package struct DatabaseSettings: Sendable, Equatable {
    /// Absolute path of the file; a symbolic link is followed when it is opened.
    package var path: String
    /// Whether outboxd makes the file at start where there is none. Without it a file system that is not mounted yet is
    /// noticed, instead of being covered by an empty outbox under its mount point.
    package var create: Bool

    /// Settings for a file that must be there, unless `create` says otherwise.
    package init(path: String, create: Bool = false) {
        self.path = path
        self.create = create
    }
}

/// The sender of every mail, in the From field (RFC 5322 §3.6.2) and in the envelope (RFC 5321 §4.1.1.2): `sender`.
package struct SenderSettings: Sendable, Equatable {
    /// The bare address, `local-part@domain` in ASCII, at most 254 octets.
    package var address: String
    /// The display name, 1 to 128 characters without control characters; nil sends the bare address.
    package var name: String?
    /// The template of the address in the envelope; nil puts `address` there.
    package var envelopeFrom: EnvelopeSenderTemplate?

    /// A sender; the arguments are taken as they are, the reader has checked them.
    package init(address: String, name: String? = nil, envelopeFrom: EnvelopeSenderTemplate? = nil) {
        self.address = address
        self.name = name
        self.envelopeFrom = envelopeFrom
    }
}

/// One entry of `relays`.
package struct RelaySettings: Sendable, Equatable {
    /// Where it listens.
    package var endpoint: RelayEndpoint
    /// User name and password; nil sends without AUTH.
    package var credentials: RelayCredentials?
    /// Everything else; its name is by default `host:port`.
    package var configuration: RelayConfiguration

    /// A relay with the defaults.
    package init(endpoint: RelayEndpoint, name: String? = nil) {
        self.endpoint = endpoint
        configuration = RelayConfiguration(name: name ?? endpoint.hostAndPort, url: endpoint.url)
    }
}

/// What SMTP AUTH (RFC 4954) needs: there is never a user name without the place of its password.
package struct RelayCredentials: Sendable, Equatable {
    /// The user name, 1 to 255 characters without control characters.
    package var user: String
    /// Where the password is read from.
    package var password: PasswordSource

    /// Credentials; nothing is read yet.
    package init(user: String, password: PasswordSource) {
        self.user = user
        self.password = password
    }
}
