// Where an operator fixes a problem. Never says how a problem is recognised (see FailurePolicy).

/// The place of an operator's fix, and the step that makes outboxd use it.
package struct Remedy: Hashable, Sendable {
    /// The configuration keys to check, or something outside the configuration: a DNS record, a blocklist.
    package let place: String
    /// The keys belong to one relay.
    package let isOfRelay: Bool
    /// The operator's step after the fix; `nil` where outboxd detects the fix by itself.
    package let then: String?

    private static let reload = "reload outboxd"
    /// systemd reads a credential only at the start of the service (systemd.exec(5), `LoadCredential=`).
    private static let reloadOrRestart = "reload outboxd, or restart it if the secret is a systemd credential"

    private init(_ place: String, isOfRelay: Bool = false, then: String? = nil) {
        self.place = place
        self.isOfRelay = isOfRelay
        self.then = then
    }

    /// The remedy of a failure; `nil` where only the relay, the recipient or the mail can change.
    package init?(_ reason: FailureReason) {
        switch reason {
        case .certificateNotTrusted: self.init("ca_file", isOfRelay: true, then: Self.reload)
        case .startTLSNotOffered, .encryptionRequired: self.init("tls", isOfRelay: true, then: Self.reload)
        case .authenticationRefused, .authenticationRequired, .relayingDenied:
            self.init("user and password", isOfRelay: true, then: Self.reloadOrRestart)
        case .tokenRefused: self.init("oauth", isOfRelay: true, then: Self.reloadOrRestart)
        case .authenticationNotOffered: self.init("user, password and tls", isOfRelay: true, then: Self.reload)
        case .accountRefused: self.init("user (its account at the provider)", isOfRelay: true)
        case .senderRefused: self.init("sender.address", then: Self.reload)
        case .heloRefused: self.init("helo", isOfRelay: true, then: Self.reload)
        case .addressBlocked: self.init("the blocklist or reputation of this machine's IP address")
        case .reverseDNSMissing: self.init("DNS: the PTR record of this machine's IP address")
        case .spfFailed: self.init("DNS: the SPF record of sender.address's domain")
        case .dkimFailed: self.init("DNS: the DKIM record of sender.address's domain")
        case .dmarcFailed: self.init("DNS: the DMARC, SPF and DKIM records of sender.address's domain")
        case .domainNotAuthenticated: self.init("DNS: the SPF and DKIM records of sender.address's domain")
        case .noTemplates: self.init("templates", then: Self.reload)
        case .noTokenKey: self.init("tokens", then: Self.reloadOrRestart)
        case .nameNotResolved: self.init("url", isOfRelay: true, then: Self.reload)
        case .noConnection, .connectionLost, .timedOut, .garbledReply, .outOfStep, .tlsFailed, .libcurlError,
            .relayClosing, .sessionRefused, .relayFull, .relayNotReady, .protocolError, .authenticationUnavailable,
            .tokenUnavailable, .senderDeferred, .refusesEverybody, .quotaExceeded, .rateLimited, .greylisted,
            .unknownRecipient,
            .badDomain, .mailboxDisabled, .mailboxFull, .recipientDeferred, .recipientRefused, .unusableRecipient,
            .smtpUTF8Unsupported, .expired, .policyRefusal, .messageTooBig, .contentRefused, .messageDeferred,
            .messageRefused, .unusableValues, .interrupted, .endsOutboxd:
            return nil
        }
    }

    /// The place for the operator of one relay.
    ///
    /// - Parameters:
    ///   - setting: the relay's place in the configuration, such as `relays[0]`.
    ///   - usesTokens: the relay's login needs access tokens instead of a password.
    package func place(at setting: String, usesTokens: Bool) -> String {
        guard isOfRelay else { return place }
        return "\(setting): \(usesTokens ? place.replacing("password", with: "oauth") : place)"
    }

    /// The rows of the table in docs/failures.md.
    package static var tableRows: [String] {
        FailureReason.allCases.compactMap { reason in
            Remedy(reason).map { remedy in
                "| `\(reason.rawValue)` | \(remedy.isOfRelay ? "the relay's " : "")\(remedy.place) | \(remedy.then ?? "") |"
            }
        }
    }
}
