// Describes one scripted fault: where in the dialogue it strikes, what it does, and how often.
// A value without counters: FaultScript decides when it fires, the connection handler carries it out.

/// One scripted departure from what a healthy SMTP server would do.
///
/// A stage is *reached* when the server would have said yes: a command that is malformed, out of sequence or refused
/// by the server's own rules (530, 552, 535 ...) does not count. Faults at one stage are asked in the order of the
/// list: delays that fire add up, and the first other fault that fires decides what happens.
///
/// The text form (see ``init(parsing:)``) reads `rcpt: reply 450 4.2.1 "Mailbox busy" first 1 for bob@example.com`;
/// a string literal can stand for a fault: `server.setFaults(["finalDot: accept-drop nth 2"])`.
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
        /// A RCPT command, once for each recipient.
        case rcpt
        /// The DATA command, in place of the 354.
        case data
        /// The first bytes of the mail have arrived, its end has not been looked at.
        case body
        /// The mail is complete; in place of the answer to the final dot.
        case finalDot
        /// The QUIT command, in place of the 221.
        case quit

        /// Whether an address is known here, so that a fault can be for one: the sender's at `mail`, then the recipients'.
        var knowsAddresses: Bool {
            switch self {
            case .mail, .rcpt, .data, .body, .finalDot: true
            case .connect, .ehlo, .startTLS, .auth, .quit: false
            }
        }

        /// The codes with which a server can say yes at this stage: any of 2yz, although each command has its own, because a
        /// client goes by the first digit (RFC 5321 §4.3.2); DATA has one.
        var positiveCodes: ClosedRange<Int>? {
            switch self {
            case .connect, .ehlo, .startTLS, .auth, .mail, .rcpt, .finalDot, .quit: 200...299
            case .data: 354...354
            case .body: nil
            }
        }
    }

    /// What a fault does when it fires.
    package enum Action: Sendable, Hashable {
        /// Answers with this reply. A 4xx or 5xx refuses the command, and 421 closes the connection after it. A positive
        /// code of the stage carries the command out and only changes the words. `enhanced` is an RFC 3463 code of
        /// the reply's class (`"4.2.1"`); a `"\n"` in `text` makes a reply of several lines.
        case reply(_ code: Int, enhanced: String? = nil, text: String? = nil)
        /// Sends these octets in place of the answer, whatever they are: empty lines, two replies, half a line. The command
        /// is carried out if the first complete reply among them is a yes at this stage. At `body` they come in the middle
        /// of the mail. Then the connection goes on, or ends without another word.
        case raw(_ octets: [UInt8], then: End? = nil)
        /// Closes the TCP connection without an answer (FIN, and no TLS close_notify).
        case drop
        /// Closes the TCP connection without an answer, as a reset (RST).
        case reset
        /// Waits, then goes on as usual. Whole milliseconds, from 1 ms to 24 h.
        case delay(Duration)
        /// Never answers; the connection stays open until the client leaves.
        case hang
        /// Sends a line that is no SMTP reply and stays connected; the command is not carried out.
        case garbled
        /// Final dot only: the mail is accepted and enters the ledger, the connection closes without an answer.
        case acceptDrop
        /// STARTTLS: answers 220, then fails the TLS handshake with an alert. Connect: the same for implicit TLS;
        /// without it, the alert's bytes come in place of the greeting.
        case breakTLS
    }

    /// How a fault can end a connection.
    package enum End: String, Sendable, Hashable, CaseIterable {
        /// FIN, and no TLS close_notify.
        case drop
        /// RST.
        case reset
    }

    /// How often a fault fires, counted over the times its stage is reached (for its recipient, if it has one).
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

    /// Where the fault strikes.
    package let stage: Stage
    /// What it does.
    package let action: Action
    /// How often.
    package let when: When
    /// Only for this address, compared without regard to ASCII case; `nil` for any. At `mail` it is the sender's, at `rcpt`
    /// the recipient's; at `data`, `body` and `finalDot` one of the mail's recipients must match.
    package let recipient: String?

    /// A fault made of its parts.
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
    /// A fault from its text form. A literal that is no fault is a mistake in the program, so it traps.
    package init(stringLiteral value: String) {
        do {
            try self.init(parsing: value)
        } catch {
            preconditionFailure("\(error)")
        }
    }
}
