// The bytes of a mail: header fields and the two parts, in order. Chooses no wording and reads no clock.

import InternetMessage
import MailTemplates
import OutboxCore

/// A multipart/alternative message (RFC 2046 §5.1.4): the plain text first, then the HTML.
struct MIMEMessage {
    /// The fields that are the same in every mail: From, MIME-Version, Auto-Submitted, X-Auto-Response-Suppress, Reply-To.
    let constantFields: [UInt8]
    /// `nil`: the mail has no such field.
    let feedbackID: String?
    let recipient: Mailbox
    let messageID: String
    let envelopeID: String
    /// When the first attempt began. Every attempt uses this date, because all attempts send the same bytes.
    let sentAt: Timestamp
    /// As `LanguageTag.canonical` has it.
    let language: String
    let subject: String
    let text: Body
    let html: Body

    /// A template and its rendering.
    typealias Body = (template: BodyTemplate, pieces: [Template.Piece])

    /// Nearly all mails are at most this long.
    private static let usualLength = 12_000

    /// - Parameter name: the sender's display name.
    static func constantFields(name: String?, mailbox: Mailbox, replyTo: String?) -> [UInt8] {
        var bytes: [UInt8] = []
        HeaderField.appendMailbox("From", displayName: name, address: mailbox.address, to: &bytes)
        HeaderField.append("MIME-Version", "1.0", to: &bytes)
        // RFC 3834 §5: keeps vacation responders from answering.
        HeaderField.append("Auto-Submitted", "auto-generated", to: &bytes)
        // Exchange and Outlook obey this field: no out-of-office reply, and no read or delivery receipt (MS-OXCMAIL).
        HeaderField.append("X-Auto-Response-Suppress", "All", to: &bytes)
        if let replyTo { HeaderField.append("Reply-To", replyTo, to: &bytes) }
        return bytes
    }

    /// The encoded message; equal values always give equal bytes.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.usualLength)
        HeaderField.append("Date", CalendarFields(sentAt).rfc5322, to: &bytes)
        bytes += constantFields
        HeaderField.append("To", recipient.address, to: &bytes)
        HeaderField.append("Message-ID", messageID, to: &bytes)
        // Gmail groups mails of one sender and subject into a conversation and hides their common text, and so the
        // newest link. It doesn't if this field differs.
        HeaderField.append("X-Entity-Ref-ID", entityReference, to: &bytes)
        if let feedbackID { HeaderField.append("Feedback-ID", feedbackID, to: &bytes) }
        HeaderField.appendText("Subject", subject, to: &bytes)
        HeaderField.append("Content-Language", language, to: &bytes)
        // "=_" never occurs in quoted-printable, and "_" never in base64, so no body line looks like this boundary. It
        // is derived from the row, because a second attempt must send the same bytes.
        let boundary = "=_\(envelopeID)"
        bytes += "Content-Type: multipart/alternative;\r\n boundary=\"\(boundary)\"\r\n".utf8
        appendPart("text/plain", text, boundary: boundary, to: &bytes)
        appendPart("text/html", html, boundary: boundary, to: &bytes)
        bytes += "\r\n--\(boundary)--\r\n".utf8
        return bytes
    }

    /// A name of the message's own, the same in every attempt: the beginning of the envelope id, which encodes the time
    /// of the request to the millisecond and 16 random bits. Reports of mail systems are matched by the whole id, and
    /// this part is too short to guess it; anyone who has the mail knows it from the Message-ID anyway. It contains no
    /// token.
    private var entityReference: String { String(envelopeID.prefix(16)) }

    private func appendPart(_ type: String, _ body: Body, boundary: String, to bytes: inout [UInt8]) {
        // The CRLF before a boundary belongs to the boundary (RFC 2046 §5.1.1), so the text keeps its own last CRLF.
        bytes += "\r\n--\(boundary)\r\n".utf8
        HeaderField.append("Content-Type", "\(type); charset=utf-8", to: &bytes)
        body.template.append(body.pieces, to: &bytes)
    }
}
