// The identifier that connects a mail, its envelope and the reports about it. The schema creates those of the outbox.

/// The identifier of one message in transit: part of its Message-ID (RFC 5322 §3.6.4), of its MIME boundary (RFC 2046
/// §5.1.1: at most 70 characters) and, if so configured, of its envelope sender.
///
/// 1 to 64 lower-case ASCII letters and digits. Lower case, because some mail systems change the case of a local part.
/// The CHECK of `outbox_state.envelope_id` requires the same.
package struct EnvelopeID: Hashable, Sendable {
    /// The identifier itself.
    package let text: String

    /// The maximum number of octets.
    package static let limit = 64
    /// The number of octets in identifiers from the schema: the time and random bits as hexadecimal digits.
    package static let usualLength = 32

    /// - Returns: `nil` where the text is anything else.
    package init?(_ text: String) {
        let octets = text.utf8Span.span
        guard (1...Self.limit).contains(octets.count) else { return nil }
        for index in octets.indices {
            guard octets[index].isASCIILowercaseLetter || octets[index].isASCIIDigit else { return nil }
        }
        self.text = text
    }

    /// A new identifier of the schema's form, for a mail that is in no outbox.
    ///
    /// - Parameter milliseconds: the present time, since the Unix epoch.
    package static func make(at milliseconds: Int64, using generator: inout some RandomNumberGenerator) -> EnvelopeID {
        let moment = hexadecimal(UInt64(milliseconds.magnitude), digits: 12)
        let random = hexadecimal(generator.next(), digits: 10) + hexadecimal(generator.next(), digits: 10)
        guard let id = EnvelopeID(moment + random) else { preconditionFailure("hexadecimal digits make an identifier") }
        return id
    }

    /// The last digits of a number.
    private static func hexadecimal(_ number: UInt64, digits: Int) -> String {
        let text = String(number, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text.suffix(digits)
    }
}
