// Where and how to submit mail: everything libcurl has to know of a relay. Never opens a connection.

import OutboxCore

/// How a connection to a relay is protected.
package enum TLSPolicy: Sendable, Hashable {
    /// TLS or nothing: STARTTLS for `smtp://` (RFC 3207), from the first byte for `smtps://` (RFC 8314).
    case required
    /// TLS where the relay offers STARTTLS, plain text where it doesn't.
    case opportunistic
    /// Never TLS: for a relay on this machine.
    case none
}

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
    /// What the relay is called in logs and in attempts' rows.
    package var name: String
    /// `smtp://host:port` or `smtps://host:port`, without a path.
    package var url: String
    /// How the connection is protected.
    package var tls: TLSPolicy
    /// A PEM file with the certificates to trust instead of the system's.
    package var caFile: String?
    /// What to authenticate with; `nil`: no AUTH.
    package var credentials: SMTPCredentials?
    /// The one mechanism of AUTH to use; `nil`: PLAIN or LOGIN over TLS, else what libcurl can do.
    package var authentication: AuthenticationMechanism?
    /// The name to say in EHLO (RFC 5321 §4.1.1.1); `nil`: this machine's host name.
    package var helo: String?
    /// How long name look-up, TCP connection and TLS handshake may take.
    package var connectTimeout: Duration
    /// How long each reply may take, in whole seconds (libcurl knows no finer unit), and each piece of the content.
    package var replyTimeout: Duration
    /// How long the reply to the final dot may take (RFC 5321 §4.5.3.2.6): whoever gives up before it comes sends twice.
    package var finalDotTimeout: Duration
    /// A connection is closed after so many messages.
    package var messagesPerConnection: Int
    /// A connection unused for this long is closed, before the relay does so.
    package var idle: Duration

    /// Makes a relay; the defaults are those of the configuration file.
    package init(
        name: String,
        url: String,
        tls: TLSPolicy = .required,
        caFile: String? = nil,
        credentials: SMTPCredentials? = nil,
        authentication: AuthenticationMechanism? = nil,
        helo: String? = nil,
        connectTimeout: Duration = .seconds(10),
        replyTimeout: Duration = .seconds(60),
        finalDotTimeout: Duration = .seconds(600),
        messagesPerConnection: Int = 100,
        idle: Duration = .seconds(8)
    ) {
        self.name = name
        self.url = url
        self.tls = tls
        self.caFile = caFile
        self.credentials = credentials
        self.authentication = authentication
        self.helo = helo
        self.connectTimeout = connectTimeout
        self.replyTimeout = replyTimeout
        self.finalDotTimeout = finalDotTimeout
        self.messagesPerConnection = messagesPerConnection
        self.idle = idle
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

    /// Makes a mail.
    package init(
        envelopeSender: String,
        recipient: String,
        content: [UInt8],
        mayHandOver: @escaping @Sendable () -> Bool = { true },
        didHandOver: @escaping @Sendable () -> Void = {},
        didConnect: @escaping @Sendable () -> Void = {}
    ) {
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
