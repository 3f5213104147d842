// Says in our words how a libcurl transfer ended. Never judges whose fault it is (see FailurePolicy).

import CCurl
import OutboxCore

extension EasyHandle.Outcome {
    /// How the handing-over ended.
    ///
    /// A refusing reply is what counts, whatever code libcurl ended with: it maps the same refusal to different codes
    /// by stage, and its response code can be a stale one.
    var result: TransmissionResult {
        if wasWithheld { return .withheld }
        if code == CURLE_OK, let reply = conversation.lastReply { return .accepted(reply) }
        let stage = stageOfFailure
        let fault = fault(at: stage)
        return .failed(
            TransmissionFailure(
                stage: stage,
                fault: fault,
                detail: detail(of: fault),
                isUncertain: stage == .finalDot && conversation.refusal == nil
            )
        )
    }

    /// An open connection turned out to be closed by the relay, with or without a 421, before this message's first
    /// command was answered: nobody's fault, and nothing of the message was said yet.
    var isStaleConnection: Bool {
        guard !wasWithheld, newConnections == 0, code != CURLE_OK else { return false }
        switch conversation.stage {
        case .connect, .mail: break
        case .compose, .tls, .ehlo, .startTLS, .auth, .rcpt, .data, .body, .finalDot: return false
        }
        guard let refusal = conversation.refusal else {
            return !conversation.isGarbled && code != CURLE_OPERATION_TIMEDOUT
        }
        return refusal.code == 421
    }

    /// Whether the relay can be asked again on this connection. After a reply, both sides know where they are. After a
    /// time-out a late reply may still come, and would be taken for the answer to the next message's commands; libcurl
    /// keeps such a connection open when it happens at the final dot.
    var leavesUsableConnection: Bool {
        code == CURLE_OK || (conversation.refusal != nil && !conversation.isGarbled)
    }

    private var stageOfFailure: SMTPStage {
        // With implicit TLS the handshake comes before the first reply, and no command has been sent.
        isTLSFailure && conversation.stage == .connect ? .tls : conversation.stage
    }

    private func fault(at stage: SMTPStage) -> TransmissionFault {
        // What the relay answered before counts all the same.
        if wasAborted, conversation.refusal == nil { return .interrupted }
        if conversation.isGarbled { return .garbledReply }
        switch code {
        case CURLE_LOGIN_DENIED:
            return .authenticationRefused(conversation.refusal)
        case CURLE_USE_SSL_FAILED where conversation.refusal == nil:
            return .startTLSNotOffered
        default:
            break
        }
        if let refusal = conversation.refusal {
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

    private func detail(of fault: TransmissionFault) -> String {
        switch fault {
        case .reply(let reply), .authenticationRefused(.some(let reply)): reply.description
        case .authenticationRefused(nil): "the relay offers no way to authenticate that is supported"
        case .startTLSNotOffered: "the relay does not offer STARTTLS, and TLS is required"
        case .garbledReply: "the relay sent a line that is no SMTP reply"
        case .interrupted: "ended by the shutdown of outboxd"
        case .couldNotResolve, .couldNotConnect, .connectionLost, .timedOut, .tlsHandshake, .certificate, .composition,
            .other:
            "\(message) (libcurl \(code.rawValue))"
        }
    }
}
