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
/// Where the relay offers PIPELINING (RFC 2920), the commands up to DATA are written together, and their replies read in
/// order. Otherwise the conversation is in lockstep: a command is written after the previous one was answered. The content
/// always waits for the reply to DATA.
struct SMTPConversation {
    /// How long the replies to the rest of a group may take after a refusal. Exchange delays each negative reply by 5 s.
    private static let timeAfterRefusal = Duration.seconds(20)

    /// The relay's extensions.
    let extensions: OfferedExtensions
    /// The result of the mail; `nil` while it is in progress.
    private(set) var ending: Ending?
    /// When the relay's time limit passes; `nil` where nothing is awaited.
    private(set) var deadline: ContinuousClock.Instant?
    /// The final dot was sent: from now on the relay may have accepted the mail.
    private(set) var hasHandedOver = false

    private let limit: @Sendable (SMTPStage) -> Duration
    private let pipelines: Bool
    private var parser = ReplyParser()
    /// The first step without a reply.
    private var step = SMTPStep.mail
    private var group = CommandGroup()
    /// A group of this mail had several commands.
    private var isPipelined = false
    private var evidence = PipeliningEvidence.none
    /// The refusal of a mail whose group of commands has further replies. It is reported after all of them, and after a
    /// positive reply to RSET: a stray reply among those to a group would otherwise pass for a refusal.
    private var refusal: Ending?
    /// Whether there is such a refusal. The question is asked often, and must not copy the refusal.
    private var isRefused: Bool {
        if case .some = refusal { true } else { false }
    }
    private var isRecipientRefused = false
    private var isMailRefused = false
    private var negativeReplies = 0
    private(set) var progress = Progress.due
    private var commands = MailCommands()
    private var content = StuffedContent([])
    private var leavesTransactionOpen = false
    private var mailCount = 0

    /// - Parameters:
    ///   - pipelines: whether to pipeline where the relay offers it.
    ///   - limit: the time limit of a stage (``RelayConfiguration/timeout(at:)``).
    init(
        extensions: OfferedExtensions,
        pipelines: Bool = true,
        limit: @escaping @Sendable (SMTPStage) -> Duration
    ) {
        self.extensions = extensions
        self.limit = limit
        self.pipelines = pipelines && extensions.hasPipelining
    }

    // MARK: A mail

    /// Starts a mail.
    mutating func begin(_ mail: OutgoingMail) {
        precondition(mailCount == 0 || ending?.keepsConnection == true, "one mail at a time, while both are in step")
        mailCount += 1
        ending = nil
        deadline = nil
        hasHandedOver = false
        refusal = nil
        isRecipientRefused = false
        isMailRefused = false
        negativeReplies = 0
        group = CommandGroup()
        isPipelined = false
        evidence = .none
        step = leavesTransactionOpen ? .reset : .mail
        progress = .due
        if let obstacle = extensions.obstacle(to: mail) {
            end(.failed(obstacle), keepsConnection: true)
            return
        }
        commands = MailCommands(mail, extensions)
        content = StuffedContent(mail.content)
    }

    // MARK: Output

    /// The bytes to write now; `nil` while a write or a wait is in progress.
    ///
    /// Call this only when all of the relay's input is read.
    mutating func nextOutput(at now: ContinuousClock.Instant) -> [UInt8]? {
        guard progress == .due else { return nil }
        if parser.isHalfway {
            fail(.outOfStep)
            return nil
        }
        let output = step == .content ? content.next() : nextGroup()
        progress = .writing(left: output.count)
        deadline = now + replyTime
        return output
    }

    /// How long the next reply may take. In a group the reply to MAIL may be held back until RCPT is answered, so the
    /// longer limit counts. After a refusal the rest of the group needs no work.
    private var replyTime: Duration {
        switch step {
        case .content: return limit(.body)
        case .reset, .mail, .recipient, .data, .loneDot:
            let time = group.awaits(.recipient) ? max(limit(stage), limit(.rcpt)) : limit(stage)
            return isRefused ? min(time, Self.timeAfterRefusal) : time
        }
    }

    /// The next command; with PIPELINING also those behind it, up to DATA, which must be the last (RFC 2920 §3.1).
    private mutating func nextGroup() -> [UInt8] {
        group = CommandGroup()
        var next: SMTPStep? = step
        while let step = next {
            group.append(step, of: commands)
            next = pipelines && !isRefused ? step.successor : nil
        }
        if group.unansweredCount > 1 { isPipelined = true }
        return group.octets
    }

    /// Reports how many octets of the output the kernel took.
    mutating func wrote(_ count: Int, at now: ContinuousClock.Instant) {
        guard case .writing(let left) = progress else { return }
        precondition(count <= left, "no more is written than there was")
        deadline = now + replyTime
        group.written += count
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
            deadline = now + limit(.finalDot)
        }
        progress = .awaitingReply
    }

    /// The answer to RCPT is missing, and no content is sent. A relay may hold back its replies to a group until it has all
    /// of them (RFC 2920 §3.2), so the reply to MAIL may be missing because of RCPT.
    var awaitsRecipient: Bool { awaitsReply && !isRefused && group.awaits(.recipient) }

    /// Answers the question of ``asksForPermission``. Withholding a mail closes the connection without a final dot, so the
    /// relay drops the mail.
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
    mutating func receives(_ bytes: some Collection<UInt8>, at now: ContinuousClock.Instant) {
        parser.append(bytes)
        while progress != .over, let element = parser.next() {
            switch element {
            case .reply(let reply): take(reply, at: now)
            case .garbled: fail(isAnswerable ? .garbledReply : .outOfStep)
            }
        }
        // Input after the final answer would be mistaken for answers to the next mail.
        if progress == .over, parser.isHalfway { ending?.keepsConnection = false }
    }

    /// Whether a reply can be the answer to a command: to one that is written.
    private var isAnswerable: Bool {
        switch progress {
        case .awaitingReply: true
        case .writing: step != .content && group.mayBeAnswered
        case .due, .awaitingPermission, .over: false
        }
    }

    private mutating func take(_ reply: RelayReply, at now: ContinuousClock.Instant) {
        if reply.isRefusal { negativeReplies += 1 }
        if isRefused {
            answerAfterRefusal(reply, at: now)
        } else if isAnswerable {
            answer(reply, at: now)
        } else if reply.closesConnection || reply.isRefusal && step == .content && !content.isUntouched {
            // A relay may say 421 at any time (RFC 5321 §3.8), and some refuse a mail before they have received all of
            // it.
            refuse(reply, isInStep: false, at: now)
        } else {
            fail(.outOfStep, reply)
        }
    }

    private mutating func answer(_ reply: RelayReply, at now: ContinuousClock.Instant) {
        switch step {
        case .reset where reply.isPositive:
            leavesTransactionOpen = false
            goOn(with: .mail, at: now)
        case .mail where reply.isPositive:
            leavesTransactionOpen = true
            goOn(with: .recipient, at: now)
        case .recipient where reply.isPositive:
            goOn(with: .data, at: now)
        case .data where reply.asksForContent:
            if isPipelined { evidence = .wholeGroup }
            step = .content
            progress = .awaitingPermission
            deadline = nil
        case .content where reply.isPositive:
            leavesTransactionOpen = false
            end(.accepted(reply.parsed), keepsConnection: true)
        case .reset, .mail, .recipient, .data, .content, .loneDot:
            if reply.isRefusal { refuse(reply, isInStep: true, at: now) } else { fail(.outOfStep, reply) }
        }
    }

    /// Processes the replies to the rest of a group whose mail is refused. A reply that contradicts the refusal shows that
    /// the replies are shifted.
    private mutating func answerAfterRefusal(_ reply: RelayReply, at now: ContinuousClock.Instant) {
        guard !reply.closesConnection else { return endUnconfirmed(.reply(reply.parsed)) }
        guard isAnswerable else { return fail(.outOfStep, reply) }
        switch step {
        case .recipient where reply.isRefusal:
            isRecipientRefused = true
            goOn(with: .data, at: now)
        // If the relay took a recipient, a final dot would have it deliver an empty mail.
        case .data where reply.asksForContent && isRecipientRefused: goOn(with: .loneDot, at: now)
        case .data where reply.isRefusal, .loneDot where reply.isRefusal || reply.isPositive:
            goOn(with: .reset, at: now)
        case .reset where reply.isPositive:
            leavesTransactionOpen = false
            evidence = .wholeGroup
            refusal?.keepsConnection = true
            endRefused()
        case .reset, .mail, .recipient, .data, .content, .loneDot: fail(.outOfStep, reply)
        }
    }

    /// Continues with the next step: its command is due, unless it is part of the group in progress.
    private mutating func goOn(with step: SMTPStep, at now: ContinuousClock.Instant) {
        self.step = step
        group.isAnswered()
        if group.isAnsweredInFull {
            progress = .due
            deadline = nil
        } else {
            deadline = now + replyTime
        }
    }

    // MARK: Other endings

    /// Notes that the connection has ended or is unusable.
    mutating func losesConnection(_ detail: String) {
        if !isOver { fail(.connectionLost, detail: detail) }
    }

    /// Notes that ``deadline`` has passed.
    mutating func timesOut() {
        switch progress {
        case .writing: fail(.timedOut, detail: "the relay does not read")
        case .due, .awaitingReply, .awaitingPermission: fail(.timedOut, detail: "the relay does not answer")
        case .over: break
        }
    }

    /// Stops waiting for the answer to RCPT, because other mails wait.
    mutating func stopsWaiting() {
        if awaitsRecipient { fail(.timedOut, detail: "the relay does not answer, and other messages wait") }
    }

    /// Ends the mail from our side.
    mutating func interrupt() {
        if !isOver { fail(.interrupted, detail: "ended by the shutdown of outboxd") }
    }

    private var stage: SMTPStage { stage(of: step) }

    private func stage(of step: SMTPStep) -> SMTPStage {
        switch step {
        case .reset, .mail: .mail
        case .recipient: .rcpt
        case .data, .loneDot: .data
        case .content: hasHandedOver ? .finalDot : .body
        }
    }

    /// The connection was used or idle before, and this mail's first command is unanswered: a failure now is
    /// the connection's, and neither the mail's nor the relay's fault.
    private var isBeforeAnswerOnUsedConnection: Bool { mailCount > 1 && (step == .reset || step == .mail) }

    private mutating func refuse(_ reply: RelayReply, isInStep: Bool, at now: ContinuousClock.Instant) {
        let parsed = reply.parsed
        let failure = TransmissionFailure(stage: stage, cause: .reply(parsed), detail: parsed.description)
        let isOfConnection = step == .reset || reply.closesConnection && isBeforeAnswerOnUsedConnection
        // A refused final dot ends the transaction; a refused RCPT or DATA doesn't.
        if step == .content { leavesTransactionOpen = false }
        let keepsConnection = isInStep && !reply.closesConnection && step != .reset
        if keepsConnection, isPipelined, step != .content {
            refusal = Ending(result: .failed(failure), keepsConnection: false, isForNewConnection: false)
            isRecipientRefused = step == .recipient
            isMailRefused = step == .mail
            goOn(with: step.successor ?? .reset, at: now)
        } else {
            var ending = Ending(
                result: .failed(failure),
                keepsConnection: keepsConnection,
                isForNewConnection: isOfConnection
            )
            ending.isRefusedAnotherMail = isOfConnection && step == .mail && isAnswerable
            // A relay that has lost the rest of a group says 421 when it has waited for long enough.
            if group.unansweredCount > 1 { evidence = .missingReply }
            end(ending)
        }
    }

    /// Ends a refused mail without the rest of the relay's replies. If replies to the group are missing, the relay may have
    /// lost commands, and the refusal may be about that.
    private mutating func endUnconfirmed(_ cause: TransmissionCause) {
        if step == .recipient || step == .data, cause != .interrupted {
            evidence = .missingReply
            // A relay may hang up after a refused recipient, and then the refusal counts. Otherwise lockstep brings the
            // truth.
            refusal?.isForNewConnection = cause == .timedOut || isMailRefused
        }
        endRefused()
    }

    private mutating func endRefused() {
        if let refusal { end(refusal) }
    }

    private mutating func fail(_ cause: TransmissionCause, _ reply: RelayReply? = nil, detail: String? = nil) {
        if isRefused, cause != .outOfStep, cause != .garbledReply { return endUnconfirmed(cause) }
        let words = reply.map { ": \($0.parsed)" } ?? ""
        let standard =
            cause == .outOfStep
            ? "the relay sent a reply that answers no command\(words)"
            : "the relay sent a line that is not an SMTP reply"
        let isStale = cause == .connectionLost && isBeforeAnswerOnUsedConnection
        // With the whole group written, the cause may be the recipient as well as the first command without a reply.
        let isLost = progress == .awaitingReply && (cause == .timedOut || cause == .connectionLost && !isStale)
        let mayBeRecipient = isLost && group.awaits(.recipient)
        let failure = TransmissionFailure(
            stage: mayBeRecipient ? .rcpt : stage,
            cause: cause,
            detail: detail ?? standard,
            isUncertain: hasHandedOver
        )
        var isForNewConnection = isStale || cause == .outOfStep && !hasHandedOver
        if isPipelined, !hasHandedOver, cause == .outOfStep || cause == .garbledReply {
            evidence = .outOfStep
            // In lockstep the relay may be understood.
            isForNewConnection = true
        } else if isPipelined, isLost, step != .content {
            evidence = .missingReply
            // In lockstep the same command shows itself at once; after a time-out a person has waited long enough.
            isForNewConnection = cause == .connectionLost
        }
        end(.failed(failure), keepsConnection: false, isForNewConnection: isForNewConnection)
    }

    private mutating func end(
        _ result: TransmissionResult,
        keepsConnection: Bool,
        isForNewConnection: Bool = false
    ) {
        end(Ending(result: result, keepsConnection: keepsConnection, isForNewConnection: isForNewConnection))
    }

    private mutating func end(_ ending: Ending) {
        progress = .over
        deadline = nil
        content = StuffedContent([])
        var ending = ending
        ending.negativeReplies = negativeReplies
        ending.pipelining = evidence
        self.ending = ending
    }
}
