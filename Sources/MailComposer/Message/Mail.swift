// A finished mail in the form that a transport needs. Holds bytes, never templates or the row that it came from.

/// The bytes of one mail and the facts that the SMTP client needs.
package struct Mail: Sendable, Hashable {
    /// The whole message, header and body, with CRLF line ends (RFC 5322 §2.1). Not dot-stuffed, because the SMTP
    /// client does that (RFC 5321 §4.5.2). No line is longer than 998 octets.
    package let bytes: [UInt8]
    /// The Message-ID with its angle brackets: the same for every attempt to send the same row.
    package let messageID: String
    /// The subject as a person reads it, decoded and on one line.
    package let subject: String
    /// The recipient for `RCPT TO`: as in the row, with a domain outside ASCII in its A-label form (RFC 5890 §2.3.2.1).
    package let recipient: String
    /// An address has a local part outside ASCII, so the relay must offer SMTPUTF8 (RFC 6531 §3.4).
    package let needsSMTPUTF8: Bool
    /// The names of the row's variables whose values were made harmless, by name.
    package let changedVariables: [String]
}
