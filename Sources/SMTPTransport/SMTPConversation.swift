// What is said to a relay from MAIL to the final dot, and what its answers mean. Pure: no I/O, no clock, no threads.

import InternetMessage
import OutboxCore

/// The conversation over one connection that is open, secured and authenticated: mail transactions one after the other
/// (RFC 5321 §3.3). Bytes and moments go in; bytes to write, and how each mail ended, come out.
///
/// Whoever drives it
/// - passes on everything that lies in the socket before it asks for output: what came before a command was written
///   answers no command, and shows a relay that is out of step;
/// - writes what ``nextOutput(at:)`` gives, and tells with ``wrote(_:at:)`` what the kernel took;
/// - waits for the socket no longer than until ``deadline``.
///
/// It goes in lockstep: a command is written when the one before it was answered. Nothing outside of it depends on that:
/// output may hold several commands, and what is received several replies, as with PIPELINING (RFC 2920).
struct SMTPConversation {
    /// How long the relay may take.
    struct Limits: Sendable {
        /// For each reply, and for each piece of what is written to go out.
        var reply: Duration
        /// For the reply to the final dot (RFC 5321 §4.5.3.2.6).
        var finalDot: Duration
    }

    /// How a mail ended.
    struct Ending: Equatable {
        let result: TransmissionResult
        /// Both sides know where they are, so that another mail can go over the same connection.
        var keepsConnection: Bool
        /// Nothing was handed over, and what failed was this connection: the mail may go over a new one at once, without
        /// an attempt being used up.
        let isForNewConnection: Bool
    }

    private enum Step: Equatable {
        /// RSET, where the transaction before was left open by a refusal (RFC 5321 §4.1.1.5).
        case reset
        case mail, recipient, data
        /// The content with its final dot.
        case content
    }

    private enum Progress: Equatable {
        /// To be written, once nothing that the relay sent is unread.
        case due
        case writing(left: Int)
        case awaitingReply
        /// The relay said 354; whoever sends the mail is asked whether the content may go.
        case awaitingPermission
    }

    /// What the relay offers.
    let extensions: OfferedExtensions
    /// How the mail ended; `nil` while it is under way.
    private(set) var ending: Ending?
    /// When the relay has taken too long; `nil` where nothing is awaited.
    private(set) var deadline: ContinuousClock.Instant?
    /// The final dot went out: from now on the relay may have accepted the mail.
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

    /// Begins with a mail.
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

    /// Why the mail can't be mailed over this connection, known without asking.
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
            // RFC 6531 §3.4 and §3.6: with SMTPUTF8 the header may be outside ASCII, too.
            if extensions.hasEightBitMIME { parameters += " BODY=8BITMIME" }
            parameters += " SMTPUTF8"
        }
        return parameters
    }

    // MARK: Output

    /// What is to be written now; `nil` while something is being written or awaited.
    ///
    /// To be asked only when nothing that the relay sent is unread.
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

    /// The kernel took so many octets of the output.
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

    /// Everything was written, and it is the relay's turn.
    var awaitsReply: Bool { ending == nil && progress == .awaitingReply }

    /// Only the answer to RCPT is missing, before anything of the content is handed over.
    var awaitsRecipient: Bool { awaitsReply && step == .recipient }

    /// The relay waits for the content: whoever sends the mail is to say whether it may go.
    var asksForPermission: Bool { ending == nil && progress == .awaitingPermission }

    /// The answer to that. A mail that is withheld ends the connection without a final dot, so that the relay drops it.
    mutating func permit(_ isPermitted: Bool) {
        guard asksForPermission else { return }
        if isPermitted {
            progress = .due
        } else {
            end(.withheld, keepsConnection: false)
        }
    }

    // MARK: Input

    /// The relay sent something.
    mutating func receives(_ bytes: some Collection<UInt8>) {
        parser.append(bytes)
        while ending == nil, let element = parser.next() {
            switch element {
            case .reply(let reply): take(reply)
            case .garbled: fail(progress == .awaitingReply ? .garbledReply : .outOfStep)
            }
        }
        // What comes behind the answer that ended the mail would be taken for the next mail's answers.
        if ending?.keepsConnection == true, parser.isHalfway { ending?.keepsConnection = false }
    }

    private mutating func take(_ reply: RelayReply) {
        if progress == .awaitingReply {
            answer(reply)
        } else if reply.closesConnection || reply.isRefusal && step == .content && !content.isUntouched {
            // A relay may say 421 at any time (RFC 5321 §3.8), and some refuse a mail before they have all of it.
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

    /// The connection has ended, or can't be used any more.
    mutating func losesConnection(_ detail: String) {
        if ending == nil { fail(.connectionLost, detail: detail) }
    }

    /// ``deadline`` has passed.
    mutating func timesOut() {
        guard ending == nil else { return }
        let what: String =
            switch progress {
            case .writing: "the relay does not read"
            case .due, .awaitingReply, .awaitingPermission: "the relay does not answer"
            }
        fail(.timedOut, detail: what)
    }

    /// The recipient's answer is awaited no longer, because others wait.
    mutating func stopsWaiting() {
        if awaitsRecipient { fail(.timedOut, detail: "the relay does not answer, and other messages wait") }
    }

    /// The mail is ended from our side.
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

    /// The connection carried mails before, or lay open, and this mail's first command has not been answered: what breaks
    /// now was broken before, and is nobody's fault.
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
