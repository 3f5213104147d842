// The commands of one mail as text, with the parameters that the relay's extensions permit. Never reads a reply.

import OutboxCore

/// A step of a mail transaction (RFC 5321 §3.3).
enum SMTPStep {
    /// RSET, where a refusal left the previous transaction open (RFC 5321 §4.1.1.5).
    case reset
    case mail, recipient, data
    /// The content with its final dot.
    case content
    /// A final dot without content: ends the DATA that a relay accepts although it refused the recipient (RFC 2920
    /// §3.1). Its answer is never an acceptance.
    case loneDot

    /// The command behind this one in a group.
    var successor: Self? {
        switch self {
        case .reset: .mail
        case .mail: .recipient
        case .recipient: .data
        case .data, .content, .loneDot: nil
        }
    }
}

/// Commands that are written together (RFC 2920). The replies come in their order.
struct CommandGroup {
    /// The commands without a reply, each with its end in the group's octets.
    private(set) var unanswered: [(step: SMTPStep, end: Int)] = []
    private(set) var octets: [UInt8] = []
    var written = 0

    mutating func append(_ step: SMTPStep, _ command: [UInt8]) {
        octets += command
        unanswered.append((step, octets.count))
    }

    /// Whether the first command without a reply is written.
    var mayBeAnswered: Bool { unanswered.first.map { $0.end <= written } ?? false }

    mutating func isAnswered() { unanswered.removeFirst() }

    func awaits(_ step: SMTPStep) -> Bool { unanswered.contains { $0.step == step } }
}

/// The commands of one mail.
struct MailCommands {
    private var mail = ""
    private var recipient = ""

    /// No mail.
    init() {}

    /// The commands for a mail, with parameters for the extensions that the relay offers.
    init(_ outgoing: OutgoingMail, _ extensions: OfferedExtensions) {
        var parameters = ""
        if extensions.hasSize { parameters += " SIZE=\(outgoing.content.count)" }
        if outgoing.needsSMTPUTF8 {
            // RFC 6531 §3.4 and §3.6: with SMTPUTF8 the header may also contain non-ASCII text.
            if extensions.hasEightBitMIME { parameters += " BODY=8BITMIME" }
            parameters += " SMTPUTF8"
        }
        let reports = extensions.hasDSN ? outgoing.reportParameters : nil
        mail = "MAIL FROM:<\(outgoing.envelopeSender)>\(parameters)\(reports?.mail ?? "")\r\n"
        recipient = "RCPT TO:<\(outgoing.recipient)>\(reports?.recipient ?? "")\r\n"
    }

    /// The octets of a command with its line end.
    func octets(of step: SMTPStep) -> [UInt8] {
        switch step {
        case .reset: Array("RSET\r\n".utf8)
        case .mail: Array(mail.utf8)
        case .recipient: Array(recipient.utf8)
        case .data: Array("DATA\r\n".utf8)
        case .loneDot: Array(".\r\n".utf8)
        case .content: preconditionFailure("the content is no command")
        }
    }
}

extension OfferedExtensions {
    /// Why the mail can't be sent over this connection, known without asking the relay.
    func obstacle(to mail: OutgoingMail) -> TransmissionFailure? {
        if mail.needsSMTPUTF8, !hasSMTPUTF8 {
            return TransmissionFailure(
                stage: .mail,
                cause: .smtpUTF8NotOffered,
                detail: "the address is outside ASCII, and the relay does not offer SMTPUTF8"
            )
        }
        if let largestMail, mail.content.count > largestMail {
            return TransmissionFailure(
                stage: .mail,
                cause: .tooLargeForRelay,
                detail: "the mail has \(mail.content.count) octets, and the relay takes \(largestMail) (its SIZE)"
            )
        }
        return nil
    }
}
