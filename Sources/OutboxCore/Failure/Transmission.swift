// The observed result of one transmission to a relay, as values. Never says what follows from it (see FailurePolicy).

package import InternetMessage

/// The stage that the conversation with a relay reached. The raw values are those of the column `outbox_attempt.stage`.
package enum SMTPStage: String, CaseIterable, Sendable {
    /// Composing the mail, before any relay is asked.
    case compose
    /// Name look-up and TCP connection, up to the server's greeting.
    case connect
    /// The TLS handshake, implicit or after STARTTLS.
    case tls
    /// EHLO or HELO.
    case ehlo
    /// The command STARTTLS.
    case startTLS = "starttls"
    /// AUTH and its challenges.
    case auth
    /// MAIL FROM: the envelope sender.
    case mail
    /// RCPT TO: the recipient.
    case rcpt
    /// The command DATA.
    case data
    /// Transmitting the content.
    case body
    /// The whole content was transmitted; the reply to the final dot decides.
    case finalDot = "final-dot"

    /// Whether one message may have caused a failure: the relay knows its recipient or its content.
    package var isAboutMessage: Bool {
        switch self {
        case .rcpt, .data, .body, .finalDot: true
        case .compose, .connect, .tls, .ehlo, .startTLS, .auth, .mail: false
        }
    }

    /// Whether the session has not begun, so the relay has seen nothing of a message.
    package var isBeforeSession: Bool {
        switch self {
        case .connect, .tls, .ehlo, .startTLS, .auth: true
        case .compose, .mail, .rcpt, .data, .body, .finalDot: false
        }
    }

}

/// The cause of a failed attempt, without judgement.
package enum TransmissionCause: Hashable, Sendable {
    /// The relay refused with a reply.
    case reply(SMTPReply)
    /// The relay's name has no address.
    case couldNotResolve
    /// No TCP connection was established.
    case couldNotConnect
    /// The connection ended in the middle of the conversation.
    case connectionLost
    /// The relay did not answer in time.
    case timedOut
    /// The TLS handshake failed.
    case tlsHandshake
    /// The relay's certificate could not be verified.
    case certificate
    /// TLS is required, and the relay doesn't offer STARTTLS.
    case startTLSNotOffered
    /// There was no usable way to authenticate, or the credentials were refused.
    case authenticationRefused(SMTPReply?)
    /// The token server refused an access token for AUTH, or can't be trusted or understood (RFC 6749 §5.2).
    case tokenRefused
    /// The token server could not be asked, or has no answer at the moment.
    case tokenUnavailable
    /// There are credentials, but the relay doesn't offer AUTH.
    case authenticationNotOffered
    /// The relay sent something other than an SMTP reply.
    case garbledReply
    /// The relay sent a reply to no command, or to a different one.
    case outOfStep
    /// The address is not ASCII, and the relay doesn't offer SMTPUTF8 (RFC 6531).
    case smtpUTF8NotOffered
    /// The mail is larger than the relay's announced limit (RFC 1870).
    case tooLargeForRelay
    /// The mail could not be composed; the failure's `detail` gives the reason.
    case composition(CompositionFault)
    /// Our side ended the attempt: by a shutdown, or because the process died.
    case interrupted
    /// Any other error of libcurl, by its CURLcode.
    case other(curlCode: Int)
}

extension TransmissionCause {
    /// The cause without its details: the key of the failure policy's table.
    package enum Kind: String, CaseIterable, Sendable {
        case reply, couldNotResolve, couldNotConnect, connectionLost, timedOut, tlsHandshake, certificate,
            startTLSNotOffered, authenticationRefused, tokenRefused, tokenUnavailable, authenticationNotOffered,
            garbledReply, outOfStep,
            smtpUTF8NotOffered, tooLargeForRelay, unknownKind, missingTokenKey, badValues, badRecipient, badSender,
            interrupted, other

        /// The cause's name in documents.
        package var words: String {
            switch self {
            case .reply: "a refusing reply"
            case .couldNotResolve: "the relay's name has no address"
            case .couldNotConnect: "no connection (refused, unreachable)"
            case .connectionLost: "the connection broke"
            case .timedOut: "no answer in time"
            case .tlsHandshake: "the TLS handshake failed"
            case .certificate: "the relay's certificate is not trusted"
            case .startTLSNotOffered: "STARTTLS is required and not offered"
            case .authenticationRefused: "no usable way to authenticate"
            case .tokenRefused: "the token server gives no access token for the login"
            case .tokenUnavailable: "the token server can't be reached, or is out of order"
            case .authenticationNotOffered: "there is a password, and AUTH is not offered"
            case .garbledReply: "a line that is not an SMTP reply"
            case .outOfStep: "a reply that answers no command"
            case .smtpUTF8NotOffered: "the address needs SMTPUTF8, which is not offered"
            case .tooLargeForRelay: "the mail is larger than the relay says it takes"
            case .unknownKind: "no templates for the kind"
            case .missingTokenKey: "no key for the message's token"
            case .badValues: "a template's value is missing or unusable"
            case .badRecipient: "the recipient can't stand in a mail"
            case .badSender: "the envelope sender can't stand in a command"
            case .interrupted: "ended by the shutdown of outboxd"
            case .other: "any other error of libcurl"
            }
        }
    }

    /// The kind of the cause.
    package var kind: Kind {
        switch self {
        case .reply: .reply
        case .couldNotResolve: .couldNotResolve
        case .couldNotConnect: .couldNotConnect
        case .connectionLost: .connectionLost
        case .timedOut: .timedOut
        case .tlsHandshake: .tlsHandshake
        case .certificate: .certificate
        case .startTLSNotOffered: .startTLSNotOffered
        case .authenticationRefused: .authenticationRefused
        case .tokenRefused: .tokenRefused
        case .tokenUnavailable: .tokenUnavailable
        case .authenticationNotOffered: .authenticationNotOffered
        case .garbledReply: .garbledReply
        case .outOfStep: .outOfStep
        case .smtpUTF8NotOffered: .smtpUTF8NotOffered
        case .tooLargeForRelay: .tooLargeForRelay
        case .composition(.unknownKind): .unknownKind
        case .composition(.missingTokenKey): .missingTokenKey
        case .composition(.badValues): .badValues
        case .composition(.badRecipient): .badRecipient
        case .composition(.badSender): .badSender
        case .interrupted: .interrupted
        case .other: .other
        }
    }
}

/// Why a message could not be composed.
package enum CompositionFault: Hashable, Sendable {
    /// No templates exist for the message's kind (yet).
    case unknownKind
    /// The message's token or code must be minted, and its key is not configured (yet).
    case missingTokenKey
    /// The message lacks a value that its templates need, or the value is unusable.
    case badValues
    /// The recipient can't be used in a mail's header or envelope.
    case badRecipient
    /// The envelope sender can't be used in a command.
    case badSender
}

/// A transmission that ended without acceptance.
package struct TransmissionFailure: Hashable, Sendable {
    /// The stage that it reached.
    package let stage: SMTPStage
    /// The cause of the failure.
    package let cause: TransmissionCause
    /// The reason in words for a mail administrator: the relay's own, else libcurl's or ours. Never contains a secret.
    package let detail: String
    /// The final dot was handed to the system, and no final reply came: the relay may have accepted the mail.
    package let isUncertain: Bool

    /// Creates a failure from its parts.
    package init(stage: SMTPStage, cause: TransmissionCause, detail: String, isUncertain: Bool = false) {
        self.stage = stage
        self.cause = cause
        self.detail = detail
        self.isUncertain = isUncertain
    }

    /// The relay's reply, if the relay refused with one.
    package var reply: SMTPReply? {
        switch cause {
        case .reply(let reply): reply
        case .authenticationRefused(let reply): reply
        case .couldNotResolve, .couldNotConnect, .connectionLost, .timedOut, .tlsHandshake, .certificate,
            .startTLSNotOffered, .tokenRefused, .tokenUnavailable, .authenticationNotOffered, .garbledReply, .outOfStep,
            .smtpUTF8NotOffered, .tooLargeForRelay, .composition, .interrupted, .other:
            nil
        }
    }
}

/// The result of transmitting one mail to one relay.
package enum TransmissionResult: Hashable, Sendable {
    /// The relay answered 2xx to the final dot.
    case accepted(SMTPReply)
    /// The relay did not accept it, as far as we know.
    case failed(TransmissionFailure)
    /// The caller withheld the content: the relay received none of it.
    case withheld
}
