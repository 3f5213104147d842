// What one handing-over to a relay showed, as values. Never says what follows from it (see FailurePolicy).

package import InternetMessage

/// How far the conversation with a relay had come. The raw values are those of the column `outbox_attempt.stage`.
package enum SMTPStage: String, CaseIterable, Sendable {
    /// Making a mail of the message, before any relay is asked.
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
    /// Handing over the content.
    case body
    /// The whole content is handed over; the reply to the final dot decides.
    case finalDot = "final-dot"

    /// Whether a failure may be the doing of one message: its recipient or its content is known to the relay.
    package var isAboutMessage: Bool {
        switch self {
        case .rcpt, .data, .body, .finalDot: true
        case .compose, .connect, .tls, .ehlo, .startTLS, .auth, .mail: false
        }
    }

    /// Whether the relay is still being connected to, so that nothing of a message was said.
    package var isBeforeSession: Bool {
        switch self {
        case .connect, .tls, .ehlo, .startTLS, .auth: true
        case .compose, .mail, .rcpt, .data, .body, .finalDot: false
        }
    }

}

/// What broke an attempt, without judgement.
package enum TransmissionCause: Hashable, Sendable {
    /// The relay refused with a reply.
    case reply(SMTPReply)
    /// The relay's name has no address.
    case couldNotResolve
    /// No TCP connection came about.
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
    /// No usable way to authenticate, or refused credentials.
    case authenticationRefused(SMTPReply?)
    /// There are credentials, and the relay doesn't offer AUTH.
    case authenticationNotOffered
    /// What the relay sent is no SMTP reply.
    case garbledReply
    /// The relay sent a reply that answers no command, or not the one it followed.
    case outOfStep
    /// The address is outside ASCII, and the relay doesn't offer SMTPUTF8 (RFC 6531).
    case smtpUTF8NotOffered
    /// The mail is larger than the relay says it takes (RFC 1870).
    case tooLargeForRelay
    /// The mail could not be made; for the reason see the failure's `detail`.
    case composition(CompositionFault)
    /// The attempt was ended from our side: by a shutdown, or because the process died.
    case interrupted
    /// Anything else libcurl reports, by its CURLcode.
    case other(curlCode: Int)
}

extension TransmissionCause {
    /// The cause without its details: what the failure policy's table is keyed by.
    package enum Kind: String, CaseIterable, Sendable {
        case reply, couldNotResolve, couldNotConnect, connectionLost, timedOut, tlsHandshake, certificate,
            startTLSNotOffered, authenticationRefused, authenticationNotOffered, garbledReply, outOfStep,
            smtpUTF8NotOffered, tooLargeForRelay, unknownKind, badValues, badRecipient, badSender, interrupted, other

        /// What it is called in documents.
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
            case .authenticationNotOffered: "there is a password, and AUTH is not offered"
            case .garbledReply: "a line that is not an SMTP reply"
            case .outOfStep: "a reply that answers no command"
            case .smtpUTF8NotOffered: "the address needs SMTPUTF8, which is not offered"
            case .tooLargeForRelay: "the mail is larger than the relay says it takes"
            case .unknownKind: "no templates for the kind"
            case .badValues: "a template's value is missing or unusable"
            case .badRecipient: "the recipient can't stand in a mail"
            case .badSender: "the envelope sender can't stand in a command"
            case .interrupted: "ended by the shutdown of outboxd"
            case .other: "any other error of libcurl"
            }
        }
    }

    /// What kind of cause it is.
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
        case .authenticationNotOffered: .authenticationNotOffered
        case .garbledReply: .garbledReply
        case .outOfStep: .outOfStep
        case .smtpUTF8NotOffered: .smtpUTF8NotOffered
        case .tooLargeForRelay: .tooLargeForRelay
        case .composition(.unknownKind): .unknownKind
        case .composition(.badValues): .badValues
        case .composition(.badRecipient): .badRecipient
        case .composition(.badSender): .badSender
        case .interrupted: .interrupted
        case .other: .other
        }
    }
}

/// Why no mail could be made of a message.
package enum CompositionFault: Hashable, Sendable {
    /// There are no templates for its kind (yet).
    case unknownKind
    /// The message lacks or garbles a value that its templates need.
    case badValues
    /// Its recipient can't stand in a mail's header or envelope.
    case badRecipient
    /// The envelope sender can't stand in a command.
    case badSender
}

/// A handing-over that ended without acceptance.
package struct TransmissionFailure: Hashable, Sendable {
    /// How far it had come.
    package let stage: SMTPStage
    /// What broke it.
    package let cause: TransmissionCause
    /// The reason in words for a mail administrator: the relay's own, else libcurl's or ours. Never holds a secret.
    package let detail: String
    /// The final dot was handed over to the system, and no final reply to it came: the relay may have accepted the mail.
    package let isUncertain: Bool

    /// Makes a failure from its parts.
    package init(stage: SMTPStage, cause: TransmissionCause, detail: String, isUncertain: Bool = false) {
        self.stage = stage
        self.cause = cause
        self.detail = detail
        self.isUncertain = isUncertain
    }

    /// The relay's reply, where it refused with one.
    package var reply: SMTPReply? {
        switch cause {
        case .reply(let reply): reply
        case .authenticationRefused(let reply): reply
        case .couldNotResolve, .couldNotConnect, .connectionLost, .timedOut, .tlsHandshake, .certificate,
            .startTLSNotOffered, .authenticationNotOffered, .garbledReply, .outOfStep, .smtpUTF8NotOffered,
            .tooLargeForRelay, .composition, .interrupted, .other:
            nil
        }
    }
}

/// How handing one mail to one relay ended.
package enum TransmissionResult: Hashable, Sendable {
    /// The relay answered 2xx to the final dot.
    case accepted(SMTPReply)
    /// It did not, as far as we know.
    case failed(TransmissionFailure)
    /// Whoever sent it did not let the content go: the relay got none of it.
    case withheld
}
