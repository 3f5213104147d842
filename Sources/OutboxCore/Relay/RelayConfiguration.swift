// How one relay is reached and how hard it is used, with the default of every key of the configuration file. Never holds a
// password, never opens a connection.

/// How a connection to a relay is protected. `smtps://` is TLS from the first byte (RFC 8314 §3.3) and goes with `required`
/// only; for `smtp://` this says what becomes of STARTTLS (RFC 3207).
package enum TLSPolicy: String, Sendable, Hashable, CaseIterable {
    /// No mail without TLS and a valid certificate.
    case required
    /// TLS where the relay offers it, otherwise in the clear: protects from listeners, not from an active attacker.
    case opportunistic
    /// Always in the clear; for a relay on this machine.
    case none
}

/// A mechanism of AUTH (RFC 4954), by its name in the registry of SASL mechanisms in lower case.
package enum AuthenticationMechanism: String, Sendable, Hashable, CaseIterable {
    /// RFC 4616.
    case plain
    /// What Microsoft's and many other servers offer beside it; never standardised.
    case login
    /// RFC 2195.
    case cramMD5 = "cram-md5"
    /// RFC 2831, historic since RFC 6331.
    case digestMD5 = "digest-md5"
    /// Microsoft's.
    case ntlm
    /// Kerberos (RFC 4752); needs a ticket of the user that outboxd runs as.
    case gssapi
}

/// One relay of the configuration file, but for its credentials.
package struct RelayConfiguration: Sendable, Hashable {
    /// What the relay is called in logs, answers and attempts' rows: 1 to 64 characters, unique among the relays.
    package var name: String
    /// `smtp://host:port` or `smtps://host:port`, without a path.
    package var url: String
    /// The protection that a connection must have.
    package var tls: TLSPolicy
    /// Absolute path of a PEM file with the certificate authorities to trust instead of the system's.
    package var caFile: String?
    /// The one mechanism of AUTH to use; `nil`: PLAIN or LOGIN over TLS, else what the relay offers.
    package var authentication: AuthenticationMechanism?
    /// The name to say in EHLO (RFC 5321 §4.1.1.1), a domain or an address literal; `nil`: this machine's host name.
    package var helo: String?
    /// The most connections that are open at a time, each of which is a lane; 1 to 100.
    package var connections = 10
    /// After so many messages a connection is replaced by a new one; 1 to 100,000.
    package var messagesPerConnection = 100
    /// How long an unused connection is kept open; whole seconds, 1 second to 1 hour. The default is below the 10 seconds
    /// after which the strictest large relays hang up.
    package var idle: Duration = .seconds(8)
    /// How long name look-up, TCP connection and TLS handshake may take; 100 milliseconds to 5 minutes.
    package var connectTimeout: Duration = .seconds(10)
    /// How long each reply and each piece of the content may take; whole seconds (libcurl knows no finer unit), 1 second to
    /// 10 minutes, the longest that RFC 5321 §4.5.3.2 asks for.
    package var replyTimeout: Duration = .seconds(60)
    /// How long the reply to the final dot may take; 1 second to 1 hour. The default is that of RFC 5321 §4.5.3.2.6:
    /// whoever gives up before the reply comes sends twice.
    package var finalDotTimeout: Duration = .seconds(600)
    /// The most messages a second, over all connections; 0.01 to 10,000. `nil`: as fast as the relay takes them.
    package var rate: Double?
    /// After so many permanent refusals in a row, without one acceptance between them, the relay is suspected and not the
    /// recipients; 1 to 1,000.
    package var suspectAfter = 20

    /// A relay with the defaults.
    package init(name: String, url: String, tls: TLSPolicy = .required) {
        self.name = name
        self.url = url
        self.tls = tls
    }
}
