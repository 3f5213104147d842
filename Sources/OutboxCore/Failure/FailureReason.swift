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
    /// The token server for the relay's login can't be reached, or is out of order.
    case tokenUnavailable = "token-unavailable"
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
    /// The token server refuses an access token for the relay's login.
    case tokenRefused = "token-refused"
    case authenticationNotOffered = "authentication-not-offered"
    case relayingDenied = "relaying-denied"
    case senderRefused = "sender-refused"
    case noTemplates = "no-templates"
    /// A token must be minted, and its key is not configured.
    case noTokenKey = "no-token-key"
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
            .tokenUnavailable, .refusesEverybody:
            .relay
        case .quotaExceeded, .rateLimited, .senderDeferred, .senderRefused, .accountRefused, .heloRefused,
            .addressBlocked, .reverseDNSMissing, .spfFailed, .dkimFailed, .dmarcFailed, .domainNotAuthenticated,
            .authenticationRefused, .authenticationRequired, .encryptionRequired, .relayingDenied:
            .ourselves
        case .certificateNotTrusted, .startTLSNotOffered, .authenticationNotOffered, .tokenRefused, .noTemplates,
            .noTokenKey:
            .settings
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

    /// A message ends if a relay refuses it permanently and repeatedly for this reason, but accepts other messages. The
    /// rules blame the relay or the configuration, and the accepted messages prove that the message is at fault.
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
}
