// The envelope of one mail transaction. Holds no rules: SMTPSession has them.

/// Sender, parameters and recipients between MAIL and the end of the transaction.
struct Envelope: Equatable {
    /// The reverse path without angle brackets; empty for `<>`.
    let sender: String
    /// The parameters of MAIL by upper-case keyword.
    let parameters: [String: String]
    /// The recipients accepted so far.
    var recipients: [String] = []
    /// The parameters of each of their RCPT commands, by upper-case keyword.
    var recipientParameters: [[String: String]] = []

    /// Whether the client requested SMTPUTF8 (RFC 6531).
    var isInternationalized: Bool { parameters["SMTPUTF8"] != nil }
}
