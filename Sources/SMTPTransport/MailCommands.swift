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
    /// The commands, each with its end in the group's octets.
    private var commands: [(step: SMTPStep, end: Int)] = []
    private var answered = 0
    private(set) var octets: [UInt8] = []
    var written = 0

    /// Enough for the octets of nearly every group.
    private static let usualSize = 256

    mutating func append(_ step: SMTPStep, of mail: MailCommands) {
        if commands.isEmpty {
            commands.reserveCapacity(4)
            octets.reserveCapacity(Self.usualSize)
        }
        mail.append(step, to: &octets)
        commands.append((step, octets.count))
    }

    /// How many commands have no reply.
    var unansweredCount: Int { commands.count - answered }

    var isAnsweredInFull: Bool { answered == commands.count }

    /// Whether the first command without a reply is written.
    var mayBeAnswered: Bool { !isAnsweredInFull && commands[answered].end <= written }

    mutating func isAnswered() {
        precondition(!isAnsweredInFull, "each command has one reply")
        answered += 1
    }

    func awaits(_ step: SMTPStep) -> Bool { commands[answered...].contains { $0.step == step } }
}

/// The commands of one mail.
struct MailCommands {
    private var sender = ""
    private var senderParameters = ""
    private var recipient = ""
    private var recipientParameters = ""

    /// No mail.
    init() {}

    /// The commands for a mail, with parameters for the extensions that the relay offers.
    init(_ outgoing: OutgoingMail, _ extensions: OfferedExtensions) {
        sender = outgoing.envelopeSender
        recipient = outgoing.recipient
        if extensions.hasSize { senderParameters += " SIZE=\(outgoing.content.count)" }
        if outgoing.needsSMTPUTF8 {
            // RFC 6531 §3.4 and §3.6: with SMTPUTF8 the header may also contain non-ASCII text.
            if extensions.hasEightBitMIME { senderParameters += " BODY=8BITMIME" }
            senderParameters += " SMTPUTF8"
        }
        if extensions.hasDSN, let reports = outgoing.reportParameters {
            senderParameters += reports.mail
            recipientParameters = reports.recipient
        }
    }

    /// Appends a command with its line end.
    func append(_ step: SMTPStep, to octets: inout [UInt8]) {
        switch step {
        case .reset: octets += "RSET".utf8
        case .mail:
            octets += "MAIL FROM:<".utf8
            octets += sender.utf8
            octets.append(UInt8(ascii: ">"))
            octets += senderParameters.utf8
        case .recipient:
            octets += "RCPT TO:<".utf8
            octets += recipient.utf8
            octets.append(UInt8(ascii: ">"))
            octets += recipientParameters.utf8
        case .data: octets += "DATA".utf8
        case .loneDot: octets.append(UInt8(ascii: "."))
        case .content: preconditionFailure("the content is no command")
        }
        octets.append(UInt8(ascii: "\r"))
        octets.append(UInt8(ascii: "\n"))
    }
}

extension OfferedExtensions {
    /// Why the mail can't be sent over this connection, known without asking the relay.
    func obstacle(to mail: OutgoingMail) -> TransmissionFailure? {
        if !hasSMTPUTF8, mail.needsSMTPUTF8 {
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
