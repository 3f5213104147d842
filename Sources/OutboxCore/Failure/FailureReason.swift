// Why an attempt failed, as stable codes. Never says how a reason is recognised (see FailurePolicy).

/// Why an attempt failed. The raw values are those of the column `outbox_attempt.reason`, stable for programs.
package enum FailureReason: String, CaseIterable, Sendable {
    // The relay, or the way to it.
    case nameNotResolved = "name-not-resolved"
    case noConnection = "no-connection"
    case connectionLost = "connection-lost"
    case timedOut = "timed-out"
    case garbledReply = "garbled-reply"
    case outOfStep = "out-of-step"
    case tlsFailed = "tls-failed"
    case libcurlError = "libcurl-error"
    case relayClosing = "relay-closing"
    case sessionRefused = "session-refused"
    case relayFull = "relay-full"
    case relayNotReady = "relay-not-ready"
    case protocolError = "protocol-error"
    case authenticationUnavailable = "authentication-unavailable"
    case senderDeferred = "sender-deferred"
    /// The relay gave so many permanent refusals in a row that it is suspected rather than its recipients.
    case refusesEverybody = "refuses-everybody"
    /// We sent more mail than our contract allows in an hour, a day or a month.
    case quotaExceeded = "quota-exceeded"
    /// Too much mail, or too many connections, at a time: ours, or, with the recipient at fault, the mailbox's.
    case rateLimited = "rate-limited"

    // Problems that an operator must fix.
    case certificateNotTrusted = "certificate-not-trusted"
    case startTLSNotOffered = "starttls-not-offered"
    case authenticationRefused = "authentication-refused"
    case authenticationRequired = "authentication-required"
    case authenticationNotOffered = "authentication-not-offered"
    case relayingDenied = "relaying-denied"
    case senderRefused = "sender-refused"
    case noTemplates = "no-templates"
    /// The relay requires TLS before it takes a mail.
    case encryptionRequired = "encryption-required"
    /// Our account at the relay's provider is suspended, or has no permission to send (like this).
    case accountRefused = "account-refused"
    /// The relay rejects the name that we send in EHLO.
    case heloRefused = "helo-refused"
    /// Our IP address is blocked: by a blocklist, a bad reputation, or a ban on its network.
    case addressBlocked = "address-blocked"
    /// Our IP address has no name in DNS, or a name that doesn't resolve back to it.
    case reverseDNSMissing = "reverse-dns-missing"
    case spfFailed = "spf-failed"
    case dkimFailed = "dkim-failed"
    case dmarcFailed = "dmarc-failed"
    /// Neither SPF nor DKIM authenticates the sender's domain, or the reply doesn't say which one fails.
    case domainNotAuthenticated = "domain-not-authenticated"

    // The recipient.
    case greylisted
    case unknownRecipient = "unknown-recipient"
    case badDomain = "bad-domain"
    case mailboxDisabled = "mailbox-disabled"
    case mailboxFull = "mailbox-full"
    case recipientDeferred = "recipient-deferred"
    case recipientRefused = "recipient-refused"
    case unusableRecipient = "unusable-recipient"
    /// The address has non-ASCII characters before the @, which this relay doesn't support (RFC 6531).
    case smtpUTF8Unsupported = "smtputf8-unsupported"
    /// Another mail system gave up after trying for a long time.
    case expired

    // The message.
    case policyRefusal = "policy-refusal"
    case messageTooBig = "message-too-big"
    case contentRefused = "content-refused"
    case messageDeferred = "message-deferred"
    case messageRefused = "message-refused"
    case unusableValues = "unusable-values"
    case interrupted
    /// outboxd died each time that it tried the message alone.
    case endsOutboxd = "ends-outboxd"

    /// The subject of a reason. The properties below use it, so that a new reason is classified once.
    private enum Subject {
        /// The way to the relay, or the relay's own failure.
        case relay
        /// Our quota, rate, sender, identity, address or DNS records.
        case ourselves
        /// The settings, without a reply from the relay about them.
        case settings
        /// The recipient's address doesn't exist, or is permanently disabled.
        case deadAddress
        /// The recipient's address can't be used in a mail, or can't be reached through this relay.
        case unusableAddress
        /// The mailbox, or its mail system, at the moment.
        case mailbox
        /// A refusal without a reason.
        case unexplained
        /// A policy against the mail.
        case policy
        /// The mail itself.
        case mail
    }

    private var subject: Subject {
        switch self {
        case .nameNotResolved, .noConnection, .connectionLost, .timedOut, .garbledReply, .outOfStep, .tlsFailed,
            .libcurlError,
            .relayClosing, .sessionRefused, .relayFull, .relayNotReady, .protocolError, .authenticationUnavailable,
            .refusesEverybody:
            .relay
        case .quotaExceeded, .rateLimited, .senderDeferred, .senderRefused, .accountRefused, .heloRefused,
            .addressBlocked, .reverseDNSMissing, .spfFailed, .dkimFailed, .dmarcFailed, .domainNotAuthenticated,
            .authenticationRefused, .authenticationRequired, .encryptionRequired, .relayingDenied:
            .ourselves
        case .certificateNotTrusted, .startTLSNotOffered, .authenticationNotOffered, .noTemplates: .settings
        case .unknownRecipient, .badDomain, .mailboxDisabled: .deadAddress
        case .unusableRecipient, .smtpUTF8Unsupported: .unusableAddress
        case .mailboxFull, .greylisted, .recipientDeferred, .expired: .mailbox
        case .recipientRefused, .messageRefused: .unexplained
        case .policyRefusal: .policy
        case .messageTooBig, .contentRefused, .messageDeferred, .unusableValues, .interrupted, .endsOutboxd: .mail
        }
    }

    /// The address takes no mail, so further mails to it would only harm the sender's reputation.
    package var suppressesAddress: Bool { subject == .deadAddress }

    /// The refusal is about the address: it is unknown, disabled, full, or can't be mailed, and another relay would
    /// give the same answer. Any other permanent refusal may be the relay's own view of the mail or of us.
    package var namesAddress: Bool {
        switch subject {
        case .deadAddress: true
        // Another relay may offer SMTPUTF8.
        case .unusableAddress: self != .smtpUTF8Unsupported
        case .mailbox: self == .mailboxFull
        case .relay, .ourselves, .settings, .unexplained, .policy, .mail: false
        }
    }

    /// If a relay gives this reason permanently and repeatedly for one message, but accepts others, the message ends.
    /// By the rules, the relay or the configuration is at fault, but the relay's other answers prove otherwise.
    package var isSettledByEvidence: Bool {
        self == .relayingDenied || self == .protocolError || self == .authenticationRequired
    }

    /// The words are about us: our quota, sender, account, HELO, IP address or DNS records. All messages come from us,
    /// so every other message is in doubt as well. Some relays use the same words about a single message; evidence
    /// decides those cases (see ``isSettledByEvidence``).
    package var isAboutUs: Bool { (subject == .ourselves || subject == .settings) && !isSettledByEvidence }

    /// Another address would help, if a recipient's mail system gave this reason for a final refusal: the address is
    /// dead or can't be mailed. For all other reasons, and without one, the advice is to contact support.
    package var blamesAddress: Bool {
        switch subject {
        case .deadAddress, .unusableAddress: true
        case .relay, .ourselves, .settings, .mailbox, .unexplained, .policy, .mail: false
        }
    }

    /// Where an operator fixes a problem.
    package struct Remedy: Hashable, Sendable {
        /// The configuration keys to check, or something outside the configuration: a DNS record, a blocklist.
        package let place: String
        /// The keys belong to one relay.
        package let isOfRelay: Bool
        /// Whether outboxd needs a reload (SIGHUP) after the fix. It detects fixes outside the configuration by itself.
        package let isReloaded: Bool

        fileprivate init(_ place: String, isOfRelay: Bool = false, isReloaded: Bool = false) {
            self.place = place
            self.isOfRelay = isOfRelay
            self.isReloaded = isReloaded
        }
    }

    /// Where an operator fixes the problem; `nil` where only the relay, the recipient or the mail can change.
    package var remedy: Remedy? {
        switch self {
        case .certificateNotTrusted: Remedy("ca_file", isOfRelay: true, isReloaded: true)
        case .startTLSNotOffered, .encryptionRequired: Remedy("tls", isOfRelay: true, isReloaded: true)
        case .authenticationRefused, .authenticationRequired, .relayingDenied:
            Remedy("user and password", isOfRelay: true, isReloaded: true)
        case .authenticationNotOffered: Remedy("user, password and tls", isOfRelay: true, isReloaded: true)
        case .accountRefused: Remedy("user (its account at the provider)", isOfRelay: true)
        case .senderRefused: Remedy("sender.address", isReloaded: true)
        case .heloRefused: Remedy("helo", isOfRelay: true, isReloaded: true)
        case .addressBlocked: Remedy("the blocklist or reputation of this machine's IP address")
        case .reverseDNSMissing: Remedy("DNS: the PTR record of this machine's IP address")
        case .spfFailed: Remedy("DNS: the SPF record of sender.address's domain")
        case .dkimFailed: Remedy("DNS: the DKIM record of sender.address's domain")
        case .dmarcFailed: Remedy("DNS: the DMARC, SPF and DKIM records of sender.address's domain")
        case .domainNotAuthenticated: Remedy("DNS: the SPF and DKIM records of sender.address's domain")
        case .noTemplates: Remedy("templates", isReloaded: true)
        case .nameNotResolved: Remedy("url", isOfRelay: true, isReloaded: true)
        case .noConnection, .connectionLost, .timedOut, .garbledReply, .outOfStep, .tlsFailed, .libcurlError,
            .relayClosing, .sessionRefused, .relayFull, .relayNotReady, .protocolError, .authenticationUnavailable,
            .senderDeferred,
            .refusesEverybody, .quotaExceeded, .rateLimited, .greylisted, .unknownRecipient, .badDomain,
            .mailboxDisabled, .mailboxFull, .recipientDeferred, .recipientRefused, .unusableRecipient,
            .smtpUTF8Unsupported, .expired, .policyRefusal, .messageTooBig, .contentRefused, .messageDeferred,
            .messageRefused,
            .unusableValues, .interrupted, .endsOutboxd:
            nil
        }
    }

    /// The configuration keys or the DNS record to check, for a problem that an operator must fix.
    package var settingKeys: String? { remedy?.place }

    /// Whether outboxd needs a reload (SIGHUP) after the fix.
    package var isMendedByReload: Bool { remedy?.isReloaded ?? false }
}
