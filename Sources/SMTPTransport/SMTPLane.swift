// One SMTP connection to a relay on a dedicated thread. Never decides what follows from a failure.

package import OutboxCore

/// One thread with one reusable connection to a relay.
///
/// `send` blocks its thread on purpose: one thread per connection scales (docs/architecture.md).
package actor SMTPLane {
    /// How long to wait for the relay's answer to QUIT.
    private static let closingLimit = Duration.seconds(1)

    /// The number of negative replies in a row after which a connection is replaced. Servers count them per connection:
    /// Postfix slows down all its replies after 10 (`smtpd_soft_error_limit`) and hangs up after 20, Exchange after 5
    /// (`MaxProtocolErrors`). Postfix restarts its count after an accepted mail. The next mail must not suffer from
    /// earlier refusals.
    private static let negativeRepliesPerConnection = 4

    /// A connection unused for this long should be closed before the relay closes it.
    package nonisolated let idle: Duration

    private var relay: SMTPRelay
    private let thread: LaneThread
    private let interruption = Interruption()
    private var connection: SMTPConnection?
    private var messagesOnConnection = 0
    private var mailsPerConnection: MailsPerConnection
    private var negativeRepliesInARow = 0
    /// The last mail left a doubt about the relay's PIPELINING: the next connection shows which command is at fault.
    private var opensInLockstep = false
    /// The relay offers DSN and refused its parameters; the same mail passed without them.
    private var refusesReportRequests = false
    private var mask: SecretMask
    private let closingTimeout: Duration
    private let trace: ConversationTrace?

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// The lane's own thread, for a task that works only for the lane.
    package nonisolated var taskExecutor: any TaskExecutor { thread }

    /// Whether other callers wait for the lane's current job to yield.
    package nonisolated var isAwaited: Bool { thread.hasWaitingJobs }

    /// Whether a connection is open, as far as the lane knows.
    package var isConnected: Bool { connection != nil }

    /// Creates a lane; it connects when the first mail is sent.
    ///
    /// - Parameters:
    ///   - number: identifies the lane in a list of threads.
    ///   - closingTimeout: how long to wait for the relay's answer to QUIT; `nil` means a second.
    ///   - transcript: receives the conversation; `nil` for none.
    package init(
        relay: SMTPRelay,
        number: Int,
        closingTimeout: Duration? = nil,
        transcript: TranscriptOptions? = nil
    ) {
        self.relay = relay
        trace = transcript.map { ConversationTrace(of: relay, $0) }
        self.closingTimeout = closingTimeout ?? Self.closingLimit
        mask = relay.mask
        mailsPerConnection = MailsPerConnection(configured: relay.configuration.messagesPerConnection)
        idle = relay.configuration.idle
        thread = LaneThread(name: "lane-\(number)")
    }

    /// Transmits one mail to the relay.
    ///
    /// If the relay has closed the connection or is out of step before anything was transmitted, the mail is sent once
    /// more over a new connection, as part of the same attempt. The password is removed from the relay's words.
    ///
    /// Some relays offer DSN and refuse its parameters. If a refusal may be about them, the mail is sent once more without
    /// them, as part of the same attempt. If it passes, the lane requests no further reports.
    ///
    /// A connection that has reached its message limit stays open, so that the result can be reported first: see
    /// `closeFullConnection`.
    package func send(_ mail: OutgoingMail) -> TransmissionResult {
        closeFullConnection()
        let result = result(of: mail)
        return result.masked(by: trace?.mask ?? mask)
    }

    private func result(of mail: OutgoingMail) -> TransmissionResult {
        if let failure = mail.unusableAddress { return .failed(failure) }
        var mail = mail
        mail.requestedReports = refusesReportRequests ? .none : relay.configuration.dsn
        let result = resultOnFreshConnection(of: mail)
        guard case .failed(let failure) = result, FailurePolicy.mayConcernParameters(failure),
            mail.reportParameters != nil, connection?.extensions.hasDSN == true
        else { return result }
        mail.requestedReports = .none
        // The refusal may have been the last mail that the connection takes.
        closeFullConnection()
        let plainResult = resultOnFreshConnection(of: mail)
        if case .accepted = plainResult {
            refusesReportRequests = true
            mail.didRefuseReports(failure)
        }
        return plainResult
    }

    /// The result on the open connection, or, if that turns out to be unusable before anything was transmitted, on a new
    /// one.
    private func resultOnFreshConnection(of mail: OutgoingMail) -> TransmissionResult {
        let first = carry(mail)
        guard first.isForNewConnection else { return first.result }
        let second = carry(mail)
        // The first connection may have been stale, and the second one pipelined: a third one is in lockstep.
        let last = second.isForNewConnection && second.pipelining.isDoubt ? carry(mail) : second
        // The relay's words say more than a failure to open another connection.
        if last.isBeforeSession, let known = [second, first].first(where: \.isRefusal) { return known.result }
        return last.result
    }

    /// Uses the relay's new credentials or certificates from now on, over a new connection.
    package func use(_ relay: SMTPRelay) {
        closeConnection()
        refusesReportRequests = false
        self.relay = relay
        trace?.relay = relay
        mask = relay.mask
        mailsPerConnection = MailsPerConnection(configured: relay.configuration.messagesPerConnection)
    }

    /// Sends QUIT and closes the connection, if one is open. The next mail opens a new one.
    ///
    /// Waits up to a second for the answer to QUIT, but ends the wait when another job arrives for the lane.
    package func closeConnection() {
        guard let open = connection else { return }
        connection = nil
        thread.run {
            open.quit(within: closingTimeout)
        } onArrival: { [interruption] in
            interruption.endWait()
        }
        interruption.settle()
    }

    /// Closes the connection if it has reached its message limit or its limit of negative replies.
    package func closeFullConnection() {
        guard let connection else { return }
        let limit = mailsPerConnection.limit(offered: connection.extensions.mailsPerConnection)
        let isFull = messagesOnConnection >= limit
        if isFull || negativeRepliesInARow >= Self.negativeRepliesPerConnection { closeConnection() }
    }

    /// Sends QUIT and closes the connection without waiting for an answer: for a shutdown.
    package func leave() {
        // Releasing the connection sends QUIT.
        connection = nil
    }

    /// Aborts the current transmission and prevents further ones. For a shutdown whose grace period is over.
    ///
    /// Takes effect at once within a conversation; during libcurl's name look-up within a second.
    package nonisolated func abortSending() { interruption.abort() }

    /// Transmits the mail, on the open connection if there is one.
    private func carry(_ mail: OutgoingMail) -> SMTPConversation.Ending {
        guard !interruption.isAborted else { return .failed(.interruptedBeforeSending) }
        let connection: SMTPConnection
        if let open = self.connection {
            connection = open
        } else {
            let pipelines = !opensInLockstep && relay.pipelining.isTrusted(at: .now)
            let opening = SMTPConnection.open(relay, interruption, pipelines: pipelines, trace: trace)
            // An access token may have been replaced. The connection's own is among those that are masked.
            if relay.credentials?.tokens != nil { mask = relay.mask }
            switch opening {
            case .opened(let new): connection = new
            case .failed(let failure):
                trace?.ends()
                return .failed(failure)
            }
            self.connection = connection
            opensInLockstep = false
            mail.didConnect()
            mail.didSecure(connection.tls)
            mail.didLimitMails(mailsPerConnection.relayLimit(offered: connection.extensions.mailsPerConnection))
            messagesOnConnection = 0
            negativeRepliesInARow = 0
        }
        messagesOnConnection += 1
        let ending = connection.carry(mail)
        if ending.isRefusedAnotherMail {
            mailsPerConnection.refusedAnother(after: messagesOnConnection - 1)
            mail.didLimitMails(mailsPerConnection.relayLimit(offered: connection.extensions.mailsPerConnection))
        }
        relay.pipelining.note(ending.pipelining, at: .now)
        opensInLockstep = ending.pipelining.isDoubt
        if !ending.keepsConnection {
            connection.close()
            self.connection = nil
        } else if case .failed = ending.result {
            negativeRepliesInARow += max(1, ending.negativeReplies)
        } else {
            negativeRepliesInARow = 0
            mailsPerConnection.accepted(messagesOnConnection)
        }
        return ending
    }
}

extension SMTPConversation.Ending {
    /// No connection was established.
    fileprivate static func failed(_ failure: TransmissionFailure) -> Self {
        Self(result: .failed(failure), keepsConnection: false, isForNewConnection: false)
    }

    fileprivate var isBeforeSession: Bool {
        if case .failed(let failure) = result { failure.stage.isBeforeSession } else { false }
    }

    /// The relay refused the mail.
    fileprivate var isRefusal: Bool {
        if case .failed(let failure) = result { failure.reply != nil && !isBeforeSession } else { false }
    }
}
