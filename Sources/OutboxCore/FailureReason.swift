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
    /// So many permanent refusals in a row that the relay is suspected rather than its recipients.
    case refusesEverybody = "refuses-everybody"

    // What an operator has to mend.
    case certificateNotTrusted = "certificate-not-trusted"
    case startTLSNotOffered = "starttls-not-offered"
    case authenticationRefused = "authentication-refused"
    case authenticationRequired = "authentication-required"
    case authenticationNotOffered = "authentication-not-offered"
    case relayingDenied = "relaying-denied"
    case senderRefused = "sender-refused"
    case noTemplates = "no-templates"

    // The recipient.
    case greylisted
    case unknownRecipient = "unknown-recipient"
    case badDomain = "bad-domain"
    case mailboxDisabled = "mailbox-disabled"
    case mailboxFull = "mailbox-full"
    case recipientDeferred = "recipient-deferred"
    case recipientRefused = "recipient-refused"
    case unusableRecipient = "unusable-recipient"
    /// An address outside ASCII at a relay that takes none.
    case smtpUTF8NotOffered = "smtputf8-not-offered"

    // The message.
    case policyRefusal = "policy-refusal"
    case messageTooBig = "message-too-big"
    case contentRefused = "content-refused"
    case messageDeferred = "message-deferred"
    case messageRefused = "message-refused"
    case unusableValues = "unusable-values"
    case interrupted
    /// outboxd ended each time that it tried the message alone.
    case endsOutboxd = "ends-outboxd"

    /// The address itself takes no mail, so that mailing it again would only harm the sender's reputation.
    package var suppressesAddress: Bool {
        switch self {
        case .unknownRecipient, .badDomain, .mailboxDisabled: true
        case .nameNotResolved, .noConnection, .connectionLost, .timedOut, .garbledReply, .outOfStep, .tlsFailed,
            .libcurlError,
            .relayClosing, .sessionRefused, .relayFull, .relayNotReady, .protocolError, .authenticationUnavailable,
            .senderDeferred, .refusesEverybody, .certificateNotTrusted, .startTLSNotOffered, .authenticationRefused,
            .authenticationRequired, .authenticationNotOffered, .relayingDenied, .senderRefused, .noTemplates,
            .greylisted, .mailboxFull,
            .recipientDeferred, .recipientRefused, .unusableRecipient, .smtpUTF8NotOffered, .policyRefusal,
            .messageTooBig, .contentRefused,
            .messageDeferred, .messageRefused, .unusableValues, .interrupted, .endsOutboxd:
            false
        }
    }

    /// The refusal says that the address itself takes no mail, now or ever. Any other one may be about the mail, about us or
    /// about nothing at all, so that one relay's word alone is not final.
    package var namesAddress: Bool {
        let naming: Set<Self> = [
            .unknownRecipient, .badDomain, .mailboxDisabled, .mailboxFull, .unusableRecipient, .smtpUTF8NotOffered,
        ]
        return naming.contains(self)
    }

    /// Said of one message while the relay accepts others, for good and again, this ends the message: by the book it is the
    /// relay's or the configuration's fault, and the relay's other answers prove otherwise.
    package var isSettledByEvidence: Bool {
        let settled: Set<Self> = [.relayingDenied, .protocolError, .authenticationRequired]
        return settled.contains(self)
    }

    /// A report with this reason means that mailing the address again is of no use: unlike a relay's own refusal, it comes
    /// from the recipient's mail system, whose refusal without a reason counts as well.
    package var isReasonToSuppressReported: Bool { suppressesAddress || self == .recipientRefused }

    /// Another address would help, where a recipient's mail system gave this reason for a final refusal. With any other
    /// reason the address is good, and the advice is to contact support.
    package var blamesAddress: Bool {
        switch self {
        case .mailboxFull, .policyRefusal, .greylisted, .recipientDeferred, .contentRefused, .messageTooBig: false
        case .nameNotResolved, .noConnection, .connectionLost, .timedOut, .garbledReply, .outOfStep, .tlsFailed,
            .libcurlError,
            .relayClosing, .sessionRefused, .relayFull, .relayNotReady, .protocolError, .authenticationUnavailable,
            .senderDeferred, .refusesEverybody, .certificateNotTrusted, .startTLSNotOffered, .authenticationRefused,
            .authenticationRequired, .authenticationNotOffered, .relayingDenied, .senderRefused, .noTemplates,
            .unknownRecipient, .badDomain,
            .mailboxDisabled, .recipientRefused, .unusableRecipient, .smtpUTF8NotOffered, .messageDeferred,
            .messageRefused,
            .unusableValues, .interrupted, .endsOutboxd:
            true
        }
    }

    /// The keys of the configuration to look at, for a fault that an operator has to mend.
    package var settingKeys: String? {
        switch self {
        case .certificateNotTrusted: "ca_file"
        case .startTLSNotOffered: "tls"
        case .authenticationRefused, .authenticationRequired, .relayingDenied: "user and password"
        case .authenticationNotOffered: "user, password and tls"
        case .senderRefused: "sender.address"
        case .noTemplates: "templates"
        case .nameNotResolved: "url"
        case .noConnection, .connectionLost, .timedOut, .garbledReply, .outOfStep, .tlsFailed, .libcurlError,
            .relayClosing,
            .sessionRefused,
            .relayFull, .relayNotReady, .protocolError, .authenticationUnavailable, .senderDeferred, .refusesEverybody,
            .greylisted, .unknownRecipient, .badDomain, .mailboxDisabled, .mailboxFull, .recipientDeferred,
            .recipientRefused, .unusableRecipient, .smtpUTF8NotOffered, .policyRefusal, .messageTooBig, .contentRefused,
            .messageDeferred,
            .messageRefused, .unusableValues, .interrupted, .endsOutboxd:
            nil
        }
    }

    /// What makes outboxd read those keys again: SIGHUP is enough for a password file or a certificate.
    package var isMendedByReload: Bool {
        switch self {
        case .certificateNotTrusted, .authenticationRefused, .authenticationRequired, .authenticationNotOffered,
            .relayingDenied:
            true
        case .nameNotResolved, .noConnection, .connectionLost, .timedOut, .garbledReply, .outOfStep, .tlsFailed,
            .libcurlError,
            .relayClosing, .sessionRefused, .relayFull, .relayNotReady, .protocolError, .authenticationUnavailable,
            .senderDeferred, .refusesEverybody, .startTLSNotOffered, .senderRefused, .noTemplates, .greylisted,
            .unknownRecipient, .badDomain, .mailboxDisabled, .mailboxFull, .recipientDeferred, .recipientRefused,
            .unusableRecipient, .smtpUTF8NotOffered, .policyRefusal, .messageTooBig, .contentRefused, .messageDeferred,
            .messageRefused,
            .unusableValues, .interrupted, .endsOutboxd:
            false
        }
    }
}
