// One relay of the configuration file, with the default of every key.
// Never opens a connection and never reads the password.

/// A relay and how it is to be treated.
package struct RelaySettings: Sendable, Equatable {
    /// Where it listens.
    package var endpoint: RelayEndpoint
    /// Its name in logs and answers: 1 to 64 characters, unique among the relays; by default `host:port`.
    package var name: String
    /// The protection a connection must have.
    package var tls: RelayTLS = .required
    /// Absolute path of a PEM file with the certificate authorities to trust instead of the system's.
    package var caFile: String?
    /// User name and password; nil sends without AUTH.
    package var credentials: RelayCredentials?
    /// The one mechanism of AUTH to use; nil means PLAIN or LOGIN over TLS, else what the relay offers.
    package var authentication: RelayAuthentication?
    /// The name to say in EHLO (RFC 5321 §4.1.1.1), a domain or an address literal; nil means this machine's host
    /// name.
    package var helo: String?
    /// The most connections open at a time; 1 to 100.
    package var connections = 10
    /// After so many messages a connection is replaced by a new one; 1 to 100,000.
    package var messagesPerConnection = 100
    /// How long an unused connection is kept open; whole seconds, 1 second to 1 hour. The default is below the 10
    /// seconds after which the strictest large relays hang up.
    package var idle: Duration = .seconds(8)
    /// How long connecting may take, TLS included; 100 milliseconds to 5 minutes.
    package var connectTimeout: Duration = .seconds(10)
    /// How long to wait for each reply; whole seconds, 1 second to 10 minutes (the longest that RFC 5321 §4.5.3.2
    /// asks for).
    package var replyTimeout: Duration = .seconds(60)
    /// How long to wait for the reply to the complete mail, the final dot; 1 second to 1 hour. The default is that of
    /// RFC 5321 §4.5.3.2.6.
    package var finalDotTimeout: Duration = .seconds(600)
    /// The most messages a second, over all connections; 0.01 to 10,000, nil for no limit.
    package var rate: Double?
    /// After so many permanent refusals in a row, without one acceptance between them, it is the relay that is
    /// suspected and not the recipients; 1 to 1,000.
    package var suspectAfter = 20

    /// A relay with the defaults.
    package init(endpoint: RelayEndpoint, name: String? = nil) {
        self.endpoint = endpoint
        self.name = name ?? endpoint.hostAndPort
    }
}
