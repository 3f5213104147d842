// A relay with its password, and a mail with its envelope. Never opens a connection.

package import OutboxCore

/// A user name and password for AUTH. Its description shows neither.
package struct SMTPCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    let user: String
    let password: String

    /// Makes credentials; the password goes nowhere but into libcurl.
    package init(user: String, password: String) {
        self.user = user
        self.password = password
    }

    package var description: String { "<credentials>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// One relay, as its lanes use it.
package struct SMTPRelay: Sendable {
    /// Where and how to reach it.
    package var configuration: RelayConfiguration
    /// What to authenticate with; `nil`: no AUTH.
    package var credentials: SMTPCredentials?

    /// Makes a relay.
    package init(_ configuration: RelayConfiguration, credentials: SMTPCredentials? = nil) {
        self.configuration = configuration
        self.credentials = credentials
    }
}

extension SMTPRelay {
    /// What takes the password out of the relay's words, also where it repeats a response of AUTH PLAIN (RFC 4616), with
    /// or without the identity to act as, or of AUTH LOGIN.
    var mask: SecretMask {
        guard let credentials else { return .none }
        let response = [0] + Array(credentials.user.utf8) + [0] + Array(credentials.password.utf8)
        return SecretMask([credentials.password], encodings: [response, Array(credentials.user.utf8) + response])
    }
}

/// One mail with its envelope (RFC 5321 §2.3.1).
package struct OutgoingMail: Sendable {
    /// The address for MAIL FROM, without angle brackets.
    package let envelopeSender: String
    /// The address for RCPT TO, without angle brackets.
    package let recipient: String
    /// The content: lines end in CRLF, not dot-stuffed (the conversation does that).
    package let content: [UInt8]
    /// Asked after the relay's 354 and before the first octet of the content: `false` withholds it.
    package let mayHandOver: @Sendable () -> Bool
    /// Called on the lane's thread when the final dot was written: from now on nothing but the relay's answer is awaited,
    /// and it may be long in coming.
    package let didHandOver: @Sendable () -> Void
    /// Called on the lane's thread when a connection was opened for it: greeting, TLS and AUTH have passed.
    package let didConnect: @Sendable () -> Void
    /// Asked every second while the answer to RCPT is missing: `false` ends the mail as a time-out does.
    package let mayWait: @Sendable () -> Bool

    /// Makes a mail.
    package init(
        envelopeSender: String,
        recipient: String,
        content: [UInt8],
        mayHandOver: @escaping @Sendable () -> Bool = { true },
        didHandOver: @escaping @Sendable () -> Void = {},
        didConnect: @escaping @Sendable () -> Void = {},
        mayWait: @escaping @Sendable () -> Bool = { true }
    ) {
        self.mayWait = mayWait
        self.didConnect = didConnect
        self.mayHandOver = mayHandOver
        self.didHandOver = didHandOver
        self.envelopeSender = envelopeSender
        self.recipient = recipient
        self.content = content
    }
}

extension OutgoingMail {
    /// An address is outside ASCII, so that the relay must offer SMTPUTF8 (RFC 6531 §3.2).
    var needsSMTPUTF8: Bool {
        envelopeSender.utf8.contains { $0 >= 0x80 } || recipient.utf8.contains { $0 >= 0x80 }
    }

    /// An address that would be more than an address in a command; `nil` where both can be said.
    var unusableAddress: TransmissionFailure? {
        if !recipient.isSayable || recipient.isEmpty {
            return TransmissionFailure(
                stage: .compose,
                cause: .composition(.badRecipient),
                detail: "the recipient's address has a control character or an angle bracket"
            )
        }
        if !envelopeSender.isSayable {
            return TransmissionFailure(
                stage: .compose,
                cause: .composition(.badSender),
                detail: "the envelope sender's address has a control character or an angle bracket"
            )
        }
        return nil
    }
}

extension String {
    /// Whether it can stand between angle brackets in a command, and nothing of it is taken for anything else.
    fileprivate var isSayable: Bool {
        utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">") }
    }
}
