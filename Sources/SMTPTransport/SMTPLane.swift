// One SMTP connection to a relay, on a thread of its own. Never decides what follows from a failure.

package import OutboxCore
import Synchronization

/// One thread with one libcurl handle, so one connection to a relay, kept open and used again.
///
/// `send` blocks its thread on purpose: libcurl's multi interface blocks its whole loop while it waits for the reply to
/// the final dot, so that a thread a connection is what scales (docs/architecture.md).
package actor SMTPLane {
    /// A connection unused for this long should be closed, before the relay does so.
    package nonisolated let idle: Duration

    private var relay: SMTPRelay
    private let thread: LaneThread
    private let abort = Abort()
    private var handle: EasyHandle?
    private var messagesOnConnection = 0
    private var mask: SecretMask
    private let closingTimeout: Duration

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// The lane's own thread, for a task that works for the lane alone.
    package nonisolated var taskExecutor: any TaskExecutor { thread }

    /// Whether somebody waits for what runs on the lane to let it do something else.
    package nonisolated var isAwaited: Bool { thread.hasWaitingJobs }

    /// Makes a lane; it connects when the first mail is sent.
    ///
    /// - Parameters:
    ///   - number: tells the relay's lanes apart in a list of threads.
    ///   - closingTimeout: how long the relay may take to answer QUIT; `nil`: a second.
    package init(relay: SMTPRelay, number: Int, closingTimeout: Duration? = nil) {
        self.relay = relay
        self.closingTimeout = closingTimeout ?? ClosingLimit.standard
        mask = relay.mask
        idle = relay.idle
        thread = LaneThread(name: "lane-\(number)")
    }

    /// Hands one mail to the relay.
    ///
    /// Where the open connection turns out to be closed by the relay, the mail is handed over once more on a new one:
    /// that is part of the same attempt. The relay's words come without its password.
    ///
    /// A connection that has carried its number of messages stays open, so that the result can be reported first: see
    /// `closeFullConnection`.
    package func send(_ mail: OutgoingMail) -> TransmissionResult {
        closeFullConnection()
        return result(of: mail).masked(by: mask)
    }

    private func result(of mail: OutgoingMail) -> TransmissionResult {
        guard let outcome = perform(mail, onNewConnection: false) else { return .failed(.interruptedBeforeSending) }
        if outcome.isStaleConnection, let second = perform(mail, onNewConnection: true) { return second.result }
        return outcome.result
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
        guard let open = handle else { return }
        handle = nil
        messagesOnConnection = 0
        let limit = ClosingLimit(open.sockets, after: closingTimeout)
        thread.run {
            open.close()
        } onArrival: {
            limit.expire()
        }
        limit.end()
    }

    /// The same, where the connection has carried as many messages as it may.
    package func closeFullConnection() {
        if messagesOnConnection >= relay.messagesPerConnection { closeConnection() }
    }

    /// Says QUIT and closes the connection without waiting for an answer: for a shutdown.
    package func leave() {
        // The handle's end does it.
        handle = nil
        messagesOnConnection = 0
    }

    /// Ends what the lane is sending, and lets it send nothing further. For a shutdown whose grace is over.
    package nonisolated func abortSending() { abort.now() }

    /// - Returns: `nil` where the lane may not send any more.
    private func perform(_ mail: OutgoingMail, onNewConnection: Bool) -> EasyHandle.Outcome? {
        let handle = self.handle ?? EasyHandle(relay: relay, closingTimeout: closingTimeout)
        self.handle = handle
        guard abort.permits(handle.sockets) else { return nil }
        let outcome = handle.perform(mail, onNewConnection: onNewConnection)
        if outcome.newConnections > 0 { messagesOnConnection = 0 }
        messagesOnConnection += 1
        if !outcome.leavesUsableConnection {
            handle.sockets.shutDown()
            self.handle = nil
            messagesOnConnection = 0
        }
        return outcome
    }
}

/// Ends a lane's sending from outside, whichever handle it uses by then.
private final class Abort: Sendable {
    private struct State {
        var isRequested = false
        var sockets: OpenSockets?
    }

    private let state = Mutex(State())

    /// Whether a transfer on these sockets may begin; from now on, it is what an abort ends.
    func permits(_ sockets: OpenSockets) -> Bool {
        state.withLock { state in
            state.sockets = sockets
            return !state.isRequested
        }
    }

    func now() {
        state.withLock { state in
            state.isRequested = true
            state.sockets?.shutDown()
        }
    }
}

extension TransmissionFailure {
    static let interruptedBeforeSending = TransmissionFailure(
        stage: .connect,
        fault: .interrupted,
        detail: "not sent because of the shutdown of outboxd"
    )
}
