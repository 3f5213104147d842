// Carries the conversation over an open connection: moves bytes, waits, keeps time. Never decides what to send.

import Glibc
import OutboxCore

/// One open connection to a relay, with its conversation.
///
/// All calls block the calling thread, in poll(2) on the socket and on a descriptor that ends the wait from outside.
final class SMTPConnection {
    /// A connection, or the reason for having none.
    enum Opening {
        case opened(SMTPConnection)
        case failed(TransmissionFailure)
    }

    /// How often the sender of a mail is asked whether to wait further for the answer to RCPT.
    private static let askingInterval = Duration.seconds(1)
    /// The size of one write: a TLS record. Of a longer write, an unknown part could go out.
    private static let writeSize = 16 * 1024
    private static let readSize = 16 * 1024

    /// How the connection is protected; `nil` without TLS.
    let tls: TLSSession?

    private let handle: EasyHandle
    private let socket: Int32
    private let interruption: Interruption
    private let wake: WakeDescriptor
    private let trace: ConversationTrace?
    private var conversation: SMTPConversation
    private var output = OutputBuffer()
    /// The socket and the descriptor that ends a wait, as poll(2) takes them.
    private let polled = UnsafeMutableBufferPointer<pollfd>.allocate(capacity: 2)
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: readSize, alignment: 1)
    private var isClosed = false

    private init(
        _ handle: EasyHandle,
        socket: Int32,
        _ extensions: OfferedExtensions,
        _ tls: TLSSession?,
        _ relay: SMTPRelay,
        _ interruption: Interruption,
        wake: WakeDescriptor,
        pipelines: Bool,
        trace: ConversationTrace?
    ) {
        self.trace = trace
        self.handle = handle
        self.tls = tls
        self.socket = socket
        self.interruption = interruption
        self.wake = wake
        self.extensions = extensions
        polled.initialize(repeating: pollfd(fd: socket, events: 0, revents: 0))
        polled[1] = pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0)
        conversation = SMTPConversation(extensions: extensions, pipelines: pipelines) {
            [configuration = relay.configuration] in
            configuration.timeout(at: $0)
        }
    }

    /// Sends QUIT where that is still useful, without waiting for an answer.
    deinit {
        quit(within: nil)
        input.deallocate()
        polled.deallocate()
    }

    // MARK: Opening

    /// Opens a connection until it is ready for mail.
    ///
    /// - Parameters:
    ///   - pipelines: whether to pipeline where the relay offers it.
    ///   - trace: sees what is said over the connection.
    static func open(
        _ relay: SMTPRelay,
        _ interruption: Interruption,
        pipelines: Bool,
        trace: ConversationTrace? = nil
    ) -> Opening {
        guard let wake = interruption.wake else { return .failed(.withoutDescriptors) }
        guard let tokens = relay.credentials?.tokens else {
            return open(relay, token: nil, interruption, wake, pipelines: pipelines, trace).opening
        }
        trace?.remarks("asking \(tokens.client.tokenURL) for an access token")
        let limit = relay.configuration.connectTimeout
        switch tokens.token(within: limit, interruption) {
        case .failure(let failure):
            return .failed(failure.transmissionFailure)
        case .success(let token):
            let (opening, isRefused) = open(relay, token: token.value, interruption, wake, pipelines: pipelines, trace)
            // The provider may have revoked a token before its end.
            guard isRefused, !token.isNew else { return opening }
            switch tokens.token(within: limit, interruption, insteadOf: token.value) {
            case .failure(let failure): return .failed(failure.transmissionFailure)
            case .success(let another):
                return open(relay, token: another.value, interruption, wake, pipelines: pipelines, trace).opening
            }
        }
    }

    private static func open(
        _ relay: SMTPRelay,
        token: String?,
        _ interruption: Interruption,
        _ wake: WakeDescriptor,
        pipelines: Bool,
        _ trace: ConversationTrace?
    ) -> (opening: Opening, isLoginRefused: Bool) {
        let first = AuthenticationChoice(relay)
        var (opening, outcome) = open(relay, first, token, interruption, wake, pipelines: pipelines, trace)
        if let known = outcome, known.isWithoutMechanism,
            let second = first.alternative(offered: known.dialogue.extensions.mechanisms, at: relay)
        {
            (opening, outcome) = open(relay, second, token, interruption, wake, pipelines: pipelines, trace)
        }
        return (opening, outcome?.isLoginRefused ?? false)
    }

    private static func open(
        _ relay: SMTPRelay,
        _ authentication: AuthenticationChoice,
        _ token: String?,
        _ interruption: Interruption,
        _ wake: WakeDescriptor,
        pipelines: Bool,
        _ trace: ConversationTrace?
    ) -> (Opening, EasyHandle.Outcome?) {
        trace?.begins()
        let handle = EasyHandle(relay: relay, authentication: authentication, token: token, trace: trace)
        guard interruption.begins(handle.sockets) else { return (.failed(.interruptedBeforeSending), nil) }
        let outcome = handle.open()
        interruption.hasOpened()
        let failure = outcome.failure(relay)
        guard outcome.isConnected, let socket = handle.socket else {
            return (.failed(failure ?? .lostWhileOpening), outcome)
        }
        let extensions = outcome.dialogue.extensions
        let connection = SMTPConnection(
            handle,
            socket: socket,
            extensions,
            outcome.tls,
            relay,
            interruption,
            wake: wake,
            pipelines: pipelines,
            trace: trace
        )
        if let failure { return (.failed(failure), outcome) }
        return (.opened(connection), outcome)
    }

    /// The extensions that the relay offers over this connection.
    let extensions: OfferedExtensions

    // MARK: Mail

    /// Transmits one mail. Blocks until it is accepted or refused, or a time limit passes.
    func carry(_ mail: OutgoingMail) -> SMTPConversation.Ending {
        precondition(!isClosed, "a closed connection carries nothing")
        return carry(mail, with: &conversation)
    }

    /// - Parameter conversation: the connection's own. As a parameter it is in use until the mail has ended; as a property it
    ///   would be copied for each question to it.
    private func carry(_ mail: OutgoingMail, with conversation: inout SMTPConversation) -> SMTPConversation.Ending {
        conversation.begin(mail)
        // Input that arrived since the last mail is unread.
        var mayHaveInput = true
        // Kept over all events: a relay that sends a little now and then is no reason not to ask.
        var asksAt: ContinuousClock.Instant?
        var isContent = false
        while true {
            if mayHaveInput {
                receive(for: &conversation)
                mayHaveInput = false
            }
            if conversation.isOver, let ending = conversation.ending { return ending }
            if conversation.asksForPermission {
                conversation.permit(mail.mayHandOver())
                isContent = true
                continue
            }
            var isBlocked = false
            if output.isEmpty, let bytes = conversation.nextOutput(at: .now) {
                output.fill(bytes)
                if !isContent { trace?.sends(bytes) }
            }
            if !output.isEmpty {
                switch output.write(atMost: Self.writeSize, through: handle.send) {
                case .moved(let count):
                    conversation.wrote(count, at: .now)
                    if conversation.hasHandedOver {
                        trace?.sendsContent(octets: mail.content.count)
                        mail.didHandOver()
                    }
                    // Reads before the next write. A reply from before the final dot doesn't answer it, and a relay
                    // that answers early must not wait for us while we wait for it.
                    mayHaveInput = !conversation.awaitsReply
                    continue
                case .wouldBlock:
                    isBlocked = true
                case .ended(let why):
                    // A reply that the relay sent before it broke the connection counts.
                    receive(for: &conversation)
                    conversation.losesConnection(why)
                    continue
                }
            }
            if conversation.isOver { continue }
            asksAt = conversation.awaitsRecipient ? asksAt ?? .now + Self.askingInterval : nil
            switch wait(toWrite: isBlocked, until: Self.earlier(conversation.deadline, asksAt)) {
            case .ready:
                mayHaveInput = true
            case .timedOut:
                // A delayed thread may find the answer after the limit has passed. The next step has its own limit.
                receive(for: &conversation)
                if let deadline = conversation.deadline, deadline <= .now {
                    conversation.timesOut()
                } else if conversation.awaitsRecipient {
                    if !mail.mayWait() { conversation.stopsWaiting() }
                    asksAt = nil
                }
            case .woken:
                guard interruption.isAborted else {
                    interruption.settle()
                    continue
                }
                // A reply that arrived before counts.
                receive(for: &conversation)
                conversation.interrupt()
            }
        }
    }

    /// Reads until nothing is left, or until the mail has ended.
    ///
    /// Never looks at the time: an answer that is there counts, also after the limit. A relay that never stops sending
    /// ends this nevertheless, because an endless reply, and one that answers nothing, end the mail.
    private func receive(for conversation: inout SMTPConversation) {
        while !conversation.isOver {
            switch handle.receive(into: input) {
            case .moved(let count):
                let octets = UnsafeRawBufferPointer(rebasing: input[..<count])
                trace?.receives(octets)
                conversation.receives(octets, at: .now)
            case .wouldBlock: return
            case .ended(let why): return conversation.losesConnection(why)
            }
        }
    }

    // MARK: Closing

    /// Sends QUIT where both sides are in step, and closes the connection.
    ///
    /// The answer to QUIT doesn't matter: everything sent has been answered by then. Postfix doesn't wait at all
    /// (`smtp_skip_quit_response`). The short wait lets a relay with a connection limit release this connection before
    /// the lane opens the next.
    ///
    /// - Parameter limit: how long to wait for the answer; `nil` means no wait.
    func quit(within limit: Duration?) {
        guard !isClosed else { return }
        defer { close() }
        guard conversation.ending?.keepsConnection ?? true else { return }
        let command = Array("QUIT\r\n".utf8)
        output.fill(command)
        trace?.sends(command)
        guard case .moved = output.write(atMost: Self.writeSize, through: handle.send), let limit else { return }
        let deadline = ContinuousClock.now + limit
        while true {
            switch handle.receive(into: input) {
            case .moved(let count):
                trace?.receives(input[..<count])
                return
            case .ended: return
            case .wouldBlock: break
            }
            guard case .ready = wait(toWrite: false, until: deadline) else { return }
        }
    }

    /// Closes the connection without QUIT.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        handle.close()
        trace?.ends()
    }

    // MARK: Waiting

    private enum Wait {
        /// The socket has input, or room for output, or an error.
        case ready
        case timedOut
        case woken
    }

    private func wait(toWrite: Bool, until deadline: ContinuousClock.Instant?) -> Wait {
        polled[0].events = Int16(toWrite ? POLLIN | POLLOUT : POLLIN)
        // Checked after every event: a relay that never stops sending gets no more time than others.
        if let deadline, deadline <= .now { return .timedOut }
        while true {
            let count = poll(polled.baseAddress, nfds_t(polled.count), Self.milliseconds(until: deadline))
            if count > 0 { return polled[1].revents != 0 ? .woken : .ready }
            if count < 0 { precondition(errno != EINVAL && errno != EFAULT, "poll(2) was called wrongly") }
            if let deadline, deadline <= .now { return .timedOut }
        }
    }

    private static func earlier(
        _ first: ContinuousClock.Instant?,
        _ second: ContinuousClock.Instant?
    ) -> ContinuousClock.Instant? {
        guard let first, let second else { return first ?? second }
        return min(first, second)
    }

    /// For poll(2): rounded up, so that it isn't called again for a fraction of a millisecond.
    private static func milliseconds(until deadline: ContinuousClock.Instant?) -> Int32 {
        guard let deadline else { return -1 }
        let left = max(deadline - .now, .zero)
        return Int32(clamping: left.inMilliseconds + 1)
    }
}

/// The output, at an address that doesn't change until all of it is written: an array that nobody changes stays where it
/// is, so its octets need no copy.
private struct OutputBuffer: ~Copyable {
    private var bytes: [UInt8] = []
    private var written = 0

    var isEmpty: Bool { written == bytes.count }

    /// Takes the next bytes, once the previous ones are written or will never be.
    mutating func fill(_ bytes: [UInt8]) {
        self.bytes = bytes
        written = 0
    }

    /// Writes the next bytes. After `wouldBlock` the next call passes the same bytes at the same address.
    mutating func write(
        atMost limit: Int,
        through send: (UnsafeRawBufferPointer) -> EasyHandle.Movement
    ) -> EasyHandle.Movement {
        let movement = bytes.withUnsafeBytes { bytes in
            send(UnsafeRawBufferPointer(rebasing: bytes[written..<min(bytes.count, written + limit)]))
        }
        if case .moved(let count) = movement { written += count }
        return movement
    }
}

extension TransmissionFailure {
    static let interruptedBeforeSending = TransmissionFailure(
        stage: .connect,
        cause: .interrupted,
        detail: "not sent because of the shutdown of outboxd"
    )

    fileprivate static let withoutDescriptors = TransmissionFailure(
        stage: .connect,
        cause: .couldNotConnect,
        detail: "outboxd has no file descriptor left for a connection; raise LimitNOFILE in its unit"
    )

    fileprivate static let lostWhileOpening = TransmissionFailure(
        stage: .connect,
        cause: .connectionLost,
        detail: "the connection broke as soon as it was open"
    )
}
