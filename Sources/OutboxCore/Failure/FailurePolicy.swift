// Decides whose fault a failed attempt is and what follows from it; reply codes are judged nowhere else. Pure.

import InternetMessage

/// Maps an observed failure to its fault and to a retry decision: the first of ``rules`` that applies.
///
/// Words override codes: real relays say "your daily quota", "sender not verified", "too many mails just now" with
/// codes that officially mean "no such user" or "bad content". So the rules that read a reply's words come before those
/// that read its codes, and a refusal about us never ends a message and never blames an address.
///
/// An uncertain failure (no answer to the final dot) is a lost connection or a time-out, so the message is retried:
/// losing a mail is worse than a rare second copy. Unknown failures count as temporary.
package enum FailurePolicy {
    /// Judges one failure.
    package static func verdict(for failure: TransmissionFailure) -> Verdict {
        guard let rule = table.rule(for: failure) else {
            // The last rules match every refusal, so only a reply that is not a refusal gets here.
            return Verdict(.relay, .again, .protocolError)
        }
        let isTemporary = rule.disposition == .again && rule.fault != .configuration
        return Verdict(
            rule.fault,
            rule.disposition,
            rule.reason,
            retryAfter: isTemporary ? failure.reply.flatMap { RetryRequest.duration(in: $0.text) } : nil,
            pause: rule.pause
        )
    }

    /// From RCPT on: a refusal may be about this recipient or this mail.
    static let untilContent: [SMTPStage] = [.rcpt, .data, .body, .finalDot]
    static let content: [SMTPStage] = [.data, .body, .finalDot]
    /// From MAIL on: the relay knows the sender.
    static let withinMail: [SMTPStage] = [.mail, .rcpt, .data, .body, .finalDot]

    private static let table = FailureTable(rules)

    /// The rules in the order of their evaluation; docs/failures.md shows them.
    package static let rules = withoutReply + ofWords + recipientsByCode + ofCodes

    /// Failures without a reply.
    private static let withoutReply: [FailureRule] = [
        FailureRule(.kind(.unknownKind), .configuration, .again, .noTemplates),
        FailureRule(.kind(.missingTokenKey), .configuration, .again, .noTokenKey),
        FailureRule(.kind(.badValues), .message, .final, .unusableValues),
        FailureRule(.kind(.badRecipient), .recipient, .final, .unusableRecipient),
        FailureRule(.kind(.badSender), .configuration, .again, .senderRefused),
        FailureRule(.kind(.smtpUTF8NotOffered), .recipient, .final, .smtpUTF8Unsupported),
        FailureRule(.kind(.tooLargeForRelay), .message, .final, .messageTooBig),
        FailureRule(.kind(.interrupted), .message, .again, .interrupted),
        FailureRule(.kind(.couldNotResolve), .relay, .again, .nameNotResolved),
        FailureRule(.kind(.couldNotConnect), .relay, .again, .noConnection),
        FailureRule(.kind(.connectionLost), .relay, .again, .connectionLost),
        FailureRule(.kind(.timedOut), .relay, .again, .timedOut),
        FailureRule(.kind(.garbledReply), .relay, .again, .garbledReply),
        FailureRule(.kind(.outOfStep), .relay, .again, .outOfStep),
        FailureRule(.kind(.tlsHandshake), .relay, .again, .tlsFailed),
        FailureRule(.kind(.certificate), .configuration, .again, .certificateNotTrusted),
        FailureRule(.kind(.startTLSNotOffered), .configuration, .again, .startTLSNotOffered),
        FailureRule(.kind(.tokenRefused), .configuration, .again, .tokenRefused),
        FailureRule(.kind(.tokenUnavailable), .relay, .again, .tokenUnavailable),
        FailureRule(.kind(.authenticationNotOffered), .configuration, .again, .authenticationNotOffered),
        FailureRule(.kind(.other), .relay, .again, .libcurlError),
    ]

    /// Rules about a reply's words. Rules about us precede rules about the recipient, because a refusal of our sender
    /// or host often quotes "no such user" (Exim's `verify = sender`).
    private static let ofWords =
        recipientForNow + ourDNS + ourName + quotas + rates + recipientsChoice + ourSender + ourAddress + ourAccount
        + relaying + recipients + unclearAboutUs

    /// Rules about a reply's codes, for replies whose words no rule knows.
    private static let ofCodes: [FailureRule] = [
        // RFC 5321 §3.8: 421 means that the service is closing, whatever the command was.
        FailureRule(.reply("421"), .relay, .again, .relayClosing),
        // RFC 4954 §6: 432 (4.7.12) asks for another mechanism, 454 is a problem of the server's own.
        FailureRule(.reply("432"), at: [.auth], .configuration, .again, .authenticationRefused),
        FailureRule(.reply("4xx"), at: [.auth], .relay, .again, .authenticationUnavailable),
        FailureRule(.kind(.authenticationRefused), .configuration, .again, .authenticationRefused),
        FailureRule(.reply("5xx"), at: [.auth], .configuration, .again, .authenticationRefused),
        // RFC 4954 §6: 530 asks for authentication, so the mail is not at fault.
        FailureRule(.reply("530"), .configuration, .again, .authenticationRequired),
        FailureRule(.reply("4xx", "5xx"), at: [.connect, .tls, .ehlo, .startTLS], .relay, .again, .sessionRefused),
        FailureRule(.reply("4xx", status: "x.3.1"), .relay, .again, .relayFull),
        FailureRule(.reply("4xx", status: "x.3.2"), .relay, .again, .relayNotReady),
        // The dialogue itself failed, which says nothing about the recipient or the mail (RFC 5321 §4.2.2).
        FailureRule(.reply("500", "502", "503", "504", "555"), .relay, .again, .protocolError),
        // The envelope sender, which many relays check only at RCPT.
        FailureRule(.reply("5xx", status: "x.1.7", "x.1.8"), .configuration, .again, .senderRefused),
        FailureRule(.reply("4xx", status: "x.1.7", "x.1.8"), .relay, .again, .senderDeferred),
        FailureRule(.reply("4xx", status: "x.2.2"), at: untilContent, .recipient, .again, .mailboxFull),
        FailureRule(.reply("5xx", status: "x.2.2"), at: untilContent, .recipient, .final, .mailboxFull),
        FailureRule(.reply("5xx", status: "x.3.4", "x.2.3"), .message, .final, .messageTooBig),
        // RFC 1870 §6.1 at MAIL. After the content 552 can't mean a full mailbox, because RCPT had passed.
        FailureRule(.reply("552"), at: [.mail, .data, .body, .finalDot], .message, .final, .messageTooBig),
        FailureRule(.reply("4xx"), at: [.mail], .relay, .again, .senderDeferred),
        FailureRule(.reply("5xx"), at: [.mail], .configuration, .again, .senderRefused),
        // The recipient's address, which only RCPT names; after the content such a code has another subject.
        FailureRule(
            .reply("5xx", status: "x.1.1", "x.1.3", "x.1.6"),
            at: [.rcpt],
            .recipient,
            .final,
            .unknownRecipient
        ),
        // 5.1.10 and 556: the domain declares that it takes no mail (RFC 7505).
        FailureRule(
            .reply("5xx", status: "x.1.2", "x.1.10", "x.4.4"),
            at: [.rcpt],
            .recipient,
            .final,
            .badDomain
        ),
        FailureRule(.reply("556"), at: [.rcpt], .recipient, .final, .badDomain),
        FailureRule(.reply("5xx", status: "x.2.1"), at: [.rcpt], .recipient, .final, .mailboxDisabled),
        FailureRule(.reply("452", status: "none"), at: [.rcpt], .recipient, .again, .mailboxFull),
        FailureRule(.reply("552", status: "none"), at: [.rcpt], .recipient, .final, .mailboxFull),
        FailureRule(.reply("450", "451", status: "x.7.x"), at: untilContent, .recipient, .again, .greylisted),
        // RFC 3463 §3.4: the mail system itself. 451 is "local error in processing" (RFC 5321 §4.2.3).
        FailureRule(.reply("4xx", "5xx", status: "x.3.x"), at: untilContent, .relay, .again, .relayNotReady),
        FailureRule(.reply("451", status: "none", "x.0.0"), at: untilContent, .relay, .again, .relayNotReady),
        FailureRule(.reply("5xx", status: "x.7.x"), at: [.rcpt], .recipient, .final, .policyRefusal),
        FailureRule(.reply("5xx", status: "x.7.x"), at: content, .message, .final, .policyRefusal),
        FailureRule(.reply("5xx", status: "x.6.x"), at: untilContent, .message, .final, .contentRefused),
        // All other replies, by the stage alone.
        FailureRule(.reply("4xx"), at: [.rcpt], .recipient, .again, .recipientDeferred),
        FailureRule(.reply("5xx"), at: [.rcpt], .recipient, .final, .recipientRefused),
        FailureRule(.reply("4xx"), at: content, .message, .again, .messageDeferred),
        FailureRule(.reply("5xx"), at: content, .message, .final, .messageRefused),
        FailureRule(.anything, .relay, .again, .protocolError),
    ]
}
