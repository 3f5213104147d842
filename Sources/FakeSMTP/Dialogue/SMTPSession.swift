// The state and the rules of one SMTP dialogue: which commands are in sequence, which are rejected, and what they
// change. A value without I/O, time or faults; the connection handler drives it.

/// One client's dialogue.
///
/// A command is answered in two steps, so that a fault can come between them: ``receive(_:)`` determines the server's
/// reaction, ``carryOut(_:)`` executes it.
struct SMTPSession {
    /// A change that a command makes unless a fault prevents it.
    enum Effect: Equatable {
        case greet
        case hello(domain: String, isExtended: Bool)
        case startTLS
        case authenticate(user: String)
        case openTransaction(Envelope)
        case addRecipient(String, parameters: [String: String])
        case openBody
        case receiveBody
        case acceptMail
        case quit
    }

    /// The server's reaction to a line of the client.
    enum Step: Equatable {
        /// Sends an answer that can't be scripted. The reply's code tells whether it closes the connection.
        case answer(SMTPReply)
        /// Reaches a stage, with the effect to carry out.
        case reach(Fault.Stage, Effect)
    }

    /// The expected kind of the next bytes.
    enum Expectation: Equatable {
        case command
        case authResponse(SASLExchange)
        case body
    }

    let options: FakeSMTPServer.Options
    private(set) var expectation = Expectation.command
    private(set) var isSecure: Bool
    private(set) var user: String?
    private(set) var envelope: Envelope?
    private var greetedExtended: Bool?
    private var isTurnedAway = false
    private var messages = 0
    private var mailCommands = 0

    init(options: FakeSMTPServer.Options) {
        self.options = options
        isSecure = options.tls == .implicit
    }

    // MARK: Reactions to lines

    /// Judges a command by the rules alone.
    mutating func receive(_ command: SMTPCommand) -> Step {
        if isTurnedAway, command != .quit {
            // RFC 5321 §3.1: after a rejecting greeting only QUIT is useful.
            return .answer(SMTPReply(503, "5.5.1", "No service here; QUIT is all that is left"))
        }
        switch command {
        case .hello(let domain, let isExtended):
            guard options.understandsEHLO || !isExtended else {
                return .answer(SMTPReply(502, "5.5.1", "Command not implemented"))
            }
            return .reach(.ehlo, .hello(domain: domain, isExtended: isExtended))
        case .startTLS: return receiveStartTLS()
        case .auth(let mechanism, let response): return receiveAuth(mechanism, response)
        case .mail(let sender, let parameters): return receiveMail(sender, parameters)
        case .rcpt(let recipient, let parameters): return receiveRecipient(recipient, parameters)
        case .data:
            guard let envelope else { return .answer(SMTPReply(503, "5.5.1", "Need MAIL and RCPT first")) }
            // RFC 2920 §3.1: a client that pipelines must learn here that no recipient was accepted.
            guard !envelope.recipients.isEmpty else {
                return .answer(SMTPReply(554, "5.5.1", "No valid recipients"))
            }
            return .reach(.data, .openBody)
        case .rset:
            endTransaction()
            return .answer(SMTPReply(250, "2.0.0", "Ok"))
        case .noop: return .answer(SMTPReply(250, "2.0.0", "Ok"))
        // RFC 5321 §3.5.3: a server that does not verify says so with 252.
        case .vrfy: return .answer(SMTPReply(252, "2.5.0", "Cannot VRFY user, but will take mail for it"))
        case .help: return .answer(SMTPReply(214, "2.0.0", "A scriptable SMTP server for tests; see RFC 5321"))
        case .quit: return .reach(.quit, .quit)
        }
    }

    private func receiveStartTLS() -> Step {
        guard options.tls == .startTLS, options.offers.contains(.startTLS) else {
            return .answer(SMTPReply(502, "5.5.1", "TLS is not offered"))
        }
        guard !isSecure else { return .answer(SMTPReply(503, "5.5.1", "TLS is active already")) }
        guard greetedExtended == true else { return .answer(SMTPReply(503, "5.5.1", "Send EHLO first")) }
        return .reach(.startTLS, .startTLS)
    }

    private mutating func receiveMail(_ sender: Mailbox, _ parameters: [String: String]) -> Step {
        mailCommands += 1
        if let limit = options.mailMax, mailCommands > limit { return .answer(Self.tooManyMails) }
        guard let greetedExtended else { return .answer(SMTPReply(503, "5.5.1", "Send EHLO or HELO first")) }
        guard envelope == nil else { return .answer(SMTPReply(503, "5.5.1", "A mail transaction is open already")) }
        if let limit = options.messagesPerConnection, messages >= limit {
            return .answer(Self.tooManyMails)
        }
        if options.requiresTLS, !isSecure {
            // RFC 3207 §4.
            return .answer(SMTPReply(530, "5.7.0", "Must issue a STARTTLS command first"))
        }
        if options.requiresAuthentication, user == nil {
            // RFC 4954 §6.
            return .answer(SMTPReply(530, "5.7.0", "Authentication required"))
        }
        let envelope = Envelope(sender: sender.address, parameters: parameters)
        if let refusal = refusal(of: parameters, isExtended: greetedExtended, with: envelope) {
            return .answer(refusal)
        }
        if let size = parameters["SIZE"], (Int(size) ?? .max) > options.maximumMessageSize {
            return .answer(Self.tooLarge)
        }
        guard sender.isASCII || envelope.isInternationalized else {
            return .answer(SMTPReply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8"))
        }
        return .reach(.mail, .openTransaction(envelope))
    }

    /// The problem of the parameters of MAIL, or of RCPT where the transaction is open; `nil` if there is none. 555 for an
    /// unknown parameter (RFC 5321 §4.1.1.11), 501 for a bad value (RFC 3461 §4).
    private func refusal(of parameters: [String: String], isExtended: Bool, with envelope: Envelope) -> SMTPReply? {
        for (keyword, value) in parameters.sorted(by: { $0.key < $1.key }) {
            let fitting: (SMTPExtension, isValid: Bool)? =
                switch (keyword, self.envelope == nil) {
                // RFC 1870 §3: up to 20 digits; a number that exceeds an Int is too large in any case.
                case ("SIZE", true): (.size, (1...20).contains(value.utf8.count) && value.utf8.allSatisfy(Self.isDigit))
                case ("BODY", true): (.eightBitMIME, ["7BIT", "8BITMIME"].contains(value.uppercased()))
                case ("SMTPUTF8", true): (.smtpUTF8, value.isEmpty)
                case ("AUTH", true): (.auth, !value.isEmpty)
                case ("RET", true): (.dsn, DSNParameter.isReturn(value))
                case ("ENVID", true): (.dsn, DSNParameter.isEnvelopeID(value))
                case ("NOTIFY", false): (.dsn, DSNParameter.isNotify(value))
                case ("ORCPT", false):
                    (.dsn, DSNParameter.isOriginalRecipient(value, isInternationalized: envelope.isInternationalized))
                default: nil
                }
            guard isExtended, let fitting, offers(fitting.0) else {
                return SMTPReply(555, "5.5.4", "Parameter \(keyword) is not recognized")
            }
            guard fitting.isValid else { return SMTPReply(501, "5.5.4", "Bad value of parameter \(keyword)") }
        }
        return nil
    }

    private func receiveRecipient(_ recipient: Mailbox, _ parameters: [String: String]) -> Step {
        guard let envelope else { return .answer(SMTPReply(503, "5.5.1", "Need MAIL first")) }
        if let refusal = refusal(of: parameters, isExtended: greetedExtended == true, with: envelope) {
            return .answer(refusal)
        }
        guard recipient.isASCII || envelope.isInternationalized else {
            return .answer(SMTPReply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8"))
        }
        guard envelope.recipients.count < options.maximumRecipients else {
            // RFC 5321 §4.5.3.1.10.
            return .answer(SMTPReply(452, "4.5.3", "Too many recipients"))
        }
        return .reach(.rcpt, .addRecipient(recipient.address, parameters: parameters))
    }

    /// Judges complete mail data. A rejection ends the transaction.
    mutating func receiveEndOfBody(problem: DataDecoder.Problem?) -> Step {
        switch problem {
        case nil: return .reach(.finalDot, .acceptMail)
        case .tooLarge:
            endTransaction()
            return .answer(Self.tooLarge)
        case .lineTooLong:
            endTransaction()
            return .answer(
                SMTPReply(500, "5.5.2", "A line of the mail is longer than \(DataDecoder.longestLine) octets")
            )
        }
    }

    // MARK: AUTH

    private mutating func receiveAuth(_ mechanism: String, _ response: String?) -> Step {
        guard options.offers.contains(.auth), !options.credentials.isEmpty else {
            return .answer(SMTPReply(502, "5.5.1", "AUTH is not offered"))
        }
        guard greetedExtended == true else { return .answer(SMTPReply(503, "5.5.1", "Send EHLO first")) }
        guard user == nil else { return .answer(SMTPReply(503, "5.5.1", "Authenticated already")) }
        guard envelope == nil else {
            return .answer(SMTPReply(503, "5.5.1", "AUTH is not allowed during a mail transaction"))
        }
        guard offers(.auth) else {
            return .answer(SMTPReply(538, "5.7.11", "Encryption required for the requested authentication mechanism"))
        }
        guard let known = SASLMechanism(rawValue: mechanism), options.mechanisms.contains(known) else {
            return .answer(SMTPReply(504, "5.5.4", "Unknown authentication mechanism"))
        }
        let exchange = SASLExchange(known, fails: options.failingMechanisms.contains(known))
        guard let response else { return ask(exchange) }
        return judge(exchange.receive(response))
    }

    /// Consumes the client's response to a challenge.
    mutating func receiveAuthResponse(_ line: String, to exchange: SASLExchange) -> Step {
        expectation = .command
        return judge(exchange.receive(line))
    }

    /// Ends an exchange whose response was not a line.
    mutating func abandonAuth() {
        expectation = .command
    }

    private mutating func judge(_ outcome: SASLExchange.Outcome) -> Step {
        switch outcome {
        case .challenge(let next): ask(next)
        case .cancelled: .answer(SMTPReply(501, "5.5.2", "Authentication cancelled"))
        case .malformed: .answer(SMTPReply(501, "5.5.2", "Cannot decode the response"))
        case .credentials(let user, let password):
            if options.credentials[user] == password {
                .reach(.auth, .authenticate(user: user))
            } else {
                .answer(Self.badCredentials)
            }
        case .bearer(let user, let token):
            if options.credentials[user] == token {
                .reach(.auth, .authenticate(user: user))
            } else {
                ask(SASLExchange.bearerRefusal)
            }
        case .digest(let user, let digest, let challenge):
            if let password = options.credentials[user],
                SASLExchange.cramDigest(of: challenge, password: password) == digest.lowercased()
            {
                .reach(.auth, .authenticate(user: user))
            } else {
                .answer(Self.badCredentials)
            }
        case .refused: .answer(Self.badCredentials)
        }
    }

    private mutating func ask(_ exchange: SASLExchange) -> Step {
        expectation = .authResponse(exchange)
        return .answer(SMTPReply(334, nil, exchange.challenge))
    }

    // MARK: Carrying out effects

    /// Makes the change and returns a healthy server's answer. ``Effect/receiveBody`` has no answer.
    mutating func carryOut(_ effect: Effect, queueID: String = "") -> SMTPReply? {
        switch effect {
        case .greet:
            return SMTPReply(220, nil, "\(options.hostname) ESMTP fake-smtp")
        case .hello(_, let isExtended):
            // RFC 5321 §4.1.4: EHLO also resets.
            greetedExtended = isExtended
            endTransaction()
            return SMTPReply(
                250,
                nil,
                lines: [options.hostname] + (isExtended ? options.ehloLines ?? advertisement : [])
            )
        case .startTLS:
            return SMTPReply(220, "2.0.0", "Ready to start TLS")
        case .authenticate(let user):
            self.user = user
            return SMTPReply(235, "2.7.0", "Authentication successful")
        case .openTransaction(let envelope):
            self.envelope = envelope
            return SMTPReply(250, "2.1.0", "Ok")
        case .addRecipient(let recipient, let parameters):
            envelope?.recipients.append(recipient)
            envelope?.recipientParameters.append(parameters)
            return SMTPReply(250, "2.1.5", "Ok")
        case .openBody:
            expectation = .body
            return SMTPReply(354, nil, "End data with <CR><LF>.<CR><LF>")
        case .receiveBody:
            return nil
        case .acceptMail:
            messages += 1
            endTransaction()
            return SMTPReply(250, "2.0.0", "Ok: queued as \(queueID)")
        case .quit:
            return SMTPReply(221, "2.0.0", "Bye")
        }
    }

    /// Notes that a fault rejected the effect.
    mutating func refuse(_ effect: Effect) {
        switch effect {
        case .greet: isTurnedAway = true
        case .acceptMail: endTransaction()
        case .hello, .startTLS, .authenticate, .openTransaction, .addRecipient, .openBody, .receiveBody, .quit: break
        }
    }

    /// Forgets the mail transaction (RSET, and the end of every mail).
    mutating func endTransaction() {
        envelope = nil
        expectation = .command
    }

    /// RFC 3207 §4.2: the handshake discards all earlier knowledge.
    mutating func secure() {
        isSecure = true
        greetedExtended = nil
        user = nil
        endTransaction()
    }

    // MARK: Offers

    private var advertisement: [String] {
        SMTPExtension.allCases.filter(offers).map { $0.line(options) }
            + ["ENHANCEDSTATUSCODES", "HELP"]
    }

    private func offers(_ extension: SMTPExtension) -> Bool {
        guard options.offers.contains(`extension`) else { return false }
        switch `extension` {
        case .startTLS: return options.tls == .startTLS && !isSecure
        case .auth:
            // RFC 4954 §4: no plaintext mechanism before TLS if TLS is available.
            return !options.credentials.isEmpty
                && (isSecure || options.tls == .none || options.offersAuthenticationBeforeTLS)
        case .limits: return options.mailMax != nil
        case .pipelining, .size, .eightBitMIME, .smtpUTF8, .dsn: return true
        }
    }

    private static let tooManyMails = SMTPReply(421, "4.7.0", "Too many messages on this connection")
    private static let badCredentials = SMTPReply(535, "5.7.8", "Authentication credentials invalid")
    private static let tooLarge = SMTPReply(552, "5.3.4", "Message size exceeds the limit")

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
