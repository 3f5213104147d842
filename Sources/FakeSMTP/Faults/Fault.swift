// Describes one scripted fault: the stage at which it strikes, its action, and how often it fires. A value without
// counters: FaultScript decides when it fires, the connection handler executes it.

/// One scripted deviation from the behaviour of a healthy SMTP server.
///
/// A stage is *reached* when the server would have accepted the command: a command that is malformed, out of sequence
/// or rejected by the server's own rules (530, 552, 535 ...) does not count. Faults at one stage are evaluated in the
/// order of the list: firing delays add up, and the first other fault that fires decides the reaction.
///
/// The text form (see ``init(parsing:)``) is such as `rcpt: reply 450 4.2.1 "Mailbox busy" first 1 for
/// bob@example.com`. A string literal can stand for a fault: `server.setFaults(["finalDot: accept-drop nth 2"])`.
package struct Fault: Sendable, Hashable {
    /// A point of the SMTP dialogue at which a fault can strike.
    package enum Stage: String, Sendable, Hashable, CaseIterable {
        /// In place of the greeting. With implicit TLS, after the handshake.
        case connect
        /// EHLO or HELO.
        case ehlo
        /// The STARTTLS command (RFC 3207).
        case startTLS
        /// In place of the verdict on complete, correct credentials (RFC 4954).
        case auth
        /// The MAIL command.
        case mail
        /// A RCPT command; reached once for each recipient.
        case rcpt
        /// The DATA command, in place of the 354.
        case data
        /// The first bytes of the mail have arrived; its end has not been looked for.
        case body
        /// The mail is complete; in place of the answer to the final dot.
        case finalDot
        /// The QUIT command, in place of the 221.
        case quit

        /// Whether addresses are known at this stage, so that a fault can be for one: the sender's at `mail`, then the
        /// recipients'.
        var knowsAddresses: Bool {
            switch self {
            case .mail, .rcpt, .data, .body, .finalDot: true
            case .connect, .ehlo, .startTLS, .auth, .quit: false
            }
        }

        /// The codes with which a server can accept at this stage: any of 2yz, although each command has its own,
        /// because a client obeys the first digit (RFC 5321 §4.3.2); DATA has only 354.
        var positiveCodes: ClosedRange<Int>? {
            switch self {
            case .connect, .ehlo, .startTLS, .auth, .mail, .rcpt, .finalDot, .quit: 200...299
            case .data: 354...354
            case .body: nil
            }
        }
    }

    /// The action of a fault when it fires.
    package enum Action: Sendable, Hashable {
        /// Answers with this reply. A 4xx or 5xx rejects the command, and 421 also closes the connection afterwards. A
        /// positive code of the stage executes the command and only changes the words. `enhanced` is an RFC 3463 code
        /// of the reply's class (`"4.2.1"`); a `"\n"` in `text` makes a reply of several lines.
        case reply(_ code: Int, enhanced: String? = nil, text: String? = nil)
        /// Sends any octets in place of the answer: empty lines, two replies, half a line. The command is executed if
        /// the first complete reply among them is positive at this stage. At `body` they come in the middle of the
        /// mail. Then the connection goes on, or ends without another word.
        case raw(_ octets: [UInt8], then: End? = nil)
        /// Closes the TCP connection without an answer (FIN, and no TLS close_notify).
        case drop
        /// Closes the TCP connection without an answer, as a reset (RST).
        case reset
        /// Waits, then continues as usual. Whole milliseconds, from 1 ms to 24 h.
        case delay(Duration)
        /// Never answers; the connection stays open until the client leaves.
        case hang
        /// Sends a line that is not an SMTP reply and stays connected; the command is not executed.
        case garbled
        /// Final dot only: the mail is accepted and recorded in the ledger, and the connection closes without an
        /// answer.
        case acceptDrop
        /// STARTTLS: answers 220, then fails the TLS handshake with an alert. Connect: the same for implicit TLS;
        /// without it, sends the alert's bytes in place of the greeting.
        case breakTLS
    }

    /// How a fault can end a connection.
    package enum End: String, Sendable, Hashable, CaseIterable {
        /// FIN, and no TLS close_notify.
        case drop
        /// RST.
        case reset
    }

    /// How often a fault fires. Counts how often its stage was reached (for its recipient, if it has one).
    package enum When: Sendable, Hashable {
        case always
        /// The nth time only, from 1.
        case nth(Int)
        /// The first n times.
        case first(Int)
        /// Every nth time: n, 2n, 3n ...
        case every(Int)
        /// Each time with this probability, above 0 and at most 1, from the server's seeded generator.
        case odds(Double)
    }

    /// The stage at which it strikes.
    package let stage: Stage
    /// Its action when it fires.
    package let action: Action
    /// How often it fires.
    package let when: When
    /// The only address that the fault is for, compared without regard to ASCII case; `nil` for any. At `mail` it is
    /// the sender's, at `rcpt` the recipient's; at `data`, `body` and `finalDot` one of the mail's recipients must
    /// match.
    package let recipient: String?

    /// Creates a fault from its parts.
    ///
    /// - Throws: ``FaultError`` for a combination that makes no sense, such as `accept-drop` at RCPT.
    package init(
        at stage: Stage,
        _ action: Action,
        when: When = .always,
        recipient: String? = nil
    ) throws(FaultError) {
        self.stage = stage
        self.action = action
        self.when = when
        self.recipient = recipient
        try validate()
    }
}

extension Fault: ExpressibleByStringLiteral {
    /// Creates a fault from its text form. An invalid literal is a programming error, so it traps.
    package init(stringLiteral value: String) {
        do {
            try self.init(parsing: value)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
