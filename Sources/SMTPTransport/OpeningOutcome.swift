// Describes in our words how libcurl's opening of a connection ended. Never judges whose fault it is (see
// FailurePolicy).

import CCurl
import InternetMessage
import OutboxCore

extension EasyHandle.Outcome {
    /// There is a connection, but perhaps not one that mail can use.
    var isConnected: Bool { code == CURLE_OK }

    /// Why there is no connection for mail; `nil` where there is one.
    ///
    /// A refusing reply takes precedence over libcurl's code: libcurl maps the same refusal to different codes by
    /// stage, and its response code can be stale.
    func failure(_ relay: SMTPRelay) -> TransmissionFailure? {
        if isConnected {
            // If AUTH is not offered, libcurl continues without it.
            guard relay.credentials != nil, !dialogue.isAuthenticated else { return nil }
            return TransmissionFailure(
                stage: .auth,
                cause: .authenticationNotOffered,
                detail: "there is a login for the relay, and it does not offer AUTH"
                    + (relay.configuration.tls == .none ? " without TLS" : "")
            )
        }
        // With implicit TLS the handshake comes before the first reply, and no command has been sent.
        let stage = isTLSFailure && dialogue.stage == .connect ? .tls : dialogue.stage
        let cause = cause(at: stage)
        return TransmissionFailure(
            stage: cause.isOfAuthentication ? .auth : stage,
            cause: cause,
            detail: detail(of: cause, relay)
        )
    }

    /// The relay offers none of the mechanisms that libcurl may use, and no AUTH was sent.
    var isWithoutMechanism: Bool {
        code == CURLE_LOGIN_DENIED && !dialogue.hasTriedToAuthenticate && dialogue.refusal == nil
    }

    /// The relay refused the login that was sent.
    var isLoginRefused: Bool {
        (code == CURLE_LOGIN_DENIED || code == CURLE_AUTH_ERROR) && dialogue.hasTriedToAuthenticate
    }

    private func cause(at stage: SMTPStage) -> TransmissionCause {
        // An earlier reply of the relay takes precedence.
        if wasAborted, dialogue.refusal == nil { return .interrupted }
        if dialogue.isGarbled { return .garbledReply }
        switch code {
        case CURLE_LOGIN_DENIED, CURLE_AUTH_ERROR:
            return .authenticationRefused(dialogue.refusal)
        case CURLE_USE_SSL_FAILED where dialogue.refusal == nil:
            return .startTLSNotOffered
        default:
            break
        }
        if let refusal = dialogue.refusal {
            return stage == .auth ? .authenticationRefused(refusal) : .reply(refusal)
        }
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: return .couldNotResolve
        case CURLE_COULDNT_CONNECT: return .couldNotConnect
        case CURLE_OPERATION_TIMEDOUT: return .timedOut
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR: return .certificate
        case CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CIPHER, CURLE_SSL_ENGINE_INITFAILED: return .tlsHandshake
        case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING: return .connectionLost
        case CURLE_WEIRD_SERVER_REPLY: return .garbledReply
        default: return .other(curlCode: Int(code.rawValue))
        }
    }

    private var isTLSFailure: Bool {
        switch code {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CONNECT_ERROR,
            CURLE_SSL_CIPHER, CURLE_SSL_ENGINE_INITFAILED:
            true
        default:
            false
        }
    }

    private func detail(of cause: TransmissionCause, _ relay: SMTPRelay) -> String {
        switch cause {
        case .reply(let reply), .authenticationRefused(.some(let reply)): reply.description
        case .authenticationRefused(nil): authenticationDetail(relay)
        case .startTLSNotOffered: "the relay does not offer STARTTLS, and TLS is required"
        case .garbledReply: "the relay sent a line that is not an SMTP reply"
        case .interrupted: "ended by the shutdown of outboxd"
        case .couldNotResolve, .couldNotConnect, .connectionLost, .timedOut, .tlsHandshake, .certificate, .composition,
            .tokenRefused, .tokenUnavailable, .authenticationNotOffered, .outOfStep, .smtpUTF8NotOffered,
            .tooLargeForRelay, .other:
            "\(message) (libcurl \(code.rawValue))"
        }
    }

    private func authenticationDetail(_ relay: SMTPRelay) -> String {
        // After a password, 334 only asks for more.
        if relay.credentials?.tokens != nil, let words = dialogue.tokenRefusal {
            return "the relay refused the access token: \(words)"
        }
        let offered = dialogue.extensions.mechanisms
        let list = offered.isEmpty ? "no mechanism" : offered.joined(separator: ", ").replacingControlCharacters
        return isWithoutMechanism
            ? "the relay offers \(list) for AUTH, none of which can be used"
            : "AUTH failed at a relay that offers \(list): \(message) (libcurl \(code.rawValue))"
    }
}

extension TransmissionCause {
    /// libcurl detects before AUTH that it has no mechanism.
    fileprivate var isOfAuthentication: Bool {
        switch self {
        case .authenticationRefused: true
        case .reply, .couldNotResolve, .couldNotConnect, .connectionLost, .timedOut, .tlsHandshake, .certificate,
            .startTLSNotOffered, .tokenRefused, .tokenUnavailable, .authenticationNotOffered, .garbledReply, .outOfStep,
            .smtpUTF8NotOffered, .tooLargeForRelay, .composition, .interrupted, .other:
            false
        }
    }
}
