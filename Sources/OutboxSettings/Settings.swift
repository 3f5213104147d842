// The configuration as the values that the program uses, in the order of config/outboxd.yaml.
// Never reads a file, never holds a password, never refers to global state.

package import Logging
package import OutboxCore

/// The configuration of outboxd. `SettingsFile.load` creates it; a test may create one by hand.
///
/// The defaults equal those in `config/outboxd.yaml`; a test compares the two.
package struct Settings: Sendable, Equatable {
    /// The SQLite file with the outbox. The store checks whether the file exists.
    package var database: DatabaseSettings
    /// The sender of the mails.
    package var sender: SenderSettings
    /// Absolute path of the folder with the templates; nil means the folder installed with outboxd.
    package var templates: String?
    /// The URL template of the link for each kind of mail: an absolute https URL (http for a loopback host) with
    /// `{token}` exactly once, outside the host.
    package var links: [String: LinkTemplate]
    /// What mails show or have in their header beside their own text: `sender.reply_to`, `sender.company`, `help`,
    /// `ask_again`, `feedback_id` and `brand`.
    package var mail = MailOptions()
    /// The relays in order of preference; at least one, with unique names.
    package var relays: [RelaySettings]
    /// `limits`, `keep_older` (each kind has an entry in `links`), `suppression` and `give_up_after`.
    package var rules = DeliveryRules()
    /// The guidance for people who wait for a mail.
    package var guidance = Guidance()
    /// `retry`, and `give_up_after` again: when a deferred message is retried.
    package var schedule = RetrySchedule()
    /// The keys of minted tokens; nil mints none.
    package var tokens: TokenSettings?
    /// `lease`, `poll_interval`, `retention` and `shutdown_grace`.
    package var times = ServiceTimes()
    /// The least severe level that is logged.
    package var logLevel = Logger.Level.info

    /// Creates settings from the values that have no default.
    package init(
        database: DatabaseSettings,
        sender: SenderSettings,
        links: [String: LinkTemplate],
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
    /// Whether outboxd creates a missing file at start. If false, outboxd notices a file system that is not mounted
    /// yet, instead of creating an empty outbox under its mount point.
    package var create: Bool

    /// Creates settings for a file that must exist, unless `create` is true.
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
    /// The template of the envelope's address; nil uses `address`.
    package var envelopeFrom: EnvelopeSenderTemplate?
    /// The address for replies; nil has none.
    package var replyTo: String?
    /// One line about the company, at most 200 characters; nil has none.
    package var company: String?

    /// Creates a sender; the reader has already checked the arguments.
    package init(address: String, name: String? = nil, envelopeFrom: EnvelopeSenderTemplate? = nil) {
        self.address = address
        self.name = name
        self.envelopeFrom = envelopeFrom
    }

    /// The address for MAIL FROM of one mail (see `EnvelopeSenderTemplate`).
    package func envelopeSender(for envelopeID: String) -> String {
        envelopeFrom?.address(for: envelopeID) ?? address
    }

    /// Reports about mails have a place to go.
    package var receivesReports: Bool { envelopeFrom != nil }
}

/// The keys of the tokens that outboxd mints: `tokens`.
package struct TokenSettings: Sendable, Equatable {
    /// The place of the key that mints.
    package var key: PasswordSource
    /// The places of keys that minted before, for messages that were mailed with them and are tried again.
    package var earlierKeys: [PasswordSource]
    /// The kinds whose mails show a code; each kind has an entry in `links`.
    package var codes: Set<String>

    /// Creates settings; nothing is read yet.
    package init(key: PasswordSource, earlierKeys: [PasswordSource] = [], codes: Set<String> = []) {
        self.key = key
        self.earlierKeys = earlierKeys
        self.codes = codes
    }
}

/// One entry of `relays`.
package struct RelaySettings: Sendable, Equatable {
    /// Where the relay listens.
    package var endpoint: RelayEndpoint
    /// User name, and password or OAuth client; nil sends without AUTH.
    package var credentials: RelayCredentials?
    /// All other values; the default name is `host:port`.
    package var configuration: RelayConfiguration

    /// Creates a relay with the defaults.
    package init(endpoint: RelayEndpoint, name: String? = nil) {
        self.endpoint = endpoint
        configuration = RelayConfiguration(name: name ?? endpoint.hostAndPort, url: endpoint.url)
    }
}

/// The credentials for SMTP AUTH (RFC 4954): a user name always has a proof.
package struct RelayCredentials: Sendable, Equatable {
    /// How the user proves its identity.
    package enum Proof: Sendable, Equatable {
        /// The place to read the password from.
        case password(PasswordSource)
        /// Access tokens of an OAuth client.
        case oauth(OAuthSettings)
    }

    /// The user name, 1 to 255 characters without control characters.
    package var user: String
    /// The password or the OAuth client.
    package var proof: Proof

    /// Creates credentials with a password; nothing is read yet.
    package init(user: String, password: PasswordSource) {
        self.user = user
        proof = .password(password)
    }

    /// Creates credentials with access tokens; nothing is read or fetched yet.
    package init(user: String, oauth: OAuthSettings) {
        self.user = user
        proof = .oauth(oauth)
    }

    /// The places of all secrets, each with its key below the relay.
    package var secrets: [(key: SecretKey, source: PasswordSource)] {
        switch proof {
        case .password(let source): [(.password, source)]
        case .oauth(let oauth):
            [
                oauth.clientSecret.map { (.clientSecret, $0) }, oauth.refreshToken.map { (.refreshToken, $0) },
            ].compactMap(\.self)
        }
    }
}

/// The client of a token server that issues access tokens for a relay (RFC 6749): `oauth`. It has a client secret or a
/// refresh token.
package struct OAuthSettings: Sendable, Equatable {
    /// The address of the token endpoint: https, or http for a loopback host; without a user, password or fragment.
    package var tokenURL: String
    /// The identifier that the provider gave this client, 1 to 255 characters.
    package var clientID: String
    /// The place of the client's secret; nil for a public client.
    package var clientSecret: PasswordSource?
    /// The place of a refresh token; nil requests tokens with the client's own credentials (RFC 6749 §4.4).
    package var refreshToken: PasswordSource?
    /// The requested scope; nil requests the provider's default.
    package var scope: String?
    /// Absolute path of a PEM file with the certificate authorities to trust for the token server.
    package var caFile: String?

    /// Creates a client; nothing is read yet.
    package init(
        tokenURL: String,
        clientID: String,
        clientSecret: PasswordSource? = nil,
        refreshToken: PasswordSource? = nil,
        scope: String? = nil,
        caFile: String? = nil
    ) {
        self.tokenURL = tokenURL
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.refreshToken = refreshToken
        self.scope = scope
        self.caFile = caFile
    }
}
