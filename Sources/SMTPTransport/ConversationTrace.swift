// Passes a conversation to an operator line by line, as it happens. Never sends, waits or judges; a lane of outboxd has none.

package import OutboxCore

/// Where a lane's conversation is shown.
package struct TranscriptOptions: Sendable {
    /// Masks the mails' secrets; the relay's own are masked anyway.
    let mask: SecretMask
    let show: @Sendable (String) -> Void

    /// - Parameters:
    ///   - mask: masks the mails' secrets; the relay's own are masked anyway.
    ///   - show: called on the lane's thread with each line, as it is said: `C: ` is our side, `S: ` the relay's, `* `
    ///     tells about the connection. Without a line end, without control characters.
    package init(hiding mask: SecretMask, show: @escaping @Sendable (String) -> Void) {
        self.mask = mask
        self.show = show
    }
}

/// The transcript of one lane's connections.
///
/// Not Sendable: it belongs to the lane's thread, and `show` is called there.
final class ConversationTrace {
    /// Whose login is masked.
    var relay: SMTPRelay { didSet { hideLogin() } }

    private var transcript: Transcript
    private let show: @Sendable (String) -> Void

    init(of relay: SMTPRelay, _ options: TranscriptOptions) {
        self.relay = relay
        show = options.show
        transcript = Transcript(hiding: options.mask)
        hideLogin()
    }

    /// Removes what the transcript removes: the mails' secrets, the login, and what AUTH sent over any connection.
    var mask: SecretMask { transcript.mask }

    /// A mask costs more than a line, so lines don't make their own.
    private func hideLogin() { transcript.hide(relay.mask, user: relay.credentials?.user) }

    /// A connection is going to be opened; an access token may be new. An earlier connection may have ended in the
    /// middle of a reply.
    func begins() {
        ends()
        hideLogin()
    }

    /// libcurl sends a command.
    func opens(with command: some Collection<UInt8>) { transcript.opens(with: command).forEach(show) }

    /// We send commands.
    func sends(_ commands: some Collection<UInt8>) { transcript.sends(commands).forEach(show) }

    /// The content was handed over as a whole.
    func sendsContent(octets: Int) { transcript.sendsContent(octets: octets).forEach(show) }

    /// The relay sent octets.
    func receives(_ octets: some Collection<UInt8>) { transcript.receives(octets).forEach(show) }

    /// libcurl says something about the connection.
    func notes(_ text: String) { transcript.notes(text).forEach(show) }

    /// We say something about the connection.
    func remarks(_ text: String) { transcript.remarks(text).forEach(show) }

    /// The connection is closed.
    func ends() { transcript.ends().forEach(show) }
}
