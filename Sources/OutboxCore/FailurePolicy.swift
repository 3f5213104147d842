// Whose fault a failed attempt is and what follows from it: the one room where reply codes are judged. Pure.

/// Whose fault a failure is. The raw values are those of the column `outbox_attempt.scope`.
package enum FaultScope: String, CaseIterable, Sendable {
    /// This recipient's address: any other mail would pass.
    case recipient
    /// This mail: its content, size or template values.
    case message
    /// The relay: no mail passes for the time being.
    case relay
    /// What an operator has to mend: credentials, certificate, sender address, templates.
    case configuration
}

/// What follows from a failed attempt.
package struct Verdict: Hashable, Sendable {
    /// Whether another attempt can help.
    package enum Disposition: Hashable, Sendable {
        /// Try again: the fault is, or may be, temporary.
        case again
        /// Never again: asking once more gets the same answer.
        case final
    }

    /// Whose fault it is.
    package let scope: FaultScope
    /// Whether another attempt follows.
    package let disposition: Disposition

    /// Makes a verdict.
    package init(_ scope: FaultScope, _ disposition: Disposition) {
        self.scope = scope
        self.disposition = disposition
    }
}

/// Maps what was seen to whose fault it is and whether to try again.
///
/// | fault | stage | scope | disposition |
/// |---|---|---|---|
/// | resolve, connect, lost, time-out, garbled, TLS handshake, other | any | relay | again |
/// | certificate, STARTTLS not offered, authentication refused | any | configuration | again |
/// | interrupted | any | message | again |
/// | no templates for the kind | compose | configuration | again |
/// | unusable values | compose | message | final |
/// | unusable recipient | compose | recipient | final |
/// | reply 421 | any | relay | again |
/// | reply 4xx, 5xx | connect, ehlo, starttls, tls | relay | again |
/// | reply 4xx, 5xx | auth | configuration | again |
/// | reply 4xx | mail | relay | again |
/// | reply 552, x.3.4 (too big) | mail | message | final |
/// | reply 5xx | mail | configuration | again |
/// | reply 4xx | rcpt | recipient | again |
/// | reply 5xx | rcpt | recipient | final |
/// | reply 530, x.7.0 "authentication required" | mail, rcpt, data | configuration | again |
/// | reply 4xx | data, body, final-dot | message | again |
/// | reply 5xx | data, body, final-dot | message | final |
///
/// An uncertain failure (no answer to the final dot) is a lost connection or a time-out, so it is tried again: losing
/// a mail is worse than a rare second copy. Unknown things are temporary.
package enum FailurePolicy {
    /// Judges one failure by the table above.
    package static func verdict(for failure: TransmissionFailure) -> Verdict {
        switch failure.fault {
        case .couldNotResolve, .couldNotConnect, .connectionLost, .timedOut, .garbledReply, .tlsHandshake, .other:
            Verdict(.relay, .again)
        case .certificate, .startTLSNotOffered, .authenticationRefused:
            Verdict(.configuration, .again)
        case .interrupted:
            Verdict(.message, .again)
        case .composition(.unknownKind):
            Verdict(.configuration, .again)
        case .composition(.badValues):
            Verdict(.message, .final)
        case .composition(.badRecipient):
            Verdict(.recipient, .final)
        case .reply(let reply):
            verdict(for: reply, at: failure.stage)
        }
    }

    private static func verdict(for reply: SMTPReply, at stage: SMTPStage) -> Verdict {
        // RFC 5321 §3.8: 421 says that the service closes, whatever the command was.
        if reply.code == 421 { return Verdict(.relay, .again) }
        let isPermanent = (500...599).contains(reply.code)
        // RFC 4954 §6: 530 asks for authentication, which no mail can mend.
        if reply.code == 530 { return Verdict(.configuration, .again) }
        switch stage {
        case .compose, .connect, .tls, .ehlo, .startTLS:
            return Verdict(.relay, .again)
        case .auth:
            return Verdict(.configuration, .again)
        case .mail:
            let isTooBig = reply.code == 552 || reply.enhancedStatus.map { ($0.subject, $0.detail) == (3, 4) } ?? false
            if isPermanent && isTooBig { return Verdict(.message, .final) }
            return Verdict(isPermanent ? .configuration : .relay, .again)
        case .rcpt:
            return Verdict(.recipient, isPermanent ? .final : .again)
        case .data, .body, .finalDot:
            return Verdict(.message, isPermanent ? .final : .again)
        }
    }
}
