// The behaviour of a server as plain values with defaults. Faults are separate, because they change while it runs.

package import Foundation
import ServiceProcess

extension FakeSMTPServer {
    /// Whether and when TLS begins.
    package enum TLSMode: String, Sendable, Hashable, CaseIterable {
        /// Never.
        case none
        /// With the STARTTLS command (RFC 3207).
        case startTLS = "starttls"
        /// At once, as on port 465 (RFC 8314 §3.3).
        case implicit
    }

    /// The amount of records in the ledger.
    package enum Retention: Sendable, Hashable {
        /// Every connection, mail and firing, for tests that inspect them.
        case everything
        /// Counts only, so that memory does not grow in a throughput test.
        case counts
    }

    /// The settings of one server.
    package struct Options: Sendable {
        /// The loopback address to listen on: `127.0.0.1`, `::1` or `localhost` (which is `127.0.0.1`).
        package var host = "127.0.0.1"
        /// The TCP port; 0 for a free one.
        package var port = 0
        /// Whether and when TLS begins.
        package var tls = TLSMode.none
        /// The kind of the server's certificate.
        package var certificate = LocalCertificate.Kind.valid
        /// Refuses MAIL with 530 before TLS.
        package var requiresTLS = false
        /// The name in the greeting and in EHLO's answer.
        package var hostname = "fake-smtp.localhost"
        /// The extensions that EHLO may announce; the server also rejects the use of any other.
        package var offers = Set(SMTPExtension.allCases)
        /// Whether EHLO's answer announces PIPELINING.
        var offersPipelining: Bool {
            understandsEHLO && (ehloLines?.contains("PIPELINING") ?? offers.contains(.pipelining))
        }
        /// Sends the replies to a group of commands together after the last of them (RFC 2920 §3.2), as Postfix does, even
        /// if a delay or a hang comes between.
        package var holdsReplies = false
        /// The lines of EHLO's answer after its first, in place of the extensions' lines; `nil` for those. The commands
        /// that the server accepts stay the same.
        package var ehloLines: [String]?
        /// If false, EHLO gets 502, so that only HELO is left.
        package var understandsEHLO = true
        /// Passwords by user name. AUTH is offered only if there are any.
        package var credentials: [String: String] = [:]
        /// The offered mechanisms, in this order.
        package var mechanisms: [SASLMechanism] = [.plain, .login]
        /// Offered mechanisms with which every response gets 535.
        package var failingMechanisms: Set<SASLMechanism> = []
        /// Refuses MAIL with 530 before AUTH.
        package var requiresAuthentication = false
        /// Offers AUTH before STARTTLS, too.
        package var offersAuthenticationBeforeTLS = false
        /// The largest mail in octets (RFC 1870).
        package var maximumMessageSize = 10 * 1_024 * 1_024
        /// The most recipients of one mail; RFC 5321 §4.5.3.1.8 asks for at least 100.
        package var maximumRecipients = 1_000
        /// Connections above this number are greeted with 421; `nil` for no limit.
        package var maximumConnections: Int?
        /// After this number of accepted mails, the next MAIL is answered with 421; `nil` for no limit.
        package var messagesPerConnection: Int?
        /// MAILMAX of LIMITS (RFC 9422): after this number of MAIL commands, whatever their answers, the next one is
        /// answered with 421; `nil` for no limit.
        package var mailMax: Int?
        /// Closes a connection after this time without a byte from the client; `nil` for never.
        package var idleTimeout: Duration?
        /// Whether an idle connection gets a 421 before it is closed.
        package var saysGoodbyeWhenIdle = true
        /// The delay before every reply.
        package var replyDelay = Duration.zero
        /// The seed of `odds`: the same seed and the same order of events give the same faults.
        package var seed: UInt64 = 1
        /// The folder for accepted mail as `.eml` files, created if missing; `nil` for none. One folder per server.
        package var store: URL?
        /// A file that gets one JSON line for each accepted mail and each fault that fired.
        package var journal: URL?
        /// The amount of records in the ledger.
        package var retention = Retention.everything
        /// Called with one line for each command and reply, secrets redacted; `nil` for none.
        package var log: (@Sendable (String) -> Void)?
        /// Called with problems inside the server itself, such as a full disk.
        package var reportProblem: @Sendable (String) -> Void = { StandardError.write("\($0)\n") }
        /// The clock for the times in records.
        package var now: @Sendable () -> Date = { Date() }

        /// Creates settings with the defaults above; the most usual ones are parameters.
        package init(
            tls: TLSMode = .none,
            credentials: [String: String] = [:],
            store: URL? = nil
        ) {
            self.tls = tls
            self.credentials = credentials
            self.store = store
        }
    }
}
