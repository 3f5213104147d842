// One SMTP connection to a relay, on a thread of its own. Never decides what follows from a failure.

package import OutboxCore

/// One thread with one connection to a relay, kept open and used again.
///
/// `send` blocks its thread on purpose: a thread a connection is what scales (docs/architecture.md).
package actor SMTPLane {
    /// How long a relay may take to answer QUIT.
    private static let closingLimit = Duration.seconds(1)

    /// After so many refusals in a row a connection is replaced. Servers count them against a connection: Postfix slows
    /// all its replies down after 10 (`smtpd_soft_error_limit`) and hangs up after 20, Exchange after 5
    /// (`MaxProtocolErrors`). Postfix begins anew with an accepted mail. The next mail must not pay for it.
    private static let refusalsPerConnection = 4

    /// A connection unused for this long should be closed, before the relay does so.
    package nonisolated let idle: Duration

    private var relay: SMTPRelay
    private let thread: LaneThread
    private let interruption = Interruption()
    private var connection: SMTPConnection?
    private var messagesOnConnection = 0
    private var refusalsInARow = 0
    private var mask: SecretMask
    private let closingTimeout: Duration

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// The lane's own thread, for a task that works for the lane alone.
    package nonisolated var taskExecutor: any TaskExecutor { thread }

    /// Whether somebody waits for what runs on the lane to let it do something else.
    package nonisolated var isAwaited: Bool { thread.hasWaitingJobs }

    /// Whether a connection is open, as far as the lane knows.
    package var isConnected: Bool { connection != nil }

    /// Makes a lane; it connects when the first mail is sent.
    ///
    /// - Parameters:
    ///   - number: tells the relay's lanes apart in a list of threads.
    ///   - closingTimeout: how long the relay may take to answer QUIT; `nil`: a second.
    package init(relay: SMTPRelay, number: Int, closingTimeout: Duration? = nil) {
        self.relay = relay
        self.closingTimeout = closingTimeout ?? Self.closingLimit
        mask = relay.mask
        idle = relay.configuration.idle
        thread = LaneThread(name: "lane-\(number)")
    }

    /// Hands one mail to the relay.
    ///
    /// Where the connection turns out to be closed by the relay, or out of step, before anything was handed over, the mail
    /// goes once more over a new one: that is part of the same attempt. The relay's words come without its password.
    ///
    /// A connection that has carried its number of messages stays open, so that the result can be reported first: see
    /// `closeFullConnection`.
    package func send(_ mail: OutgoingMail) -> TransmissionResult {
        closeFullConnection()
        return result(of: mail).masked(by: mask)
    }

    private func result(of mail: OutgoingMail) -> TransmissionResult {
        if let failure = mail.unusableAddress { return .failed(failure) }
        let ending = carry(mail)
        return ending.isForNewConnection ? carry(mail).result : ending.result
    }

    /// Talks to the relay with other credentials or certificates from now on, over a new connection.
    package func use(_ relay: SMTPRelay) {
        closeConnection()
        self.relay = relay
        mask = relay.mask
    }

    /// Says QUIT and closes the connection, if one is open. The next mail opens a new one.
    ///
    /// QUIT's answer is awaited for a second, and no longer than until somebody wants something of the lane.
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

    /// The same, where the connection has carried as many messages as it may, or was refused too many.
    package func closeFullConnection() {
        let isFull = messagesOnConnection >= relay.configuration.messagesPerConnection
        if isFull || refusalsInARow >= Self.refusalsPerConnection { closeConnection() }
    }

    /// Says QUIT and closes the connection without waiting for an answer: for a shutdown.
    package func leave() {
        // The connection's end does it.
        connection = nil
    }

    /// Ends what the lane is sending, and lets it send nothing further. For a shutdown whose grace is over.
    ///
    /// Within a conversation it takes effect at once; while libcurl looks up a name, within a second.
    package nonisolated func abortSending() { interruption.abort() }

    /// Hands the mail over, on the open connection if there is one.
    private func carry(_ mail: OutgoingMail) -> SMTPConversation.Ending {
        guard !interruption.isAborted else { return .failed(.interruptedBeforeSending) }
        let connection: SMTPConnection
        if let open = self.connection {
            connection = open
        } else {
            switch SMTPConnection.open(relay, interruption) {
            case .opened(let new): connection = new
            case .failed(let failure): return .failed(failure)
            }
            self.connection = connection
            mail.didConnect()
            messagesOnConnection = 0
            refusalsInARow = 0
        }
        messagesOnConnection += 1
        let ending = connection.carry(mail)
        if !ending.keepsConnection {
            connection.close()
            self.connection = nil
        } else if case .failed = ending.result {
            refusalsInARow += 1
        } else {
            refusalsInARow = 0
        }
        return ending
    }
}

extension SMTPConversation.Ending {
    /// No connection came about.
    fileprivate static func failed(_ failure: TransmissionFailure) -> Self {
        Self(result: .failed(failure), keepsConnection: false, isForNewConnection: false)
    }
}
