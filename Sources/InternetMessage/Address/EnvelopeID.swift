// The identifier that connects a mail, its envelope and the reports about it. Never makes one: the schema does.

/// The identifier of one message on its way: part of its Message-ID (RFC 5322 §3.6.4), of its MIME boundary (RFC 2046 §5.1.1:
/// at most 70 characters) and, where the configuration says so, of its envelope sender.
///
/// 1 to 64 lower-case ASCII letters and digits. Lower case, because some mail systems change the case of an address's local
/// part. The CHECK of `outbox_state.envelope_id` says the same.
package struct EnvelopeID: Hashable, Sendable {
    /// The identifier itself.
    package let text: String

    /// The most octets of one.
    package static let limit = 64
    /// How many octets those have that the schema makes: the time and randomness in hexadecimal digits.
    package static let usualLength = 32

    /// - Returns: `nil` where the text is anything else.
    package init?(_ text: some StringProtocol) {
        guard (1...Self.limit).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0.isASCIILowercaseLetter || $0.isASCIIDigit })
        else { return nil }
        self.text = String(text)
    }
}
