// How to reach one relay and how hard to use it, with the default of every key of the configuration file. Never holds a
// password, never opens a connection.

/// How a connection to a relay is protected. `smtps://` is TLS from the first byte (RFC 8314 §3.3) and permits only
/// `required`; for `smtp://` the policy decides about STARTTLS (RFC 3207).
package enum TLSPolicy: String, Sendable, Hashable, CaseIterable {
    /// No mail without TLS and a valid certificate.
    case required
    /// TLS where the relay offers it, otherwise clear text: protects against listeners, not against an active attacker.
    case opportunistic
    /// Always clear text; for a relay on this machine.
    case none
}

/// An AUTH mechanism (RFC 4954), by its name in the SASL registry in lower case.
package enum AuthenticationMechanism: String, Sendable, Hashable, CaseIterable {
    /// RFC 4616.
    case plain
    /// Not standardised; offered by Microsoft's and many other servers.
    case login
    /// RFC 2195.
    case cramMD5 = "cram-md5"
    /// RFC 2831, historic since RFC 6331.
    case digestMD5 = "digest-md5"
    /// Microsoft's.
    case ntlm
    /// Kerberos (RFC 4752); needs a ticket of the user that outboxd runs as.
    case gssapi
    /// Google's and Microsoft's, with an access token (https://developers.google.com/gmail/imap/xoauth2-protocol).
    case xoauth2
    /// RFC 7628, with an access token.
    case oauthBearer = "oauthbearer"

    /// Whether the mechanism takes an access token instead of a password.
    package var takesToken: Bool {
        switch self {
        case .xoauth2, .oauthBearer: true
        case .plain, .login, .cramMD5, .digestMD5, .ntlm, .gssapi: false
        }
    }
}

/// The reports that a relay with DSN is asked for (RFC 3461), where they have a place to go (`sender.envelope_from`).
package enum RequestedReports: String, Sendable, Hashable, CaseIterable {
    /// Nothing is requested: mail systems report failures by themselves, and delays as they like.
    case none
    /// Reports of failures and delays.
    case failure
    /// Reports of deliveries, too.
    case success
}

/// One relay of the configuration file, without its credentials.
package struct RelayConfiguration: Sendable, Hashable {
    /// The relay's name in logs, answers and attempts' rows: 1 to 64 characters, unique among the relays.
    package var name: String
    /// `smtp://host:port` or `smtps://host:port`, without a path.
    package var url: String
    /// The protection that a connection must have.
    package var tls: TLSPolicy
    /// Absolute path of a PEM file with the certificate authorities to trust instead of the system's.
    package var caFile: String?
    /// The only AUTH mechanism to use; `nil` means PLAIN or LOGIN over TLS, else any that the relay offers, and with
    /// access tokens XOAUTH2, else OAUTHBEARER.
    package var authentication: AuthenticationMechanism?
    /// The name to send in EHLO (RFC 5321 §4.1.1.1), a domain or an address literal; `nil` means this machine's host
    /// name.
    package var helo: String?
    /// The maximum number of open connections, each of which is a lane; 1 to 100.
    package var connections = 10
    /// The number of messages after which a connection is replaced; 1 to 100,000.
    package var messagesPerConnection = 100
    /// How long an unused connection is kept open; whole seconds, 1 second to 1 hour. The default is below 10 seconds,
    /// after which the strictest large relays hang up.
    package var idle: Duration = .seconds(8)
    /// The time limit for name look-up, TCP connection and TLS handshake together; 100 milliseconds to 5 minutes.
    package var connectTimeout: Duration = .seconds(10)
    /// The time limit for each reply and each piece of the content; whole seconds (libcurl has no finer unit), 1 second
    /// to 10 minutes, the longest that RFC 5321 §4.5.3.2 asks for.
    package var replyTimeout: Duration = .seconds(60)
    /// Time limits in place of ``replyTimeout``, for the replies to MAIL, RCPT and DATA and for each piece of the content
    /// (`body`); 1 second to 10 minutes.
    package var stageTimeouts: [SMTPStage: Duration] = [:]
    /// The time limit for the reply to the final dot; 1 second to 1 hour. The default is that of RFC 5321 §4.5.3.2.6: a
    /// client that gives up before the reply comes sends the mail twice.
    package var finalDotTimeout: Duration = .seconds(600)
    /// The maximum number of messages per second, over all connections; 0.01 to 10,000. `nil` means no limit.
    package var rate: Double?
    /// After this many permanent refusals in a row, without an acceptance, the relay is suspected instead of the
    /// recipients; 1 to 1,000.
    package var suspectAfter = 20
    /// The reports to request if the relay offers DSN.
    package var dsn = RequestedReports.failure

    /// The time limit of a stage from MAIL on.
    package func timeout(at stage: SMTPStage) -> Duration {
        stage == .finalDot ? finalDotTimeout : stageTimeouts[stage] ?? replyTimeout
    }

    /// The longest time that any reply but that to the final dot may take.
    package var longestReplyTimeout: Duration {
        var longest = replyTimeout
        for (stage, timeout) in stageTimeouts where stage != .body { longest = max(longest, timeout) }
        return longest
    }

    /// Creates a relay with the defaults.
    package init(name: String, url: String, tls: TLSPolicy = .required) {
        self.name = name
        self.url = url
        self.tls = tls
    }
}
