// The bytes of a mail: header fields and the two parts, in order. Chooses no wording and reads no clock.

import InternetMessage
import MailTemplates
import OutboxCore

/// A multipart/alternative message (RFC 2046 §5.1.4): the plain text first, then the HTML.
struct MIMEMessage {
    let frame: HeaderFrame
    let recipient: Mailbox
    let messageID: String
    /// The text of an `EnvelopeID`, so it fits into fields and boundaries as it is.
    let envelopeID: String
    /// When the first attempt began. Every attempt uses this date, because all attempts send the same bytes.
    let sentAt: Timestamp
    let templates: LocalizedTemplates
    let subject: Subject
    /// The renderings of `templates`.
    let text: [Template.Piece]
    let html: [Template.Piece]

    /// Nearly all mails are at most this long.
    private static let usualLength = 12_000

    /// The encoded message; equal values always give equal bytes.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.usualLength)
        bytes.append("Date: ")
        CalendarFields(sentAt).appendRFC5322(to: &bytes)
        bytes += frame.beforeRecipient
        HeaderField.appendValue(recipient.address, to: &bytes)
        bytes.append("\r\nMessage-ID: ")
        HeaderField.appendValue(messageID, to: &bytes)
        // Gmail groups mails of one sender and subject into a conversation and hides their common text, and so the
        // newest link. It doesn't if this field differs.
        bytes.append("\r\nX-Entity-Ref-ID: ")
        bytes.append(envelopeID.utf8Span.span.extracting(first: Self.referenceLength))
        bytes += frame.beforeSubject
        bytes += subject.field
        // "=_" never occurs in quoted-printable, and "_" never in base64, so no body line looks like this boundary. It
        // is derived from the row, because a second attempt must send the same bytes.
        bytes += templates.lastFields
        bytes.append(envelopeID)
        bytes.append("\"\r\n\r\n--=_")
        bytes.append(envelopeID)
        bytes.append("\r\nContent-Type: text/plain; charset=utf-8\r\n")
        templates.text.append(text, to: &bytes)
        // The CRLF before a boundary belongs to the boundary (RFC 2046 §5.1.1), so the text keeps its own last CRLF.
        bytes.append("\r\n--=_")
        bytes.append(envelopeID)
        bytes.append("\r\nContent-Type: text/html; charset=utf-8\r\n")
        templates.html.append(html, to: &bytes)
        bytes.append("\r\n--=_")
        bytes.append(envelopeID)
        bytes.append("--\r\n")
        return bytes
    }

    /// The length of a name of the message's own, the same in every attempt: the beginning of the envelope id, which
    /// encodes the time of the request to the millisecond and 16 random bits. Reports of mail systems are matched by the
    /// whole id, and this part is too short to guess it; anyone who has the mail knows it from the Message-ID anyway. It
    /// contains no token.
    private static let referenceLength = 16
}
