// The connection's reaction at each stage: queries the script, carries out the fault or the effect, stores accepted
// mail. Reads no input and formats no replies.

import NIOCore
import NIOPosix
import NIOSSL

extension SMTPConnectionHandler {
    // MARK: Faults

    func perform(_ step: SMTPSession.Step) {
        switch step {
        case .answer(let reply): answer(reply)
        case .reach(let stage, let effect): reach(stage, effect)
        }
    }

    func reach(_ stage: Fault.Stage, _ effect: SMTPSession.Effect) {
        var recipients = session.envelope?.recipients ?? []
        switch effect {
        case .addRecipient(let recipient, _): recipients = [recipient]
        case .openTransaction(let envelope): recipients = [envelope.sender]
        case .greet, .hello, .startTLS, .authenticate, .openBody, .receiveBody, .acceptMail, .quit: break
        }
        follow(decide(stage, recipients), effect)
    }

    private func decide(_ stage: Fault.Stage, _ recipients: [String] = []) -> FaultScript.Decision {
        let decision = parts.script.decide(at: stage, recipients: recipients)
        for fault in decision.fired {
            parts.note(Ledger.Firing(fault: fault, connection: connection, firedAt: parts.options.now()))
        }
        return decision
    }

    func follow(_ decision: FaultScript.Decision, _ effect: SMTPSession.Effect) {
        after(decision.delay) { self.act(decision.action, on: effect) }
    }

    private func act(_ action: Fault.Action?, on effect: SMTPSession.Effect) {
        switch action {
        case nil, .delay:
            carryOut(effect, saying: .usual)
        case .raw(let octets, let end):
            let words = Words.octets(octets, then: end)
            if effect.isCarriedOut(by: octets) {
                carryOut(effect, saying: words)
            } else {
                session.refuse(effect)
                say(words, else: nil)
            }
        case .reply(let code, let enhanced, let text):
            let reply = SMTPReply(code: code, enhanced: enhanced, scriptedText: text)
            if reply.isPositive {
                carryOut(effect, saying: .reply(reply))
            } else {
                session.refuse(effect)
                answer(reply, whileClientSends: effect == .receiveBody)
            }
        case .drop:
            closeAbruptly()
        case .reset:
            resetConnection()
        case .hang:
            ignoresInput = true
        case .garbled:
            session.refuse(effect)
            write(bytes: [0xFF, 0xFE, 0x00] + Array("~ no SMTP reply ~".utf8) + [0x80, 0x0D, 0x0A])
        case .acceptDrop:
            keepMail(isAnswered: false) { _ in self.closeAbruptly() }
        case .breakTLS:
            // Only STARTTLS comes here; greet() handles implicit TLS.
            breaksHandshake = true
            answer(SMTPReply(220, "2.0.0", "Ready to start TLS"))
        }
    }

    // MARK: Effects

    func greet() {
        let decision = isAdmitted ? decide(.connect) : .tooManyConnections
        let isImplicit = parts.options.tls == .implicit
        if decision.action == .breakTLS {
            after(decision.delay) {
                // With implicit TLS the alert answers the ClientHello. Otherwise the client waits, and gets the alert
                // at once.
                self.breaksHandshake = isImplicit && self.inbound.readableBytes == 0
                if !self.breaksHandshake { self.breakHandshake() }
            }
        } else if isImplicit {
            pendingGreeting = decision
            startTLS()
        } else {
            follow(decision, .greet)
        }
    }

    private func carryOut(_ effect: SMTPSession.Effect, saying words: Words) {
        switch effect {
        case .acceptMail:
            keepMail(isAnswered: true) { mail in
                let reply = self.session.carryOut(effect, queueID: mail.queueID)
                self.say(words, else: reply)
            }
            return
        case .startTLS:
            return say(words, else: session.carryOut(effect)) { self.startTLS() }
        case .quit:
            return say(words, else: session.carryOut(effect)) {
                self.ignoresInput = true
                self.context?.flush()
                self.context?.close(promise: nil)
            }
        case .openBody:
            decoder = DataDecoder(sizeLimit: parts.options.maximumMessageSize)
            isBodyNew = true
        case .authenticate(let user):
            parts.ledger.noteUser(user, on: connection)
        case .greet, .hello, .openTransaction, .addRecipient, .receiveBody:
            break
        }
        let reply = session.carryOut(effect)
        say(words, else: reply)
    }

    /// The words of a fault in place of the server's own.
    private enum Words {
        case usual
        case reply(SMTPReply)
        case octets([UInt8], then: Fault.End?)
    }

    private func say(_ words: Words, else usual: SMTPReply?, then next: (() -> Void)? = nil) {
        switch words {
        case .usual: answer(usual, then: next)
        case .reply(let reply): answer(reply, then: next)
        case .octets(let octets, let end):
            after(parts.options.replyDelay) {
                self.parts.log?.note("sends \(octets.count) scripted octets", connection: self.connection)
                self.write(bytes: octets)
                self.idleTimer?.touch()
                switch end {
                case nil: next?()
                case .drop: self.closeAbruptly()
                case .reset: self.resetConnection()
                }
            }
        }
    }

    /// Stores a mail and records it in the ledger, then continues; answers 451 itself if the disk fails.
    private func keepMail(isAnswered: Bool, then finish: @escaping (Ledger.Mail) -> Void) {
        guard let envelope = session.envelope, let context else { return }
        let sequence = parts.ledger.nextSequence()
        let mail = Ledger.Mail(
            sequence: sequence,
            queueID: Self.queueID(sequence),
            connection: connection,
            mailFrom: envelope.sender,
            parameters: envelope.parameters,
            recipients: envelope.recipients,
            recipientParameters: envelope.recipientParameters,
            bytes: parts.needsBytes ? Array(decoder.body.readableBytesView) : [],
            acceptedAt: parts.options.now(),
            isSecure: session.isSecure,
            user: session.user,
            isAnswered: isAnswered
        )
        guard parts.keepsOnDisk else {
            parts.ledger.accept(mail)
            return finish(mail)
        }
        pauses += 1
        let kept = parts.threadPool.runIfActive(eventLoop: context.eventLoop) { [parts] in try parts.keep(mail) }
        kept.assumeIsolated().whenComplete { result in
            self.pauses -= 1
            switch result {
            case .success(let mail):
                self.parts.ledger.accept(mail)
                finish(mail)
            case .failure(let error):
                self.parts.options.reportProblem("cannot store a mail: \(error); the client was told 451")
                self.session.refuse(.acceptMail)
                self.answer(SMTPReply(451, "4.3.0", "Cannot store the mail"))
            }
            self.process()
        }
    }

    /// A queue id like a mail server's: letters and digits, unique within the server.
    private static func queueID(_ sequence: Int) -> String {
        let digits = String(sequence, radix: 16, uppercase: true)
        return "F" + String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }

    private func startTLS() {
        guard let context, let tlsContext = parts.tlsContext else { return }
        context.flush()
        // RFC 3207 §4.2 and CVE-2011-0411: plaintext that follows STARTTLS is never taken for a command.
        if inbound.readableBytes > 0 {
            parts.ledger.noteDiscardedPlaintext(inbound.readableBytes, on: connection)
            parts.log?.note("discarded \(inbound.readableBytes) octets sent behind STARTTLS", connection: connection)
            inbound.clear()
        }
        framer.reset()
        let handler = NIOSSLServerHandler(context: tlsContext)
        do {
            try context.pipeline.syncOperations.addHandler(handler, position: .first)
            tlsHandler = handler
        } catch {
            parts.options.reportProblem("cannot start TLS: \(error)")
            closeAbruptly()
        }
    }

    /// Sends a fatal handshake_failure alert (RFC 8446 §6.2) and closes.
    func breakHandshake() {
        breaksHandshake = false
        ignoresInput = true
        write(bytes: [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28])
        context?.flush()
        closeAbruptly()
    }
}

extension SMTPSession.Effect {
    /// Whether the first complete reply in scripted octets accepts the command.
    fileprivate func isCarriedOut(by octets: [UInt8]) -> Bool {
        let codes = octets.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast().lazy.compactMap { line in
            let isDigits = line.count >= 3 && line.prefix(3).allSatisfy { (0x30...0x39).contains($0) }
            let isLast = line.dropFirst(3).first.map { $0 == 0x20 || $0 == 0x0D } ?? true
            return isDigits && isLast ? Int(String(decoding: line.prefix(3), as: UTF8.self)) : nil
        }
        switch self {
        case .receiveBody: return true
        case .openBody: return codes.first == 354
        case .greet, .hello, .startTLS, .authenticate, .openTransaction, .addRecipient, .acceptMail, .quit:
            return codes.first.map { (200...299).contains($0) } ?? false
        }
    }
}
