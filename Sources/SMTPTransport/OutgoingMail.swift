// A mail with its envelope, and the sender's part in its transmission. Never opens a connection.

import InternetMessage
package import OutboxCore

/// One mail with its envelope (RFC 5321 §2.3.1).
package struct OutgoingMail: Sendable {
    /// The address for MAIL FROM, without angle brackets.
    package let envelopeSender: String
    /// The address for RCPT TO, without angle brackets.
    package let recipient: String
    /// The content: lines end in CRLF, not dot-stuffed (the conversation does that).
    package let content: [UInt8]
    /// The id that reports about the mail quote, where they have a place to go; `nil` requests no reports.
    package let envelopeID: String?
    /// Which reports are requested, where there is such an id and the relay offers DSN.
    var requestedReports = RequestedReports.failure
    /// Called after the relay's 354 and before the first octet of the content; `false` withholds the content.
    package let mayHandOver: @Sendable () -> Bool
    /// Called on the lane's thread when the final dot was written: from now on only the relay's answer is awaited,
    /// which may take long.
    package let didHandOver: @Sendable () -> Void
    /// Called on the lane's thread when a connection was opened for the mail: greeting, TLS and AUTH have passed.
    package let didConnect: @Sendable () -> Void
    /// Called after ``didConnect``, with the connection's protection; `nil` without TLS.
    package let didSecure: @Sendable (TLSSession?) -> Void
    /// Called after ``didConnect``, and again when the lane has learnt a limit, with the maximum number of mails that the
    /// relay takes over one connection, as it says (RFC 9422) or has shown; `nil` where it does neither.
    package let didLimitMails: @Sendable (Int?) -> Void
    /// Called every second while the answer to RCPT is missing; `false` ends the mail like a time-out.
    package let mayWait: @Sendable () -> Bool
    /// Called on the lane's thread when the relay refused the parameters that request reports, and accepted the mail
    /// without them. The failure's words are not masked.
    package let didRefuseReports: @Sendable (TransmissionFailure) -> Void

    /// Creates a mail.
    package init(
        envelopeSender: String,
        recipient: String,
        content: [UInt8],
        envelopeID: String? = nil,
        mayHandOver: @escaping @Sendable () -> Bool = { true },
        didHandOver: @escaping @Sendable () -> Void = {},
        didConnect: @escaping @Sendable () -> Void = {},
        didSecure: @escaping @Sendable (TLSSession?) -> Void = { _ in },
        didLimitMails: @escaping @Sendable (Int?) -> Void = { _ in },
        mayWait: @escaping @Sendable () -> Bool = { true },
        didRefuseReports: @escaping @Sendable (TransmissionFailure) -> Void = { _ in }
    ) {
        self.didRefuseReports = didRefuseReports
        self.mayWait = mayWait
        self.didConnect = didConnect
        self.didSecure = didSecure
        self.didLimitMails = didLimitMails
        self.mayHandOver = mayHandOver
        self.didHandOver = didHandOver
        self.envelopeSender = envelopeSender
        self.recipient = recipient
        self.content = content
        self.envelopeID = envelopeID
    }
}

extension OutgoingMail {
    /// An address has non-ASCII characters, so the relay must offer SMTPUTF8 (RFC 6531 §3.2).
    var needsSMTPUTF8: Bool {
        !envelopeSender.isASCII || !recipient.isASCII
    }

    /// The parameters of MAIL and RCPT that request reports from a relay with DSN (RFC 3461 §4); `nil` for no reports.
    ///
    /// RET=HDRS: a report needs no copy of the link. `SUCCESS` only if an operator wants it, because each mail then
    /// causes another one.
    var reportParameters: (mail: String, recipient: String)? {
        guard let envelopeID, let conditions = requestedReports.conditions else { return nil }
        // ORCPT is optional (RFC 3461 §4.2), and no recipient's address is too long for it.
        let original = TypedAddress.encoded(recipient).map { " ORCPT=\($0)" } ?? ""
        return (" RET=HDRS ENVID=\(XText.encoded(envelopeID))", " NOTIFY=\(conditions)\(original)")
    }

    /// The failure for an address that would inject text into a command; `nil` where both addresses are safe.
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

extension RequestedReports {
    /// The value of NOTIFY (RFC 3461 §4.1); `nil` leaves the relay to its habits.
    fileprivate var conditions: String? {
        switch self {
        case .none: nil
        case .failure: "FAILURE,DELAY"
        case .success: "SUCCESS,FAILURE,DELAY"
        }
    }
}

extension String {
    /// Whether the address can stand between angle brackets in a command without being misread.
    fileprivate var isSayable: Bool {
        let octets = utf8.span
        for index in octets.indices {
            switch octets[index] {
            case 0..<0x20, 0x7F, UInt8(ascii: "<"), UInt8(ascii: ">"): return false
            default: continue
            }
        }
        return true
    }

    fileprivate var isASCII: Bool {
        let octets = utf8.span
        for index in octets.indices where octets[index] >= 0x80 { return false }
        return true
    }
}
