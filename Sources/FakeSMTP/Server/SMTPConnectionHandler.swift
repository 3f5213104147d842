// Drives one connection: reads bytes, applies the session's rules and the script's faults, writes bytes. Decides
// nothing about SMTP (SMTPSession does) or about when a fault fires (FaultScript does).

import NIOCore
import NIOSSL
import NIOTLS

/// The channel handler of one client. Lives on its channel's event loop.
final class SMTPConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The most octets that are read ahead while an answer is pending.
    private static let readAhead = 64 * 1_024
    /// How long a client may go on sending after a reply that closes the connection.
    static let lingering = TimeAmount.seconds(5)

    let parts: ServerParts
    var context: ChannelHandlerContext?
    var connection = 0
    var session: SMTPSession
    var framer = LineFramer()
    var decoder: DataDecoder
    var inbound = ByteBuffer()
    /// The first octets of the mail data are still to come.
    var isBodyNew = false
    /// Delays and disk writes that must end before the next command is processed.
    var pauses = 0
    /// Hanging or closing: no more input is processed.
    var ignoresInput = false
    /// Closed, except that the client's remaining bytes are read and discarded.
    var isLingering = false
    var isReadSuspended = false
    /// The decision of the connect stage, until the implicit TLS handshake is done.
    var pendingGreeting: FaultScript.Decision?
    /// The client's next bytes are a ClientHello that gets an alert.
    var breaksHandshake = false
    var tlsHandler: NIOSSLServerHandler?
    var idleTimer: IdleTimer?

    /// Whether the connection counts as served.
    private(set) var isAdmitted = false

    init(parts: ServerParts) {
        self.parts = parts
        session = SMTPSession(options: parts.options)
        decoder = DataDecoder(sizeLimit: parts.options.maximumMessageSize)
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        connection = parts.ledger.openConnection(at: parts.options.now())
        parts.log?.note("connected", connection: connection)
        if let timeout = parts.options.idleTimeout {
            idleTimer = IdleTimer(timeout: timeout.timeAmount, eventLoop: context.eventLoop) { [weak self] in
                self?.becameIdle()
            }
        }
        isAdmitted = parts.admission.enter()
        greet()
        context.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        idleTimer?.cancel()
        parts.log?.note("disconnected", connection: connection)
        parts.ledger.closeConnection(connection)
        if isAdmitted { parts.admission.leave() }
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isLingering { return }
        var bytes = unwrapInboundIn(data)
        idleTimer?.touch()
        if breaksHandshake {
            breakHandshake()
        } else if inbound.readableBytes == 0 {
            inbound = bytes
        } else {
            inbound.writeBuffer(&bytes)
        }
        process()
    }

    func read(context: ChannelHandlerContext) {
        // A client that keeps sending while it has to wait must not fill the memory.
        if isWaiting, inbound.readableBytes > Self.readAhead {
            isReadSuspended = true
        } else {
            context.read()
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case TLSUserEvent.handshakeCompleted:
            parts.ledger.noteTLS(on: connection)
            parts.log?.note("TLS handshake completed", connection: connection)
            if let decision = pendingGreeting {
                pendingGreeting = nil
                follow(decision, .greet)
            } else {
                session.secure()
            }
            process()
        case is FakeSMTPServer.Stopping:
            closeAbruptly()
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        parts.log?.note("connection failed: \(error)", connection: connection)
        closeAbruptly()
    }

    // MARK: Input

    var isWaiting: Bool { pauses > 0 || ignoresInput }

    /// Processes the received bytes until a pause is necessary.
    func process() {
        while !isWaiting, inbound.readableBytes > 0 {
            switch session.expectation {
            case .command:
                guard let line = framer.nextLine(from: &inbound) else { return finishProcessing() }
                handleCommand(line)
            case .authResponse(let exchange):
                guard let line = framer.nextLine(from: &inbound) else { return finishProcessing() }
                handleAuthResponse(line, to: exchange)
            case .body:
                if isBodyNew {
                    isBodyNew = false
                    reach(.body, .receiveBody)
                } else {
                    guard decoder.decode(&inbound) else { return finishProcessing() }
                    handleEndOfBody()
                }
            }
        }
        finishProcessing()
    }

    private func finishProcessing() {
        // Replies to pipelined commands leave together (RFC 2920 §3.2).
        if !(parts.options.holdsReplies && isWaiting) { context?.flush() }
        if isReadSuspended, !isWaiting {
            isReadSuspended = false
            context?.read()
        }
    }

    private func handleCommand(_ line: LineFramer.Line) {
        guard case .text(let text) = line else {
            parts.ledger.noteCommand(.unknown)
            parts.log?.unreadable(connection: connection)
            return answer(refusal(of: line))
        }
        let verb = SMTPVerb(of: text)
        parts.ledger.noteCommand(verb)
        parts.log?.command(text, verb: verb, connection: connection)
        // The bytes behind STARTTLS have a record of their own.
        if inbound.readableBytes > 0, verb != .startTLS {
            let isAllowed = verb.mayBeFollowed && parts.options.offersPipelining
            parts.ledger.notePipelining(isAllowed: isAllowed, on: connection)
            if !isAllowed {
                parts.log?.note("synchronization error: more was sent behind \(verb.rawValue)", connection: connection)
            }
        }
        do {
            perform(session.receive(try SMTPCommand.parse(text, verb: verb)))
        } catch {
            answer(error)
        }
    }

    private func handleAuthResponse(_ line: LineFramer.Line, to exchange: SASLExchange) {
        parts.log?.secret(connection: connection)
        guard case .text(let text) = line else {
            session.abandonAuth()
            return answer(refusal(of: line))
        }
        perform(session.receiveAuthResponse(text, to: exchange))
    }

    private func refusal(of line: LineFramer.Line) -> SMTPReply {
        line == .tooLong
            ? SMTPReply(500, "5.5.2", "Line too long")
            : SMTPReply(500, "5.5.2", "Not a command line: UTF-8 without control characters, ended by CRLF")
    }

    private func handleEndOfBody() {
        parts.log?.body(octets: decoder.body.readableBytes, connection: connection)
        perform(session.receiveEndOfBody(problem: decoder.problem))
    }
}
