// The commands from MAIL to the final dot, and the meaning of the replies. Pure: no I/O, no clock, no threads.

import InternetMessage
import OutboxCore

/// The conversation over one open, secured and authenticated connection: successive mail transactions (RFC 5321 §3.3).
/// Takes bytes and times; returns bytes to write and the result of each mail.
///
/// The driver of the conversation
/// - passes on all input from the socket before it asks for output: input from before a command doesn't answer it, and
///   shows that the relay is out of step;
/// - writes the bytes from ``nextOutput(at:)``, and reports with ``wrote(_:at:)`` how many the kernel took;
/// - waits for the socket until ``deadline`` at most.
///
/// The conversation is in lockstep: a command is written after the previous one was answered. Its users don't depend on
/// that: output may contain several commands, and input several replies, as with PIPELINING (RFC 2920).
struct SMTPConversation {
    /// The time limits of the relay.
    struct Limits: Sendable {
        /// For each reply, and for writing each piece.
        var reply: Duration
        /// For the reply to the final dot (RFC 5321 §4.5.3.2.6).
        var finalDot: Duration
    }

    /// The result of a mail.
    struct Ending: Equatable {
        let result: TransmissionResult
        /// Both sides are in step, so another mail can use the connection.
        var keepsConnection: Bool
        /// Nothing was transmitted, and only this connection failed: the mail may be sent over a new one at once,
        /// without using up an attempt.
        let isForNewConnection: Bool
    }

    private enum Step: Equatable {
        /// RSET, where a refusal left the previous transaction open (RFC 5321 §4.1.1.5).
        case reset
        case mail, recipient, data
        /// The content with its final dot.
        case content
    }

    private enum Progress: Equatable {
        /// Must be written, once all of the relay's input is read.
        case due
        case writing(left: Int)
        case awaitingReply
        /// The relay said 354; the sender is asked whether the content may be sent.
        case awaitingPermission
    }

    /// The relay's extensions.
    let extensions: OfferedExtensions
    /// The result of the mail; `nil` while it is in progress.
    private(set) var ending: Ending?
    /// When the relay's time limit passes; `nil` where nothing is awaited.
    private(set) var deadline: ContinuousClock.Instant?
    /// The final dot was sent: from now on the relay may have accepted the mail.
    private(set) var hasHandedOver = false

    private let limits: Limits
    private var parser = ReplyParser()
    private var step = Step.mail
    private var progress = Progress.due
    private var mailCommand: [UInt8] = []
    private var recipientCommand: [UInt8] = []
    private var content = StuffedContent([])
    private var leavesTransactionOpen = false
    private var mailCount = 0

    init(extensions: OfferedExtensions, limits: Limits) {
        self.extensions = extensions
        self.limits = limits
    }

    // MARK: A mail

    /// Starts a mail.
    mutating func begin(_ mail: OutgoingMail) {
        precondition(mailCount == 0 || ending?.keepsConnection == true, "one mail at a time, while both are in step")
        mailCount += 1
        ending = nil
        deadline = nil
        hasHandedOver = false
        step = leavesTransactionOpen ? .reset : .mail
        progress = .due
        if let obstacle = obstacle(to: mail) {
            end(.failed(obstacle), keepsConnection: true)
            return
        }
        let parameters = parameters(of: mail)
        mailCommand = Array("MAIL FROM:<\(mail.envelopeSender)>\(parameters)\r\n".utf8)
        recipientCommand = Array("RCPT TO:<\(mail.recipient)>\r\n".utf8)
        content = StuffedContent(mail.content)
    }

    /// Why the mail can't be sent over this connection, known without asking the relay.
    private func obstacle(to mail: OutgoingMail) -> TransmissionFailure? {
        if mail.needsSMTPUTF8, !extensions.hasSMTPUTF8 {
            return TransmissionFailure(
                stage: .mail,
                cause: .smtpUTF8NotOffered,
                detail: "the address is outside ASCII, and the relay does not offer SMTPUTF8"
            )
        }
        if let limit = extensions.largestMail, mail.content.count > limit {
            return TransmissionFailure(
                stage: .mail,
                cause: .tooLargeForRelay,
                detail: "the mail has \(mail.content.count) octets, and the relay takes \(limit) (its SIZE)"
            )
        }
        return nil
    }

    private func parameters(of mail: OutgoingMail) -> String {
        var parameters = ""
        if extensions.hasSize { parameters += " SIZE=\(mail.content.count)" }
        if mail.needsSMTPUTF8 {
            // RFC 6531 §3.4 and §3.6: with SMTPUTF8 the header may also contain non-ASCII text.
            if extensions.hasEightBitMIME { parameters += " BODY=8BITMIME" }
            parameters += " SMTPUTF8"
        }
        return parameters
    }

    // MARK: Output

    /// The bytes to write now; `nil` while a write or a wait is in progress.
    ///
    /// Call this only when all of the relay's input is read.
    mutating func nextOutput(at now: ContinuousClock.Instant) -> [UInt8]? {
        guard ending == nil, progress == .due else { return nil }
        if parser.isHalfway {
            fail(.outOfStep)
            return nil
        }
        let output: [UInt8] =
            switch step {
            case .reset: Array("RSET\r\n".utf8)
            case .mail: mailCommand
            case .recipient: recipientCommand
            case .data: Array("DATA\r\n".utf8)
            case .content: content.next()
            }
        progress = .writing(left: output.count)
        deadline = now + limits.reply
        return output
    }

    /// Reports how many octets of the output the kernel took.
    mutating func wrote(_ count: Int, at now: ContinuousClock.Instant) {
        guard ending == nil, case .writing(let left) = progress else { return }
        precondition(count <= left, "no more is written than there was")
        deadline = now + limits.reply
        guard count == left else {
            progress = .writing(left: left - count)
            return
        }
        if step == .content {
            guard content.isAtEnd else {
                progress = .due
                return
            }
            hasHandedOver = true
            deadline = now + limits.finalDot
        }
        progress = .awaitingReply
    }

    /// Everything was written, and the relay must reply.
    var awaitsReply: Bool { ending == nil && progress == .awaitingReply }

    /// Only the answer to RCPT is missing, before any content is sent.
    var awaitsRecipient: Bool { awaitsReply && step == .recipient }

    /// The relay waits for the content, and the sender must permit or withhold it.
    var asksForPermission: Bool { ending == nil && progress == .awaitingPermission }

    /// Answers that question. Withholding a mail closes the connection without a final dot, so the relay drops the
    /// mail.
    mutating func permit(_ isPermitted: Bool) {
        guard asksForPermission else { return }
        if isPermitted {
            progress = .due
        } else {
            end(.withheld, keepsConnection: false)
        }
    }

    // MARK: Input

    /// Processes input from the relay.
    mutating func receives(_ bytes: some Collection<UInt8>) {
        parser.append(bytes)
        while ending == nil, let element = parser.next() {
            switch element {
            case .reply(let reply): take(reply)
            case .garbled: fail(progress == .awaitingReply ? .garbledReply : .outOfStep)
            }
        }
        // Input after the final answer would be mistaken for answers to the next mail.
        if ending?.keepsConnection == true, parser.isHalfway { ending?.keepsConnection = false }
    }

    private mutating func take(_ reply: RelayReply) {
        if progress == .awaitingReply {
            answer(reply)
        } else if reply.closesConnection || reply.isRefusal && step == .content && !content.isUntouched {
            // A relay may say 421 at any time (RFC 5321 §3.8), and some refuse a mail before they have received all of
            // it.
            refuse(reply, isInStep: false)
        } else {
            fail(.outOfStep, reply)
        }
    }

    private mutating func answer(_ reply: RelayReply) {
        switch step {
        case .reset where reply.isPositive:
            leavesTransactionOpen = false
            say(.mail)
        case .mail where reply.isPositive:
            leavesTransactionOpen = true
            say(.recipient)
        case .recipient where reply.isPositive:
            say(.data)
        case .data where reply.asksForContent:
            step = .content
            progress = .awaitingPermission
            deadline = nil
        case .content where reply.isPositive:
            leavesTransactionOpen = false
            end(.accepted(reply.parsed), keepsConnection: true)
        case .reset, .mail, .recipient, .data, .content:
            if reply.isRefusal { refuse(reply, isInStep: true) } else { fail(.outOfStep, reply) }
        }
    }

    private mutating func say(_ step: Step) {
        self.step = step
        progress = .due
        deadline = nil
    }

    // MARK: Other endings

    /// Notes that the connection has ended or is unusable.
    mutating func losesConnection(_ detail: String) {
        if ending == nil { fail(.connectionLost, detail: detail) }
    }

    /// Notes that ``deadline`` has passed.
    mutating func timesOut() {
        guard ending == nil else { return }
        let what: String =
            switch progress {
            case .writing: "the relay does not read"
            case .due, .awaitingReply, .awaitingPermission: "the relay does not answer"
            }
        fail(.timedOut, detail: what)
    }

    /// Stops waiting for the answer to RCPT, because other mails wait.
    mutating func stopsWaiting() {
        if awaitsRecipient { fail(.timedOut, detail: "the relay does not answer, and other messages wait") }
    }

    /// Ends the mail from our side.
    mutating func interrupt() {
        if ending == nil { fail(.interrupted, detail: "ended by the shutdown of outboxd") }
    }

    private var stage: SMTPStage {
        switch step {
        case .reset, .mail: .mail
        case .recipient: .rcpt
        case .data: .data
        case .content: hasHandedOver ? .finalDot : .body
        }
    }

    /// The connection was used or idle before, and this mail's first command is unanswered: a failure now is
    /// the connection's, and neither the mail's nor the relay's fault.
    private var isBeforeAnswerOnUsedConnection: Bool { mailCount > 1 && (step == .reset || step == .mail) }

    private mutating func refuse(_ reply: RelayReply, isInStep: Bool) {
        let parsed = reply.parsed
        let failure = TransmissionFailure(stage: stage, cause: .reply(parsed), detail: parsed.description)
        let isOfConnection = step == .reset || reply.closesConnection && isBeforeAnswerOnUsedConnection
        // A refused final dot ends the transaction; a refused RCPT or DATA doesn't.
        if step == .content { leavesTransactionOpen = false }
        end(
            .failed(failure),
            keepsConnection: isInStep && !reply.closesConnection && step != .reset,
            isForNewConnection: isOfConnection
        )
    }

    private mutating func fail(_ cause: TransmissionCause, _ reply: RelayReply? = nil, detail: String? = nil) {
        let words = reply.map { ": \($0.parsed)" } ?? ""
        let standard =
            cause == .outOfStep
            ? "the relay sent a reply that answers no command\(words)"
            : "the relay sent a line that is not an SMTP reply"
        let failure = TransmissionFailure(
            stage: stage,
            cause: cause,
            detail: detail ?? standard,
            isUncertain: hasHandedOver
        )
        let isStale = cause == .connectionLost && isBeforeAnswerOnUsedConnection
        end(
            .failed(failure),
            keepsConnection: false,
            isForNewConnection: isStale || cause == .outOfStep && !hasHandedOver
        )
    }

    private mutating func end(
        _ result: TransmissionResult,
        keepsConnection: Bool,
        isForNewConnection: Bool = false
    ) {
        deadline = nil
        content = StuffedContent([])
        ending = Ending(
            result: result,
            keepsConnection: keepsConnection,
            isForNewConnection: isForNewConnection
        )
    }
}
